//! The door for the operator: a Unix socket in the home that only its owner may use.
//!
//! One request per line, one answer per line, in JSON:
//!
//! ```text
//! {"method":"block_peers","peers":["12D3KooW…"]}     shuts these out too
//! {"method":"unblock_peers","peers":["12D3KooW…"]}   no longer these; without peers: nobody
//! {"method":"peers"}
//! {"method":"status"}
//! {"method":"report"}                                all that `node doctor` asks
//! ```
//!
//! Answers: `{"ok":true,…}` or `{"ok":false,"error":"…"}`.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use consensus::engine::Status;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::network::{NetworkHandle, PeerId};

/// Name of the socket in the home.
pub const SOCKET: &str = "admin.sock";

/// Longest path of a socket that every system takes, in bytes.
const MAX_PATH: usize = 103;
/// Longest line that is read, in bytes.
const MAX_LINE: u64 = 64 * 1024;
/// Most connections at one time; further ones wait.
const MAX_CONNECTIONS: usize = 8;
/// How long a connection may be silent.
const IDLE: Duration = Duration::from_secs(60);

/// A socket that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error(
        "{path} is longer than the {} bytes that the path of a socket may have: put the home where \
         its path is shorter",
        MAX_PATH
    )]
    TooLong { path: PathBuf },
    #[error("cannot listen on {path}: {source}")]
    Listen {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Asks the node how it is, as a JSON object.
pub type Report = Box<dyn Fn() -> Result<Value, String> + Send + Sync>;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "method", deny_unknown_fields)]
enum Request {
    BlockPeers {
        peers: Vec<String>,
    },
    UnblockPeers {
        #[serde(default)]
        peers: Option<Vec<String>>,
    },
    Peers {},
    Status {},
    Report {},
}

#[derive(Debug, Serialize)]
struct Reply {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(flatten)]
    result: Value,
}

/// The file of a socket; removed when dropped.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Gone already, or replaced at the next start.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A socket that does not answer yet: the operator waits.
#[derive(Debug)]
pub struct AdminListener {
    listener: UnixListener,
    file: SocketFile,
}

impl AdminListener {
    /// Listens in the home, whose lock this process holds: a socket found there is a dead one's.
    ///
    /// # Errors
    /// [`AdminError`] with what the system said.
    pub fn bind(home: &Path) -> Result<Self, AdminError> {
        let path = home.join(SOCKET);
        if path.as_os_str().len() > MAX_PATH {
            return Err(AdminError::TooLong { path });
        }
        let listen = || -> io::Result<UnixListener> {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(&path)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
            Ok(listener)
        };
        match listen() {
            Ok(listener) => Ok(Self { listener, file: SocketFile(path) }),
            Err(source) => Err(AdminError::Listen { path, source }),
        }
    }
}

/// The running socket. Dropping it removes the file.
#[derive(Debug)]
pub struct AdminSocket {
    _file: SocketFile,
    task: JoinSet<()>,
}

impl AdminSocket {
    /// Answers from now on.
    pub fn start(
        listener: AdminListener,
        network: NetworkHandle,
        status: watch::Receiver<Status>,
        report: Report,
    ) -> Self {
        let AdminListener { listener, file } = listener;
        let mut task = JoinSet::new();
        task.spawn(accept_forever(listener, Arc::new(Operator { network, status, report })));
        Self { _file: file, task }
    }

    /// Waits until nobody listens any more: only ever by a panic.
    pub async fn failed(&mut self) {
        self.task.join_next().await;
    }
}

async fn accept_forever(listener: UnixListener, operator: Arc<Operator>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let place = Arc::clone(&places).acquire_owned().await;
        let place = place.expect("nobody closes the semaphore of connections");
        match listener.accept().await {
            Ok((stream, _)) => {
                let operator = Arc::clone(&operator);
                connections.spawn(async move {
                    // The operator hung up, or was silent for too long.
                    let _ = operator.converse(stream).await;
                    drop(place);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: others may close some.
                tracing::warn!(%error, "accepting on the admin socket failed");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// What the operator may see and change.
struct Operator {
    network: NetworkHandle,
    status: watch::Receiver<Status>,
    report: Report,
}

impl Operator {
    async fn converse(&self, stream: UnixStream) -> io::Result<()> {
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut read).take(MAX_LINE);
            tokio::time::timeout(IDLE, limited.read_until(b'\n', &mut line)).await??;
            if line.is_empty() {
                return Ok(());
            }
            let too_long = line.len() as u64 == MAX_LINE && line.last() != Some(&b'\n');
            let reply = if too_long {
                refusal(format!("a line has at most {MAX_LINE} bytes"))
            } else {
                self.answer(&line)
            };
            let mut bytes = serde_json::to_vec(&reply)?;
            bytes.push(b'\n');
            tokio::time::timeout(IDLE, write.write_all(&bytes)).await??;
            if too_long {
                return Ok(());
            }
        }
    }

    fn answer(&self, line: &[u8]) -> Reply {
        let request = match serde_json::from_slice(line) {
            Ok(request) => request,
            Err(error) => return refusal(error.to_string()),
        };
        let result = match request {
            Request::BlockPeers { peers } => {
                let Some(peers) = parse(&peers) else {
                    return not_peers();
                };
                self.block(&self.network.blocked() | &peers)
            }
            Request::UnblockPeers { peers: None } => self.block(BTreeSet::new()),
            Request::UnblockPeers { peers: Some(peers) } => {
                let Some(peers) = parse(&peers) else {
                    return not_peers();
                };
                self.block(&self.network.blocked() - &peers)
            }
            Request::Peers {} => json!({ "peers": self.network.peers() }),
            Request::Report {} => match (self.report)() {
                Ok(report) => json!({ "report": report }),
                Err(error) => return refusal(error),
            },
            Request::Status {} => json!({ "status": shown(&self.status.borrow()) }),
        };
        Reply { ok: true, error: None, result }
    }

    fn block(&self, peers: BTreeSet<PeerId>) -> Value {
        tracing::info!(?peers, "the operator set the peer filter");
        self.network.set_blocked(peers);
        json!({})
    }
}

fn parse(peers: &[String]) -> Option<BTreeSet<PeerId>> {
    peers.iter().map(|id| id.parse().ok()).collect()
}

fn not_peers() -> Reply {
    refusal("expected peer ids like 12D3KooW…".into())
}

fn refusal(error: String) -> Reply {
    Reply { ok: false, error: Some(error), result: json!({}) }
}

fn shown(status: &Status) -> Value {
    json!({
        "role": status.role,
        "epoch": status.epoch,
        "view": status.view,
        "leader": status.leader,
        "mode": status.mode,
        "mode_reason": status.mode_reason,
        "height_final": status.final_height,
        "hash_final": status.final_hash,
        "height_ordered": status.ordered_height,
        "height_head": status.head_height,
        "view_timeout_ms": u64::try_from(status.timeout.as_millis()).unwrap_or(u64::MAX),
        "pacing": status.pacing,
        "evidence_pending": status.evidence_pending,
    })
}

#[cfg(test)]
mod tests;
