//! The authenticated state: accounts, the key-value store, the validator sets.
//!
//! docs/adr/0002-authenticated-state.md. A [`State`] is a value: cloning costs nothing, an update
//! makes a new one that shares what did not change, and abandoning one is dropping it. Everything
//! is in memory; a node stores changes and rebuilds the state with [`State::from_records`].

mod access;
mod activity;
mod draft;
mod proof;
mod record;
mod snapshot;
mod trie;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use imbl::OrdSet;

pub(crate) use draft::{Draft, Slot};
pub use proof::{PathEnd, StateProof};
pub use record::{Account, ChainRecord, Change, Entry, RecordKey, RecordValue};
pub use snapshot::{Assembly, Chunk, ChunkError, Cut, CutError, Part};

use crate::access::Roles;
use crate::governance::{GovernanceRecord, Parameters, Proposal, ProposalId};
use crate::namespace::Namespace;
use crate::types::{Address, Digest, Epoch};
use crate::validator::{ValidatorSet, ValidatorSetError};
use trie::{Leaf, Leaves, Node};

/// All records after some block.
///
/// Invariants: there is a [`ChainRecord`] and there are [`Parameters`]; the chain's epoch has a validator set that passes
/// [`ValidatorSet::check`]; every value is of its key's kind; the balances sum to the total supply.
#[derive(Clone, Debug)]
pub struct State {
    root: Option<Node>,
    /// The keys of the key-value store in order, for scans.
    entry_keys: OrdSet<Arc<[u8]>>,
}

/// Records that are not a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error("the record of {0:?} holds a value of another kind")]
    KindMismatch(RecordKey),
    #[error("the chain record is missing")]
    NoChainRecord,
    #[error("the parameters of the chain are missing")]
    NoParameters,
    #[error("the validator set of the current epoch {0} is missing")]
    NoValidators(Epoch),
    #[error("the validator set of the current epoch is unusable: {0}")]
    Validators(#[from] ValidatorSetError),
    #[error("the balances do not sum to the total supply")]
    Supply,
}

impl State {
    /// The state that holds exactly these records, in whatever order they come.
    ///
    /// # Errors
    /// [`StateError`] where an invariant does not hold. Whether these are the right records is for
    /// the caller to see, by the [`root`](Self::root).
    pub fn from_records(
        records: impl IntoIterator<Item = (RecordKey, RecordValue)>,
    ) -> Result<Self, StateError> {
        let mut writes: BTreeMap<Digest, Change> = BTreeMap::new();
        for (key, value) in records {
            if !key.fits(&value) {
                return Err(StateError::KindMismatch(key));
            }
            writes.insert(key.hash(), (key, Some(value)));
        }
        let state = Self { root: None, entry_keys: OrdSet::new() }.with(&writes);
        state.check()?;
        Ok(state)
    }

    fn check(&self) -> Result<(), StateError> {
        let Some(RecordValue::Chain(chain)) = self.get(&RecordKey::Chain) else {
            return Err(StateError::NoChainRecord);
        };
        self.validators_of(chain.epoch).ok_or(StateError::NoValidators(chain.epoch))?.check()?;
        if self.get(&RecordKey::Parameters).is_none() {
            return Err(StateError::NoParameters);
        }
        let sum = self.records().try_fold(0u128, |sum, (_, value)| match value {
            RecordValue::Account(account) => sum.checked_add(account.balance.get()),
            _ => Some(sum),
        });
        if sum == Some(chain.total_supply.get()) { Ok(()) } else { Err(StateError::Supply) }
    }

    /// The state after some changes, keyed by the hashes of their keys.
    fn with(&self, writes: &BTreeMap<Digest, Change>) -> Self {
        let mut entry_keys = self.entry_keys.clone();
        let mut updates: Vec<trie::Update> = Vec::with_capacity(writes.len());
        for (key_hash, (key, value)) in writes {
            if let RecordKey::Entry(name) = key {
                match value {
                    None => drop(entry_keys.remove(name.as_slice())),
                    Some(_) if entry_keys.contains(name.as_slice()) => {}
                    Some(_) => drop(entry_keys.insert(Arc::from(name.as_slice()))),
                }
            }
            let leaf = value
                .as_ref()
                .map(|value| Arc::new(Leaf::new(*key_hash, key.clone(), value.clone())));
            updates.push((*key_hash, leaf));
        }
        Self { root: trie::update(self.root.as_ref(), 0, &updates), entry_keys }
    }

    /// Commits to every record; the same records give the same root whatever their history.
    pub fn root(&self) -> Digest {
        trie::hash_of(self.root.as_ref())
    }

    pub fn get(&self, key: &RecordKey) -> Option<&RecordValue> {
        self.get_at(&key.hash())
    }

