//! What may be put around what leaves the consensus thread.

use chain::crypto::Keypair;
use chain::types::{Digest, ValidatorIndex};
use chain::validator::ValidatorSet;
use consensus::driver::Outbox;
use consensus::message::EngineMessage;

/// Where consensus messages leave.
pub type MessageOutbox<M> = Box<dyn Outbox<M> + Send>;

/// Wraps the outbox of a node, whatever its engine.
/// A node that begins anew, with other keys, wraps its new outbox with a clone.
pub trait OutboxLayer: Clone + Send {
    fn wrap<M: EngineMessage>(
        self,
        inner: MessageOutbox<M>,
        context: LayerContext,
    ) -> MessageOutbox<M>;
}

/// What an [`OutboxLayer`] may want to know.
#[derive(Debug)]
pub struct LayerContext {
    pub chain_id: Digest,
    /// The node's consensus key.
    pub key: Keypair,
    /// The set in force when the node starts.
    pub validators: ValidatorSet,
    /// The node's place in it.
    pub me: Option<ValidatorIndex>,
    pub runtime: tokio::runtime::Handle,
}

/// No layer: of correct nodes.
#[derive(Clone, Copy, Debug)]
pub struct Untouched;

impl OutboxLayer for Untouched {
    fn wrap<M: EngineMessage>(self, inner: MessageOutbox<M>, _: LayerContext) -> MessageOutbox<M> {
        inner
    }
}
