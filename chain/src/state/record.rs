//! What the state consists of, and how it is encoded and hashed.

use bincode::{Decode, Encode};

use crate::access::Roles;
use crate::codec::Bounded;
use crate::crypto::{Domain, Hasher, PublicKey};
use crate::governance::{
    GovernanceRecord, Parameters, Proposal, ProposalId, RECENT_BLOCKS, RecentBlock,
};
use crate::namespace::Namespace;
use crate::transaction::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
use crate::types::{Address, Amount, Digest, Epoch, Height};
use crate::validator::ValidatorSet;

/// Names one record of the state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum RecordKey {
    /// The one record about the chain as a whole.
    Chain,
    Account(Address),
    /// A key of the key-value store.
    Entry(Vec<u8>),
    /// The validator set of an epoch, past ones included: evidence is judged by them.
    Validators(Epoch),
    /// The rules that governance may change.
    Parameters,
    /// Where governance stands.
    Governance,
    Proposal(ProposalId),
    /// The roles of an address.
    Roles(Address),
    /// A namespace of the key-value store, by name.
    Namespace(Vec<u8>),
    /// One of the last blocks, by its height modulo [`RECENT_BLOCKS`].
    Recent(u64),
}

impl Bounded for RecordKey {
    const MAX_BYTES: usize = 4 + 8 + MAX_KEY_BYTES;
}

impl RecordKey {
    /// The record of the last block whose height this is, and of the one [`RECENT_BLOCKS`] above.
    pub const fn recent(height: Height) -> Self {
        Self::Recent(height.get() % RECENT_BLOCKS)
    }

    /// Where the record stands in the tree.
    pub fn hash(&self) -> Digest {
        Hasher::new(Domain::StateKey).value(self).finish()
    }

    /// Whether a value is of the kind that this key names.
    pub fn fits(&self, value: &RecordValue) -> bool {
        match (self, value) {
            (Self::Chain, RecordValue::Chain(_))
            | (Self::Account(_), RecordValue::Account(_))
            | (Self::Entry(_), RecordValue::Entry(_)) => true,
            (Self::Validators(epoch), RecordValue::Validators(set)) => set.epoch == *epoch,
            (Self::Proposal(id), RecordValue::Proposal(proposal)) => proposal.id == *id,
            (Self::Recent(_), RecordValue::Recent(block)) => *self == Self::recent(block.height),
            (Self::Parameters, RecordValue::Parameters(_))
            | (Self::Governance, RecordValue::Governance(_))
            | (Self::Roles(_), RecordValue::Roles(_))
            | (Self::Namespace(_), RecordValue::Namespace(_)) => true,
            _ => false,
        }
    }
}

/// The content of one record of the state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RecordValue {
    Chain(ChainRecord),
    Account(Account),
    Entry(Entry),
    Validators(Box<ValidatorSet>),
    Parameters(Parameters),
    Governance(GovernanceRecord),
    Proposal(Box<Proposal>),
    Roles(Roles),
    Namespace(Namespace),
    Recent(RecentBlock),
}

impl Bounded for RecordValue {
    const MAX_BYTES: usize = 32 + MAX_VALUE_BYTES;
}

impl RecordValue {
    pub fn hash(&self) -> Digest {
        Hasher::new(Domain::StateValue).value(self).finish()
    }
}

/// A changed record: its new value, or `None` where it was removed.
pub type Change = (RecordKey, Option<RecordValue>);

/// Facts about the chain as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ChainRecord {
    /// The current epoch: its validators vote on the next block.
    pub epoch: Epoch,
    /// Sum of all balances, fixed by the genesis.
    pub total_supply: Amount,
}

/// An account. One that was never used equals the default and has no record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Account {
    pub balance: Amount,
    /// How many transactions of the account were executed: the nonce of the next one.
    pub nonce: u64,
    /// The key that signs for the account; `None`: the one that its address is made from.
    pub key: Option<PublicKey>,
}

/// A value of the key-value store.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    pub value: Vec<u8>,
    /// 1 for the first write of the key and one more with each; a deleted key starts anew.
    pub version: u64,
}