    fn get_at(&self, key_hash: &Digest) -> Option<&RecordValue> {
        trie::get(self.root.as_ref(), key_hash).map(|leaf| &leaf.value)
    }

    /// The account at an address; the default one where it was never used.
    pub fn account(&self, address: &Address) -> Account {
        self.account_at(&Slot::account(*address))
    }

    /// [`account`](Self::account) without hashing the address again.
    pub(crate) fn account_at(&self, slot: &Slot) -> Account {
        match self.get_at(slot.hash()) {
            Some(RecordValue::Account(account)) => *account,
            _ => Account::default(),
        }
    }

    /// A value of the key-value store.
    pub fn entry(&self, key: &[u8]) -> Option<&Entry> {
        match self.get(&RecordKey::Entry(key.to_vec())) {
            Some(RecordValue::Entry(entry)) => Some(entry),
            _ => None,
        }
    }

    /// Keys that start with `prefix` and come after `after`, in order, with their values. A page is
    /// `take(n)` of this; the next page starts after its last key.
    pub fn scan<'a>(
        &'a self,
        prefix: &'a [u8],
        after: Option<&'a [u8]>,
    ) -> impl Iterator<Item = (&'a [u8], &'a Entry)> + 'a {
        let start = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        self.entry_keys
            .range::<_, [u8]>((start, Bound::Unbounded))
            .take_while(move |key| key.starts_with(prefix))
            .filter_map(|key| Some((key.as_ref(), self.entry(key)?)))
    }

    /// How many keys the key-value store holds.
    pub fn entry_count(&self) -> usize {
        self.entry_keys.len()
    }

    /// Facts about the chain as a whole.
    pub fn chain(&self) -> ChainRecord {
        match self.get(&RecordKey::Chain) {
            Some(RecordValue::Chain(chain)) => *chain,
            _ => unreachable!("every state has a chain record: checked where it was made"),
        }
    }

    /// The rules that governance may change.
    pub fn parameters(&self) -> Parameters {
        match self.get(&RecordKey::Parameters) {
            Some(RecordValue::Parameters(parameters)) => *parameters,
            _ => unreachable!("every state has parameters: checked where it was made"),
        }
    }

    /// The roles that were granted to an address.
    pub fn roles(&self, address: &Address) -> Roles {
        match self.get(&RecordKey::Roles(*address)) {
            Some(RecordValue::Roles(roles)) => *roles,
            _ => Roles::default(),
        }
    }

    /// A namespace of the key-value store.
    pub fn namespace(&self, name: &[u8]) -> Option<&Namespace> {
        match self.get(&RecordKey::Namespace(name.to_vec())) {
            Some(RecordValue::Namespace(namespace)) => Some(namespace),
            _ => None,
        }
    }

    /// Where governance stands.
    pub fn governance(&self) -> GovernanceRecord {
        match self.get(&RecordKey::Governance) {
            Some(RecordValue::Governance(record)) => record.clone(),
            _ => GovernanceRecord::default(),
        }
    }

    /// Every proposal that has a record, the newest first.
    pub fn proposals(&self) -> impl Iterator<Item = &Proposal> {
        let GovernanceRecord { mut open, closed, .. } = self.governance();
        open.extend(closed);
        open.sort_unstable();
        open.into_iter().rev().filter_map(|id| self.proposal(id))
    }

    /// A proposal that still has a record.
    pub fn proposal(&self, id: ProposalId) -> Option<&Proposal> {
        match self.get(&RecordKey::Proposal(id)) {
            Some(RecordValue::Proposal(proposal)) => Some(proposal),
            _ => None,
        }
    }

    /// The set that votes on the next block.
    pub fn validators(&self) -> &ValidatorSet {
        self.validators_of(self.chain().epoch)
            .expect("the current epoch has a validator set: checked where it was made")
    }

    /// The set of an epoch up to the current one.
    pub fn validators_of(&self, epoch: Epoch) -> Option<&ValidatorSet> {
        match self.get(&RecordKey::Validators(epoch)) {
            Some(RecordValue::Validators(set)) => Some(set),
            _ => None,
        }
    }

    /// Every record, in the order of their key hashes.
    pub fn records(&self) -> impl Iterator<Item = (&RecordKey, &RecordValue)> {
        Leaves::new(self.root.as_ref()).map(|leaf| (&leaf.key, &leaf.value))
    }

    /// Proof of what this state holds under a key, be it nothing.
    pub fn prove(&self, key: &RecordKey) -> StateProof {
        let (siblings, leaf) = trie::path(self.root.as_ref(), &key.hash());
        let end = leaf.map_or(PathEnd::Empty, |leaf| PathEnd::Leaf {
            key_hash: leaf.key_hash,
            value_hash: leaf.value.hash(),
        });
        StateProof { siblings, end }
    }
}

#[cfg(test)]
mod tests;
