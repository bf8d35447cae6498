//! What a block's transactions do to the state.
//!
//! Execution is total: any transactions give a verdict, none a panic. What a proposer could have
//! seen beforehand (a used nonce, an expired or malformed transaction, evidence that does not count)
//! makes the whole block invalid, so a (sender, nonce) is on the chain at most once. What depends on
//! the transactions before (a balance, a compared value) gives a receipt that says it failed; its
//! nonce is used all the same. Signatures are not checked here: see [`crate::ledger`].

mod accounts;
mod entries;
mod evidence;
mod governance;
mod namespaces;
mod transfers;

pub use evidence::evidence_counts;
pub use governance::{AsWritten, Charter};

use std::collections::BTreeSet;

use crate::access::AccessMode;
use crate::crypto::Verifier;
use crate::governance::RecentBlock;
use crate::receipt::{FailureReason, Outcome, Receipt};
use crate::state::{Account, ChainRecord, Change, Draft, RecordKey, RecordValue, Slot, State};
use crate::transaction::{Body, MalformedTransaction, SignedTransaction, Transaction};
use crate::types::{Address, Digest, Height, View};
use crate::validator::ValidatorSet;

/// What execution needs to know of the block.
#[derive(Clone, Copy)]
pub struct BlockContext<'a> {
    pub chain_id: Digest,
    /// The block below, which the state comes to remember.
    pub parent: RecentBlock,
    /// A barrier's next set starts in the view after it.
    pub view: View,
    /// Judges the signatures inside evidence.
    pub verifier: &'a dyn Verifier,
}

impl BlockContext<'_> {
    /// Height of the block.
    pub fn height(&self) -> Height {
        self.parent.height.next()
    }
}

impl std::fmt::Debug for BlockContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockContext")
            .field("height", &self.height())
            .field("view", &self.view)
            .finish_non_exhaustive()
    }
}

/// What executing a list of transactions showed.
#[derive(Clone, Debug)]
pub struct Execution {
    pub state: State,
    /// One per transaction, in their order.
    pub receipts: Vec<Receipt>,
    /// Every record that differs from the state before, in the order of the key hashes.
    pub changes: Vec<Change>,
    /// The set of the next epoch, where evidence or governance ended this one: the block is a
    /// barrier.
    pub next_validators: Option<ValidatorSet>,
}

/// A transaction that no block may contain at this place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transaction {index}: {reason}")]
pub struct InvalidTransaction {
    pub index: usize,
    pub reason: InvalidReason,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReason {
    #[error(transparent)]
    Malformed(#[from] MalformedTransaction),
    #[error("it expired at height {expiry}, before {height}")]
    Expired { expiry: Height, height: Height },
    #[error("its nonce is {found} where {expected} is next")]
    WrongNonce { found: u64, expected: u64 },
    #[error("its sender has used up all nonces")]
    NoncesUsedUp,
    #[error("it is not signed with the key of its account")]
    WrongKey,
    #[error("its sender is no member")]
    NotAMember,
    #[error("its evidence does not count")]
    EvidenceDoesNotCount,
    #[error("its evidence stands behind a transaction of an account")]
    EvidenceNotFirst,
}

/// Executes the transactions of a block.
///
/// # Errors
/// [`InvalidTransaction`] for the first that makes the block invalid.
pub fn execute(
    state: &State,
    context: &BlockContext<'_>,
    transactions: &[Transaction],
) -> Result<Execution, InvalidTransaction> {
    let hashes: Vec<Digest> =
        transactions.iter().map(|transaction| transaction.hash(&context.chain_id)).collect();
    execute_hashed(state, context, &AsWritten, transactions, &hashes)
}

/// [`execute`] under a charter, where the hashes of the transactions are known.
pub(crate) fn execute_hashed(
    state: &State,
    context: &BlockContext<'_>,
    charter: &dyn Charter,
    transactions: &[Transaction],
    hashes: &[Digest],
) -> Result<Execution, InvalidTransaction> {
    let mut executor = Executor::new(state, *context, charter);
    for (index, (transaction, hash)) in transactions.iter().zip(hashes).enumerate() {
        let applied = match transaction {
            Transaction::Signed(signed) => executor.apply_signed(signed, *hash),
            Transaction::Evidence(evidence) => executor.apply_evidence(evidence, *hash),
        };
        applied.map_err(|reason| InvalidTransaction { index, reason })?;
    }
    Ok(executor.finish())
}

/// Executes transactions one after the other. One that is refused leaves no trace.
#[derive(Debug)]
pub(crate) struct Executor<'a> {
    context: BlockContext<'a>,
    charter: &'a dyn Charter,
    draft: Draft<'a>,
    receipts: Vec<Receipt>,
    next_validators: Option<ValidatorSet>,
    /// The rule as it is now: an earlier transaction may have changed it.
    access: AccessMode,
    /// Whether a transaction of an account was executed: no evidence may follow.
    signed: bool,
    /// Names before the first `/` of the keys that were written: none becomes a namespace.
    names_in_use: BTreeSet<Vec<u8>>,
}

impl<'a> Executor<'a> {
    pub(crate) fn new(
        state: &'a State,
        context: BlockContext<'a>,
        charter: &'a dyn Charter,
    ) -> Self {
        let mut draft = Draft::new(state);
        let parent = context.parent;
        draft.put(RecordKey::recent(parent.height), RecordValue::Recent(parent));
        Self {
            context,
            charter,
            draft,
            receipts: Vec::new(),
            next_validators: None,
            access: state.parameters().access,
            signed: false,
            names_in_use: BTreeSet::new(),
        }
    }

