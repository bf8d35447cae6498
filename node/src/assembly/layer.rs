//! What may be put around an engine: around what leaves it, what it proposes, and what it does to the
//! disk.

use std::sync::Arc;

use chain::crypto::Keypair;
use chain::transaction::SignedTransaction;
use chain::types::{Digest, Height, ValidatorIndex};
use chain::validator::ValidatorSet;
use consensus::application::Commit;
use consensus::driver::Outbox;
use consensus::message::EngineMessage;

/// Where consensus messages leave.
pub type MessageOutbox<M> = Box<dyn Outbox<M> + Send>;

/// Whether this node, where it leads, takes a transaction into its blocks.
pub type Chooser = Box<dyn Fn(&SignedTransaction) -> bool + Send>;

/// A moment right before or after something lasting is done.
#[derive(Clone, Copy, Debug)]
pub enum Moment<'a> {
    /// The safety record is about to be synced, with the blocks it rests on.
    Persist,
    Persisted,
    /// Final blocks are about to be written.
    Commit(&'a [Commit]),
    Committed(&'a [Commit]),
    /// A snapshot is about to be taken, after the block at this height.
    Snapshot(Height),
    SnapshotTaken(Height),
}

/// Told of every [`Moment`], on the thread that does it.
pub type Watcher = Arc<dyn Fn(Moment<'_>) + Send + Sync>;

/// Stands around the engine of a node, whichever it is.
/// A node that begins anew, with other keys, wraps its new outbox with a clone.
pub trait EngineLayer: Clone + Send {
    fn wrap<M: EngineMessage>(
        self,
        inner: MessageOutbox<M>,
        context: LayerContext,
    ) -> MessageOutbox<M>;

    fn chooser(&self) -> Chooser {
        Box::new(|_| true)
    }

    fn watcher(&self) -> Watcher {
        Arc::new(|_| {})
    }
}

/// What an [`EngineLayer`] may want to know.
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

impl EngineLayer for Untouched {
    fn wrap<M: EngineMessage>(self, inner: MessageOutbox<M>, _: LayerContext) -> MessageOutbox<M> {
        inner
    }
}
