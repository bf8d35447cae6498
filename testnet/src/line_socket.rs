//! One request, one answer, each a line of JSON, over a Unix socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Longest line that either side reads, in bytes.
pub(crate) const MAX_LINE: u64 = 64 * 1024;

/// Asks the process that listens on `socket`.
///
/// # Errors
/// Where nobody listens, or the answer does not come within five seconds or is not understood.
pub(crate) fn ask<Q: Serialize, A: DeserializeOwned>(
    socket: &Path,
    question: &Q,
) -> anyhow::Result<A> {
    let stream = UnixStream::connect(socket)
        .with_context(|| format!("nobody listens on {}", socket.display()))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    let mut line = serde_json::to_vec(question)?;
    line.push(b'\n');
    (&stream).write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_LINE))
        .read_line(&mut answer)
        .with_context(|| format!("no answer from {}", socket.display()))?;
    serde_json::from_str(&answer)
        .with_context(|| format!("{} answered {:?}", socket.display(), answer.trim()))
}
