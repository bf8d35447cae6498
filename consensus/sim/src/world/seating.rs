//! Who sits where, as one node's engine says: what a roster of peers is to a real node.

use std::cell::RefCell;
use std::rc::Rc;

use chain::crypto::PublicKey;
use chain::types::ValidatorIndex;
use chain::validator::ValidatorSet;

/// Shared between a node's inbox and its outbox: it changes in the middle of a turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Seating(Rc<RefCell<Vec<ValidatorSet>>>);

impl Seating {
    pub(super) fn seat(&self, sets: &[ValidatorSet]) {
        *self.0.borrow_mut() = sets.to_vec();
    }

    /// The seat that a key speaks from.
    pub(super) fn index_of(&self, key: &PublicKey) -> Option<ValidatorIndex> {
        self.0.borrow().iter().find_map(|set| set.index_of(key))
    }

    /// Who sits there.
    pub(super) fn holder(&self, index: ValidatorIndex) -> Option<PublicKey> {
        self.0.borrow().iter().find_map(|set| Some(set.get(index)?.consensus_key))
    }

    /// Everybody but this one, in the order of their seats.
    pub(super) fn others(&self, me: &PublicKey) -> Vec<(ValidatorIndex, PublicKey)> {
        let sets = self.0.borrow();
        let members = sets.iter().flat_map(ValidatorSet::members);
        let keys = members.map(|(index, member)| (index, member.consensus_key));
        let mut others: Vec<_> = keys.filter(|(_, key)| key != me).collect();
        others.sort_by_key(|(index, _)| *index);
        others.dedup();
        others
    }
}
