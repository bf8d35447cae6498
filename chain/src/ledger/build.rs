//! Choosing the transactions of a new block.

use std::sync::Arc;

use crate::block::{Block, BlockKind};
use crate::evidence::Evidence;
use crate::execute::{BlockContext, Executor};
use crate::governance::Parameters;
use crate::ledger::overlay::{Outcome, Overlay};
use crate::ledger::{InvalidBlock, Ledger};
use crate::mempool::VerifiedTransaction;
use crate::merkle::List;
use crate::transaction::Transaction;
use crate::types::{Digest, View};

/// What kind of block is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildKind {
    /// With transactions; a barrier if evidence counts.
    Ordinary,
    /// Void, above a barrier.
    Seal,
}

/// A block to build.
#[derive(Clone, Copy, Debug)]
pub struct BuildTask<'a> {
    /// An executed block or the last committed one.
    pub parent: Digest,
    /// View of the new block.
    pub view: View,
    pub kind: BuildKind,
    /// What counts of it goes into the block.
    pub evidence: &'a [Evidence],
    /// The clock, in Unix milliseconds.
    pub now_ms: u64,
}

/// How large a block may become, within what is valid. The default is the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildLimits {
    pub transaction_bytes: usize,
    pub transactions: usize,
}

impl Default for BuildLimits {
    fn default() -> Self {
        Self {
            transaction_bytes: Block::MAX_TRANSACTION_BYTES,
            transactions: Block::MAX_TRANSACTIONS,
        }
    }
}

impl From<Parameters> for BuildLimits {
    fn from(rules: Parameters) -> Self {
        Self {
            transaction_bytes: rules.block_bytes as usize,
            transactions: rules.block_transactions as usize,
        }
    }
}

/// The part of a block that execution decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    pub kind: BlockKind,
    /// The clock, but later than the parent.
    pub timestamp_ms: u64,
    pub transactions: Vec<Transaction>,
    pub transactions_root: Digest,
    pub receipts_root: Digest,
    pub state_root: Digest,
    pub next_validators_hash: Digest,
}

/// What was built and what it does.
#[derive(Debug)]
pub(super) struct Memo {
    pub(super) parent: Digest,
    view: View,
    evidence: Vec<Evidence>,
    signed: Vec<Arc<VerifiedTransaction>>,
    outcome: Outcome,
}

impl Memo {
    /// The outcome of these transactions, if they are the ones that were built.
    pub(super) fn outcome_of(
        &self,
        parent: &Digest,
        view: View,
        transactions: &[Transaction],
    ) -> Option<&Outcome> {
        let (evidence, signed) = transactions.split_at_checked(self.evidence.len())?;
        let same = self.parent == *parent
            && self.view == view
            && signed.len() == self.signed.len()
            && evidence.iter().zip(&self.evidence).all(|(transaction, built)| {
                matches!(transaction, Transaction::Evidence(evidence) if **evidence == *built)
            })
            && signed.iter().zip(&self.signed).all(|(transaction, built)| {
                matches!(transaction, Transaction::Signed(signed) if signed == built.transaction())
            });
        same.then_some(&self.outcome)
    }
}

/// Length that the choice between kinds of transaction adds to the encoding of one.
const TRANSACTION_TAG_BYTES: usize = 4;

impl Ledger {
    /// Builds on an executed (or committed) parent: takes what evidence counts, then the candidates
    /// that execute, and skips the others. No candidates give an empty block.
    ///
    /// # Errors
    /// [`InvalidBlock::UnknownParent`], and [`InvalidBlock::MisplacedKind`] for a seal that is not
    /// above a barrier or anything else that is above a seal.
    pub fn build(
        &mut self,
        task: &BuildTask<'_>,
        candidates: impl IntoIterator<Item = Arc<VerifiedTransaction>>,
        limits: &BuildLimits,
    ) -> Result<Built, InvalidBlock> {
        let parent = self.version(&task.parent).ok_or(InvalidBlock::UnknownParent)?;
        let memo = match task.kind {
            BuildKind::Seal => Memo {
                parent: task.parent,
                view: task.view,
                evidence: Vec::new(),
                signed: Vec::new(),
                outcome: Outcome::seal(parent),
            },
            BuildKind::Ordinary => self.choose(parent, task, candidates, limits),
        };
        parent.check_child_kind(memo.outcome.kind)?;
        let transactions: Vec<Transaction> = memo
            .evidence
            .iter()
            .map(|evidence| Transaction::Evidence(Box::new(evidence.clone())))
            .chain(
                memo.signed.iter().map(|signed| Transaction::Signed(signed.transaction().clone())),
            )
            .collect();
        let built = Built {
            kind: memo.outcome.kind,
            timestamp_ms: task.now_ms.max(parent.tip.timestamp_ms.saturating_add(1)),
            transactions,
            transactions_root: List::Transactions.root(&memo.outcome.executed.transactions),
            receipts_root: memo.outcome.receipts_root,
            state_root: memo.outcome.state.root(),
            next_validators_hash: memo.outcome.next_validators_hash,
        };
        self.built = Some(memo);
        Ok(built)
    }

    fn choose(
        &self,
        parent: &Overlay,
        task: &BuildTask<'_>,
        candidates: impl IntoIterator<Item = Arc<VerifiedTransaction>>,
        limits: &BuildLimits,
    ) -> Memo {
        let context = BlockContext {
            chain_id: self.chain_id,
            parent: (&parent.tip).into(),
            view: task.view,
            verifier: self.verifier.as_ref(),
        };
        let mut executor = Executor::new(&parent.state, context, self.charter);
        let mut hashes = Vec::new();
        let most = limits.transactions.min(Block::MAX_TRANSACTIONS);
        let mut room = limits.transaction_bytes.min(Block::MAX_TRANSACTION_BYTES);
        let mut evidence = Vec::new();
        for piece in task.evidence {
            let len = crate::codec::encode(piece).len() + TRANSACTION_TAG_BYTES;
            let hash = piece.hash(&self.chain_id);
            if hashes.len() < most && len <= room && executor.apply_evidence(piece, hash).is_ok() {
                room -= len;
                hashes.push(hash);
                evidence.push(piece.clone());
            }
        }
        let mut signed = Vec::new();
        for candidate in candidates {
            if hashes.len() >= most {
                break;
            }
            let len = candidate.encoded_len() + TRANSACTION_TAG_BYTES;
            if len <= room
                && executor.apply_signed(candidate.transaction(), candidate.hash()).is_ok()
            {
                room -= len;
                hashes.push(candidate.hash());
                signed.push(candidate);
            }
        }
        let outcome = Outcome::new(&self.chain_id, parent, executor.finish(), hashes);
        Memo { parent: task.parent, view: task.view, evidence, signed, outcome }
    }
}
