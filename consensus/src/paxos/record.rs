//! An acceptor's memory: what must be on disk before a promise or an acceptance leaves.

use bincode::{Decode, Encode};
use chain::codec::Bounded;
use chain::types::{Digest, Epoch, Height, View};

use super::single::{Accepted, Acceptor, Rules};

/// A block accepted in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Entry {
    pub slot: Height,
    pub ballot: View,
    pub block: Digest,
    pub parent: Digest,
}

/// One [`Acceptor`] per slot, of one epoch. The promise is for all slots at once.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Record {
    pub epoch: Epoch,
    pub promised: View,
    /// Up to here everything was final on this disk once, and what was accepted is forgotten.
    pub floor: Height,
    /// In ascending slots, at most one each, above the floor.
    pub accepted: Vec<Entry>,
}

impl Bounded for Record {
    const MAX_BYTES: usize = 256 * 1024;
}

impl Record {
    /// An acceptor that has promised nothing in this epoch: its first view is nobody's ballot.
    pub fn new(epoch: Epoch, first_view: View) -> Self {
        Self { epoch, promised: first_view, floor: Height::default(), accepted: Vec::new() }
    }

    /// What is accepted in a slot.
    pub fn at(&self, slot: Height) -> Option<&Entry> {
        self.accepted.iter().find(|entry| entry.slot == slot)
    }

    /// The acceptor of one slot.
    fn acceptor(&self, slot: Height) -> Acceptor<(Digest, Digest)> {
        let accepted = self
            .at(slot)
            .map(|entry| Accepted { ballot: entry.ballot, value: (entry.block, entry.parent) });
        Acceptor { promised: self.promised, accepted }
    }

    /// A1: promises for all slots, if the ballot is high enough: one slot stands for all.
    pub fn promise<R: Rules>(&mut self, ballot: View) -> bool {
        let mut acceptor = self.acceptor(Height::default());
        let promised = acceptor.handle_prepare::<R>(ballot).is_some();
        self.promised = acceptor.promised;
        promised
    }

    /// A5: accepts a block in its slot, if nothing higher is promised.
    pub fn accept<R: Rules>(&mut self, entry: Entry) -> bool {
        let mut acceptor = self.acceptor(entry.slot);
        if !acceptor.handle_accept::<R>(entry.ballot, (entry.block, entry.parent)) {
            return false;
        }
        self.promised = acceptor.promised;
        self.accepted.retain(|held| held.slot != entry.slot);
        let place = self.accepted.partition_point(|held| held.slot < entry.slot);
        self.accepted.insert(place, entry);
        true
    }

    /// Forgets what is final on disk.
    pub fn prune(&mut self, durable: Height) {
        self.floor = self.floor.max(durable);
        self.accepted.retain(|entry| entry.slot > durable);
    }
}
