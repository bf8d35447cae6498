//! The last look before a promise leaves: no key of this node says two things that exclude each other.
//!
//! The engine and its safety record see to that; this does not trust them. It stands between driver and
//! network, knows nothing of any protocol but where honest keys say one thing and never another, and
//! stops the node before a second thing leaves. It remembers the last [`KEPT`] statements, and from
//! before the start what the record says of the newest vote.

use std::collections::{BTreeMap, VecDeque};

use chain::certificate::{Position, VoteKind};
use chain::crypto::PublicKey;
use chain::types::{Digest, Epoch, ValidatorIndex};
use chain::validator::ValidatorSet;
use consensus::driver::Outbox;
use consensus::engine::{Promised, Recipients};
use consensus::message::{EngineMessage, Slot};

/// Statements that are remembered: some seconds of the fastest chain. What is older, the record holds.
const KEPT: usize = 16 * 1024;

/// How the last words of a node begin that its guard stops.
pub const GUARDED: &str = "the safety guard stops the node";

/// An outbox that contradictions do not leave.
pub(super) struct Guard<M> {
    next: Box<dyn Outbox<M> + Send>,
    chain_id: Digest,
    key: PublicKey,
    /// Where the key sits, and in which epoch.
    seat: Option<(ValidatorIndex, Epoch)>,
    said: BTreeMap<Slot, Digest>,
    /// The slots of `said`, oldest first.
    order: VecDeque<Slot>,
}

impl<M> Guard<M> {
    /// In front of an outbox, for a key that has promised so much before.
    pub(super) fn new(
        next: Box<dyn Outbox<M> + Send>,
        chain_id: Digest,
        key: PublicKey,
        promised: Option<&Promised>,
    ) -> Self {
        let (said, order) = (BTreeMap::new(), VecDeque::new());
        let mut guard = Self { next, chain_id, key, seat: None, said, order };
        if let Some(Promised { epoch, voted: Some(voted), .. }) = promised {
            let position = Position { epoch: *epoch, view: voted.view, height: voted.height };
            guard.note(Slot::Vote(VoteKind::Prepare, position), voted.block);
        }
        guard
    }

    /// # Panics
    /// Where another thing was said in the slot.
    fn note(&mut self, slot: Slot, what: Digest) {
        match self.said.get(&slot) {
            Some(before) => assert_eq!(
                *before, what,
                "{GUARDED}: it was about to say two things in {slot:?}. \
                 Nothing contradictory left it. Keep its data, and report this"
            ),
            None => {
                self.said.insert(slot, what);
                self.order.push_back(slot);
            }
        }
        if self.order.len() > KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.said.remove(&oldest);
        }
    }
}

impl<M: EngineMessage> Outbox<M> for Guard<M> {
    fn send(&mut self, to: Recipients, message: &M) {
        if let Some((me, epoch)) = self.seat {
            let chain_id = self.chain_id;
            message.statements(me, &chain_id, &mut |slot, what| {
                // In another epoch the seat is another's, whose two words this node may pass on.
                if epoch_of(&slot).is_none_or(|of| of == epoch) {
                    self.note(slot, what);
                }
            });
        }
        self.next.send(to, message);
    }

    fn seat(&mut self, sets: &[ValidatorSet]) {
        let set = sets.first();
        self.seat = set.and_then(|set| Some((set.index_of(&self.key)?, set.epoch)));
        self.next.seat(sets);
    }
}

/// The epoch in which a slot is; terms of Raft go on across epochs.
const fn epoch_of(slot: &Slot) -> Option<Epoch> {
    match slot {
        Slot::Proposal(position) | Slot::Vote(_, position) => Some(position.epoch),
        Slot::ViewChange(epoch, _) | Slot::NewView(epoch, _) | Slot::ViewAck(epoch, _) => {
            Some(*epoch)
        }
        Slot::Election(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use chain::certificate::{Ballot, Vote};
    use chain::crypto::{Keypair, Signer as _};
    use chain::types::{Height, View};
    use chain::validator::Validator;
    use consensus::engine::Voted;
    use consensus::hybrid::Message;
    use consensus::hybrid::message::Votes;

    use super::*;

    const CHAIN: Digest = Digest([1; 32]);

    #[derive(Clone, Default)]
    struct Sent(Arc<Mutex<usize>>);

    impl Outbox<Message> for Sent {
        fn send(&mut self, _: Recipients, _: &Message) {
            *self.0.lock().unwrap() += 1;
        }

        fn seat(&mut self, _: &[ValidatorSet]) {}
    }

    fn key() -> Keypair {
        Keypair::from_seed(&[7; 32])
    }

    fn guard(promised: Option<&Promised>) -> (Guard<Message>, Sent) {
        let sent = Sent::default();
        let mut guard = Guard::new(Box::new(sent.clone()), CHAIN, key().public(), promised);
        let validator = |seed| Validator {
            consensus_key: Keypair::from_seed(&[seed; 32]).public(),
            network_key: Keypair::from_seed(&[seed + 50; 32]).public(),
            governance_key: Keypair::from_seed(&[seed + 100; 32]).public(),
            jailed: false,
            accused: false,
            since: Epoch::default(),
        };
        let set = ValidatorSet::new(Epoch::default(), View::default(), 0, [6, 7].map(validator));
        guard.seat(&[set]);
        (guard, sent)
    }

    fn vote(height: u64, block: u8) -> Message {
        let position =
            Position { epoch: Epoch::default(), view: View::new(3), height: Height::new(height) };
        let ballot = Ballot { kind: VoteKind::Prepare, position, block: Digest([block; 32]) };
        let (voter, signature) = (ValidatorIndex::new(1), key().sign(&ballot.digest(&CHAIN)));
        let votes = vec![Vote { ballot, voter, signature }];
        Message::Votes(Votes { votes, header: None, again: false })
    }

    #[test]
    fn the_same_thing_may_be_said_again() {
        let (mut guard, sent) = guard(None);
        for height in 1..KEPT as u64 + 100 {
            guard.send(Recipients::Others, &vote(height, 1));
            guard.send(Recipients::Others, &vote(height, 1));
        }
        assert_eq!(*sent.0.lock().unwrap(), 2 * (KEPT + 99));
        assert_eq!((guard.said.len(), guard.order.len()), (KEPT, KEPT));
    }

    #[test]
    fn a_second_vote_does_not_leave() {
        let (mut guard, sent) = guard(None);
        guard.send(Recipients::Others, &vote(5, 1));
        let second = std::panic::AssertUnwindSafe(|| guard.send(Recipients::Others, &vote(5, 2)));
        assert!(std::panic::catch_unwind(second).is_err());
        assert_eq!(*sent.0.lock().unwrap(), 1);
    }

    #[test]
    fn the_newest_vote_before_a_restart_counts() {
        let voted = Voted { view: View::new(3), height: Height::new(5), block: Digest([1; 32]) };
        let (epoch, view, led) = (Epoch::default(), View::new(3), None);
        let promised = Promised { epoch, view, led, voted: Some(voted) };
        let (mut guard, sent) = guard(Some(&promised));
        guard.send(Recipients::Others, &vote(5, 1));
        let second = std::panic::AssertUnwindSafe(|| guard.send(Recipients::Others, &vote(5, 2)));
        assert!(std::panic::catch_unwind(second).is_err());
        assert_eq!(*sent.0.lock().unwrap(), 1);
    }
}
