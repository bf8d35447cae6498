//! Asking a node that runs, on its admin socket.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use crate::admin::SOCKET;
use crate::rpc::NodeReport;

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than any report has: the largest set, and as many peers as a node keeps.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Why there is no report.
#[derive(Debug)]
pub(super) enum NoAnswer {
    DoesNotRun,
    /// There is a socket that is not answered, or not like this.
    Hangs(String),
}

#[derive(Deserialize)]
struct Reply {
    report: Option<NodeReport>,
    error: Option<String>,
}

/// The report of the node that runs in a home.
pub(super) async fn ask(home: &Path) -> Result<NodeReport, NoAnswer> {
    let stream = match UnixStream::connect(home.join(SOCKET)).await {
        Ok(stream) => stream,
        // None, or one that a dead process left behind.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
            ) =>
        {
            return Err(NoAnswer::DoesNotRun);
        }
        Err(error) => return Err(NoAnswer::Hangs(error.to_string())),
    };
    let answer = tokio::time::timeout(PATIENCE, converse(stream)).await;
    let late = || NoAnswer::Hangs(format!("no answer within {} s", PATIENCE.as_secs()));
    let line = answer.map_err(|_| late())?.map_err(|error| NoAnswer::Hangs(error.to_string()))?;
    let Reply { report, error } =
        serde_json::from_slice(&line).map_err(|error| NoAnswer::Hangs(error.to_string()))?;
    report.ok_or_else(|| NoAnswer::Hangs(error.unwrap_or_else(|| "an empty answer".into())))
}

async fn converse(mut stream: UnixStream) -> io::Result<Vec<u8>> {
    stream.write_all(b"{\"method\":\"report\"}\n").await?;
    let mut line = Vec::new();
    BufReader::new(stream).take(MAX_BYTES).read_until(b'\n', &mut line).await?;
    Ok(line)
}