    /// # Errors
    /// [`InvalidReason`] where it must not be in the block.
    pub(crate) fn apply_signed(
        &mut self,
        transaction: &SignedTransaction,
        hash: Digest,
    ) -> Result<(), InvalidReason> {
        transaction.check_form(&self.context.chain_id)?;
        let payload = &transaction.payload;
        let height = self.context.height();
        if payload.expiry < height {
            return Err(InvalidReason::Expired { expiry: payload.expiry, height });
        }
        let address = transaction.sender();
        let slot = Slot::account(address);
        let mut sender = self.draft.account_at(&slot);
        if !sender.is_signed_by(payload) {
            return Err(InvalidReason::WrongKey);
        }
        if payload.nonce != sender.nonce {
            return Err(InvalidReason::WrongNonce { found: payload.nonce, expected: sender.nonce });
        }
        let by_members = self.access == AccessMode::Members;
        if by_members && !self.draft.is_member(&address, &payload.body, height) {
            return Err(InvalidReason::NotAMember);
        }
        sender.nonce = sender.nonce.checked_add(1).ok_or(InvalidReason::NoncesUsedUp)?;
        self.signed = true;
        self.draft.set(slot.clone(), RecordValue::Account(sender));
        let outcome = self.run(&payload.body, address, slot, sender);
        let outcome = outcome.unwrap_or_else(Outcome::Failed);
        self.receipts.push(Receipt { transaction: hash, outcome });
        Ok(())
    }

    /// Does what the body asks for, or nothing.
    fn run(
        &mut self,
        body: &Body,
        address: Address,
        slot: Slot,
        sender: Account,
    ) -> Result<Outcome, FailureReason> {
        match body {
            Body::Transfer { to, amount, .. } => {
                self.transfer(slot, sender, Slot::account(*to), *amount)?;
            }
            Body::Put { key, value } => return self.put(&address, key, value),
            Body::Delete { key } => self.delete(&address, key)?,
            Body::CompareAndSwap { key, expected, value } => {
                return self.compare_and_swap(&address, key, expected, value);
            }
            Body::Namespace(action) => self.change_namespace(&address, action)?,
            Body::RotateKey { new_key, possession } => {
                self.rotate_key(address, slot, sender, new_key, possession)?;
            }
            Body::Governance(action) => self.govern(action, &address)?,
        }
        Ok(Outcome::Success)
    }

    /// The state after the transactions, hashed.
    pub(crate) fn finish(mut self) -> Execution {
        if let Some(next) = &self.next_validators {
            let total_supply = self.draft.base().chain().total_supply;
            let chain = ChainRecord { epoch: next.epoch, total_supply };
            self.draft.put(RecordKey::Chain, RecordValue::Chain(chain));
            self.draft.put(
                RecordKey::Validators(next.epoch),
                RecordValue::Validators(Box::new(next.clone())),
            );
        }
        let (state, changes) = self.draft.finish();
        Execution { state, receipts: self.receipts, changes, next_validators: self.next_validators }
    }
}

#[cfg(test)]
mod tests;
