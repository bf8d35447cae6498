//! What travels on a link: a message, encoded once.

use std::sync::Arc;

use chain::codec;
use consensus::message::{EngineMessage, Gossip, Lane};

use super::gossip::Topic;

/// The topic that carries a message besides the direct streams, if any.
pub(super) fn topic(message: &impl EngineMessage) -> Option<Topic> {
    message.gossip().map(|gossip| match gossip {
        Gossip::Evidence => Topic::Evidence,
        Gossip::ViewChanges => Topic::ViewChanges,
    })
}

/// A message on its way out: encoded once, shared by the queues of all its recipients.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) lane: Lane,
    pub(super) bytes: Arc<Vec<u8>>,
}

impl Frame {
    pub(super) fn new<M: EngineMessage>(message: &M) -> Self {
        Self { lane: message.lane(), bytes: Arc::new(codec::encode(message)) }
    }
}
