//! What a node does on its connections, and how many it accepts.

use std::sync::Arc;
use std::time::Duration;

use chain::types::Digest;
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::upgrade;
use libp2p::identity::Keypair;
use libp2p::swarm::{self, NetworkBehaviour, Swarm};
use libp2p::{Transport as _, dns, identify, noise, ping, tcp, yamux};

use super::book::{Book, MAX_GUESTS, MAX_PARTING};
use super::gate::{Gate, Inside};
use super::gossip;
use super::handshake::PROTOCOL_VERSION;

/// Connections in the middle of their handshake, each way: strangers get no further.
const MAX_PENDING: u32 = 64;
/// Connections with one peer. Two may cross when both sides dial; a third leaves room for a peer
/// that came back before its old connection was found dead.
const MAX_PER_PEER: u32 = 3;
/// Connections with peers that are no validators; the book bounds how many such peers there are.
const FOR_GUESTS: u32 = (MAX_GUESTS + MAX_PARTING) as u32 * MAX_PER_PEER;
/// Connections in all: enough for the largest validator set, however many guests there are.
const MAX_ESTABLISHED: u32 =
    2 * chain::validator::ValidatorSet::MAX as u32 + MAX_PENDING + FOR_GUESTS;
/// Streams on one connection. Each may buffer 256 KiB, more only for a peer that is fast.
const MAX_STREAMS: usize = 64;
/// Longest time from the first byte to an authenticated connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Peers stay connected however little they say; pings find the dead.
const IDLE_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    // The order matters: who may not connect is turned away before the others hear of it.
    pub(super) limits: connection_limits::Behaviour,
    pub(super) gate: Gate,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
    pub(super) gossip: Inside<gossip::Behaviour>,
    pub(super) streams: libp2p_stream::Behaviour,
}

/// What identify says of every node of this kind.
pub(super) const PROTOCOL_PREFIX: &str = "catamaran/";

/// What identify says of this node's protocol: version and the first half of the chain id.
fn protocol_name(chain_id: &Digest) -> String {
    format!("{PROTOCOL_PREFIX}{PROTOCOL_VERSION}/{}", hex::encode(&chain_id.0[..16]))
}

/// TCP, Noise, Yamux, and the behaviour above.
///
/// # Errors
/// A sentence, where a part refuses its settings.
pub(super) fn swarm(
    key: &Keypair,
    chain_id: &Digest,
    book: &Arc<Book>,
) -> Result<Swarm<Behaviour>, String> {
    let mut multiplex = yamux::Config::default();
    multiplex.set_max_num_streams(MAX_STREAMS);
    let gossip = gossip::behaviour(key, chain_id)?;
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(MAX_PENDING))
        .with_max_pending_outgoing(Some(MAX_ESTABLISHED))
        .with_max_established_per_peer(Some(MAX_PER_PEER))
        .with_max_established(Some(MAX_ESTABLISHED));
    let identify = identify::Config::new(protocol_name(chain_id), key.public())
        .with_agent_version(concat!("catamaran/", env!("CARGO_PKG_VERSION")).into())
        // Members are dialled where the configuration says, nowhere else.
        .with_cache_size(0)
        .with_hide_listen_addrs(true);
    let behaviour = Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        gate: Gate::new(Arc::clone(book)),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::new(
            ping::Config::new()
                .with_interval(Duration::from_secs(3))
                .with_timeout(Duration::from_secs(10)),
        ),
        gossip: Inside::new(gossip, Arc::clone(book)),
        streams: libp2p_stream::Behaviour::new(),
    };
    let authenticate = noise::Config::new(key).map_err(|error| error.to_string())?;
    let transport = with_name_resolution()
        .upgrade(upgrade::Version::V1Lazy)
        .authenticate(authenticate)
        .multiplex(multiplex)
        .timeout(CONNECT_TIMEOUT)
        .boxed();
    let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIMEOUT);
    Ok(Swarm::new(transport, behaviour, key.public().to_peer_id(), config))
}

/// TCP that understands `/dns4/…` addresses, where the system says how to resolve names.
fn with_name_resolution() -> dns::tokio::Transport<tcp::tokio::Transport> {
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    dns::tokio::Transport::system(tcp()).unwrap_or_else(|error| {
        tracing::warn!(%error, "no name resolution: only peers given by IP address are reached");
        let (config, options) = (dns::ResolverConfig::default(), dns::ResolverOpts::default());
        dns::tokio::Transport::custom(tcp(), config, options)
    })
}
