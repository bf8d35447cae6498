//! One executed block.

use std::sync::Arc;

use crate::block::{BlockKind, SealedBlock};
use crate::certificate::Signers;
use crate::execute::Execution;
use crate::governance::RecentBlock;
use crate::receipt::Receipt;
use crate::state::{Change, State};
use crate::types::{Digest, Epoch, Height};

/// What the blocks above need to know of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    pub hash: Digest,
    pub height: Height,
    /// Unix milliseconds.
    pub timestamp_ms: u64,
    /// The epoch that the block belongs to, not the one that a barrier opens.
    pub epoch: Epoch,
    pub kind: BlockKind,
    /// Hash of the set that votes on the block.
    pub validators_hash: Digest,
    /// Who signed the certificate that the block carries, if it carries one.
    pub signers: Option<Signers>,
}

impl Tip {
    /// The genesis, which is no block but stands at height 0. `validators_hash` is that of the set
    /// of epoch 0.
    pub fn genesis(hash: Digest, timestamp_ms: u64, validators_hash: Digest) -> Self {
        Self {
            hash,
            height: Height::new(0),
            timestamp_ms,
            epoch: Epoch::new(0),
            kind: BlockKind::Ordinary,
            validators_hash,
            signers: None,
        }
    }
}

impl From<&SealedBlock> for Tip {
    fn from(block: &SealedBlock) -> Self {
        Self {
            hash: block.hash(),
            height: block.header.height,
            timestamp_ms: block.header.timestamp_ms,
            epoch: block.header.epoch,
            kind: block.header.kind,
            validators_hash: block.header.validators_hash,
            signers: block.justification.certificate.as_ref().map(Signers::of),
        }
    }
}

impl From<&Tip> for RecentBlock {
    fn from(tip: &Tip) -> Self {
        Self { height: tip.height, hash: tip.hash, signers: tip.signers }
    }
}

/// What executing a block did.
#[derive(Clone, Debug, Default)]
pub struct Executed {
    /// Hashes of its transactions, in their order.
    pub transactions: Vec<Digest>,
    /// One per transaction.
    pub receipts: Vec<Receipt>,
    /// Every record that it changed.
    pub changes: Vec<Change>,
}

/// A block with the state after it.
#[derive(Clone, Debug)]
pub(super) struct Overlay {
    pub(super) tip: Tip,
    pub(super) parent: Digest,
    pub(super) state: State,
    /// Hash of the set in force after the block.
    pub(super) next_validators_hash: Digest,
    pub(super) executed: Arc<Executed>,
}

/// What a list of transactions does on top of a parent, with the roots that a header shows of it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) kind: BlockKind,
    pub(super) state: State,
    pub(super) receipts_root: Digest,
    pub(super) next_validators_hash: Digest,
    pub(super) executed: Arc<Executed>,
}

impl Outcome {
    /// Takes an execution on top of `parent` together.
    pub(super) fn new(
        chain_id: &Digest,
        parent: &Overlay,
        execution: Execution,
        transactions: Vec<Digest>,
    ) -> Self {
        let (kind, next_validators_hash) = match &execution.next_validators {
            Some(next) => (BlockKind::Barrier, next.hash(chain_id)),
            None => (BlockKind::Ordinary, parent.next_validators_hash),
        };
        Self {
            kind,
            state: execution.state,
            receipts_root: crate::merkle::receipts_root(&execution.receipts),
            next_validators_hash,
            executed: Arc::new(Executed {
                transactions,
                receipts: execution.receipts,
                changes: execution.changes,
            }),
        }
    }

    /// Void, as every seal is: the state of the parent.
    pub(super) fn seal(parent: &Overlay) -> Self {
        Self {
            kind: BlockKind::Seal,
            state: parent.state.clone(),
            receipts_root: crate::merkle::receipts_root(&[]),
            next_validators_hash: parent.next_validators_hash,
            executed: Arc::new(Executed::default()),
        }
    }
}
