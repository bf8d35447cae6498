//! Changes on top of a state, collected before the tree is hashed.

use std::collections::BTreeMap;

use crate::access::Roles;
use crate::governance::{GovernanceRecord, Parameters, Proposal, ProposalId, RecentBlock};
use crate::namespace::Namespace;
use crate::state::State;
use crate::state::record::{Account, Change, Entry, RecordKey, RecordValue};
use crate::types::{Address, Digest, Height};

/// A record's key with its place in the tree, hashed once.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    key: RecordKey,
    hash: Digest,
}

impl Slot {
    pub(crate) fn new(key: RecordKey) -> Self {
        let hash = key.hash();
        Self { key, hash }
    }

    pub(crate) fn hash(&self) -> &Digest {
        &self.hash
    }

    pub(crate) fn account(address: Address) -> Self {
        Self::new(RecordKey::Account(address))
    }

    pub(crate) fn entry(key: &[u8]) -> Self {
        Self::new(RecordKey::Entry(key.to_vec()))
    }
}

/// A state that is being changed. The state underneath stays as it is.
#[derive(Debug)]
pub(crate) struct Draft<'a> {
    base: &'a State,
    writes: BTreeMap<Digest, Change>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(base: &'a State) -> Self {
        Self { base, writes: BTreeMap::new() }
    }

    /// The state underneath.
    pub(crate) fn base(&self) -> &'a State {
        self.base
    }

    fn get(&self, slot: &Slot) -> Option<&RecordValue> {
        match self.writes.get(&slot.hash) {
            Some((_, value)) => value.as_ref(),
            None => self.base.get_at(&slot.hash),
        }
    }

    pub(crate) fn account_at(&self, slot: &Slot) -> Account {
        match self.get(slot) {
            Some(RecordValue::Account(account)) => *account,
            _ => Account::default(),
        }
    }

    fn read(&self, key: RecordKey) -> Option<&RecordValue> {
        self.get(&Slot::new(key))
    }

    /// The rules as they are now.
    pub(crate) fn parameters(&self) -> Parameters {
        match self.read(RecordKey::Parameters) {
            Some(RecordValue::Parameters(parameters)) => *parameters,
            _ => unreachable!("every state has parameters, and none are removed"),
        }
    }

    pub(crate) fn roles(&self, address: Address) -> Roles {
        match self.read(RecordKey::Roles(address)) {
            Some(RecordValue::Roles(roles)) => *roles,
            _ => Roles::default(),
        }
    }

    pub(crate) fn governance(&self) -> GovernanceRecord {
        match self.read(RecordKey::Governance) {
            Some(RecordValue::Governance(record)) => record.clone(),
            _ => GovernanceRecord::default(),
        }
    }

    pub(crate) fn proposal(&self, id: ProposalId) -> Option<&Proposal> {
        match self.read(RecordKey::Proposal(id)) {
            Some(RecordValue::Proposal(proposal)) => Some(proposal),
            _ => None,
        }
    }

    /// One of the last blocks, below the one that is being executed.
    pub(crate) fn recent(&self, height: Height) -> Option<&RecentBlock> {
        match self.read(RecordKey::recent(height)) {
            Some(RecordValue::Recent(block)) if block.height == height => Some(block),
            _ => None,
        }
    }

    pub(crate) fn entry_at(&self, slot: &Slot) -> Option<&Entry> {
        match self.get(slot) {
            Some(RecordValue::Entry(entry)) => Some(entry),
            _ => None,
        }
    }

    pub(crate) fn namespace_at(&self, slot: &Slot) -> Option<&Namespace> {
        match self.get(slot) {
            Some(RecordValue::Namespace(namespace)) => Some(namespace),
            _ => None,
        }
    }

    pub(crate) fn set(&mut self, slot: Slot, value: RecordValue) {
        debug_assert!(slot.key.fits(&value), "{:?} cannot hold {value:?}", slot.key);
        self.writes.insert(slot.hash, (slot.key, Some(value)));
    }

    /// Writes a record that no slot was made for before.
    pub(crate) fn put(&mut self, key: RecordKey, value: RecordValue) {
        self.set(Slot::new(key), value);
    }

    /// Removes such a record.
    pub(crate) fn erase(&mut self, key: RecordKey) {
        self.remove(Slot::new(key));
    }

    pub(crate) fn remove(&mut self, slot: Slot) {
        self.writes.insert(slot.hash, (slot.key, None));
    }

    /// The state with the changes, and the changes in the order of their key hashes.
    pub(crate) fn finish(self) -> (State, Vec<Change>) {
        let state = self.base.with(&self.writes);
        (state, self.writes.into_values().collect())
    }
}
