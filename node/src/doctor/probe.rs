//! Whether a node answers at the address of a peer.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::time::Duration;

use futures::future::join_all;
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The first words of every libp2p node, behind their length: the multistream-select protocol.
const GREETING: &[u8] = b"\x13/multistream/1.0.0\n";

/// What was found at an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "found")]
pub enum Probe {
    /// A libp2p node: whose, only a handshake with the network key would show.
    Open { address: String },
    /// Nobody listens there.
    Refused { address: String },
    /// No answer at all: a firewall, a machine that is down, a process that is stopped.
    TimedOut { address: String },
    /// Something listens that is no node.
    Stranger { address: String },
    /// The system knows no way there.
    Unreachable { address: String, error: String },
    /// The settings name no address to dial.
    NoAddress,
}

impl Probe {
    /// Whether a node answered.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    pub(super) const fn advice(&self) -> &'static str {
        match self {
            Self::Open { .. } => {
                "a node answers there: see its log for why the two are not connected, and compare \
                 the peer id in p2p.peers with `node keys show` on its machine"
            }
            Self::Refused { .. } => {
                "start the node there, or correct its port in p2p.peers or its p2p.listen"
            }
            Self::TimedOut { .. } => {
                "is the machine up, the process not paused, and the port open in every firewall on \
                 the way?"
            }
            Self::Stranger { .. } => "another program has the port: correct it in p2p.peers",
            Self::Unreachable { .. } => "correct the address in p2p.peers, or the name or route",
            Self::NoAddress => {
                "enter its address in p2p.peers, unless it dials this node: \
                 /ip4/ADDRESS/tcp/PORT/p2p/PEER_ID"
            }
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { address } => write!(f, "a node answers at {address}"),
            Self::Refused { address } => write!(f, "connection refused at {address}"),
            Self::TimedOut { address } => write!(f, "no answer from {address}"),
            Self::Stranger { address } => write!(f, "what listens at {address} is no node"),
            Self::Unreachable { address, error } => write!(f, "{address}: {error}"),
            Self::NoAddress => write!(f, "no address of it is known here"),
        }
    }
}

/// Dials the configured peers that are `wanted`, all at once: by peer id the best that was found.
pub(super) async fn all(
    peers: &[String],
    wanted: impl Fn(&str) -> bool,
) -> BTreeMap<String, Probe> {
    let dialled = peers.iter().filter_map(|peer| {
        let address: Multiaddr = peer.parse().ok()?;
        let Some(Protocol::P2p(id)) = address.iter().last() else { return None };
        let id = id.to_string();
        wanted(&id).then_some(async move { (id, dial(&address).await) })
    });
    let mut found = BTreeMap::new();
    for (id, probe) in join_all(dialled).await {
        let best: &mut Probe = found.entry(id).or_insert_with(|| probe.clone());
        if probe.is_open() {
            *best = probe;
        }
    }
    found
}

async fn dial(address: &Multiaddr) -> Probe {
    let mut host = None;
    let mut port = None;
    for part in address.iter() {
        match part {
            Protocol::Ip4(ip) => host = Some(ip.to_string()),
            Protocol::Ip6(ip) => host = Some(ip.to_string()),
            Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => {
                host = Some(name.into_owned());
            }
            Protocol::Tcp(number) => port = Some(number),
            _ => {}
        }
    }
    let (Some(host), Some(port)) = (host, port) else { return Probe::NoAddress };
    let address = format!("{host} port {port}");
    match tokio::time::timeout(PATIENCE, greet(&host, port)).await {
        Ok(Ok(true)) => Probe::Open { address },
        Ok(Ok(false)) => Probe::Stranger { address },
        Ok(Err(error)) => match error.kind() {
            io::ErrorKind::ConnectionRefused => Probe::Refused { address },
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
                Probe::Stranger { address }
            }
            io::ErrorKind::TimedOut => Probe::TimedOut { address },
            _ => Probe::Unreachable { address, error: error.to_string() },
        },
        Err(_) => Probe::TimedOut { address },
    }
}

/// Whether the other side says what a libp2p node says first.
async fn greet(host: &str, port: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect((host, port)).await?;
    stream.write_all(GREETING).await?;
    let mut answer = [0; GREETING.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer == GREETING)
}
