//! What the network must know of a message to carry it.

use std::sync::Arc;

use chain::codec::{self, Bounded};
use consensus::hybrid;

use super::gossip::Topic;

/// Sending and receiving order: where a link or the consensus thread is short of time, the first
/// goes first and the last is dropped first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// Votes, certificates, view changes.
    Votes,
    /// New blocks.
    Blocks,
    /// Catching up.
    Sync,
}

impl Lane {
    pub(super) const COUNT: usize = 3;
    pub(super) const ALL: [Self; Self::COUNT] = [Self::Votes, Self::Blocks, Self::Sync];

    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

/// A message that travels between validators on their direct streams.
pub trait WireMessage:
    bincode::Encode + bincode::Decode<()> + Bounded + Clone + std::fmt::Debug + Send + Sync + 'static
{
    fn lane(&self) -> Lane;

    /// The topic that carries the message besides the direct streams, if any.
    fn topic(&self) -> Option<Topic>;
}

impl WireMessage for hybrid::Message {
    fn lane(&self) -> Lane {
        match self.priority() {
            0 => Lane::Votes,
            1 => Lane::Blocks,
            _ => Lane::Sync,
        }
    }

    fn topic(&self) -> Option<Topic> {
        match self {
            Self::Evidence(_) => Some(Topic::Evidence),
            _ if self.is_gossip() => Some(Topic::ViewChanges),
            _ => None,
        }
    }
}

/// A message on its way out: encoded once, shared by the queues of all its recipients.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) lane: Lane,
    pub(super) bytes: Arc<Vec<u8>>,
}

impl Frame {
    pub(super) fn new<M: WireMessage>(message: &M) -> Self {
        Self { lane: message.lane(), bytes: Arc::new(codec::encode(message)) }
    }
}
