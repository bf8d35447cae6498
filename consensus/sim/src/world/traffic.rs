//! Messages on their way: what leaves a node, what a link holds back, what arrives.

use std::rc::Rc;

use chain::codec;
use chain::crypto::PublicKey;
use chain::types::ValidatorIndex;
use consensus::engine::{Engine, Time};
use consensus::message::EngineMessage;

use super::node::Sent;
use super::{Action, World};
use crate::byzantine::Said;
use crate::invariants::Observation;
use crate::trace::{Happening, Place};

/// Most messages that all clogged links together hold back; what comes on top is lost.
const MAX_HELD: usize = 20_000;

/// A message about to travel, shown to a [`World::set_tap`].
#[derive(Debug)]
pub struct Envelope<'a, M> {
    pub now: Time,
    pub from: usize,
    pub to: usize,
    pub message: &'a M,
}

/// A script's say in which messages travel: false drops it.
pub type Tap<M> = Box<dyn FnMut(&Envelope<'_, M>) -> bool>;

/// A message that waits for the release of its link.
pub(super) struct Held<M> {
    from: usize,
    to: usize,
    letter: Letter<M>,
}

/// A message with what the network needs to know of it.
pub(super) struct Letter<M> {
    pub(super) message: Rc<M>,
    /// Tells it from others in the trace.
    pub(super) fingerprint: u64,
    pub(super) bytes: usize,
}

impl<M> Clone for Letter<M> {
    fn clone(&self) -> Self {
        Self { message: Rc::clone(&self.message), ..*self }
    }
}

impl<M: EngineMessage> Letter<M> {
    pub(super) fn new(message: M) -> Self {
        let encoding = codec::encode(&message);
        let (fingerprint, bytes) = (fingerprint(&encoding), encoding.len());
        Self { message: Rc::new(message), fingerprint, bytes }
    }
}

/// A mix of the bytes, eight at a time: nobody attacks the trace, so it need not be a hash that
/// withstands one.
fn fingerprint(bytes: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain(std::iter::once(&last)).map(|word| u64::from_le_bytes(*word));
    words.fold(bytes.len() as u64, |state, word| {
        let mixed = (state ^ word).wrapping_mul(FACTOR);
        (mixed ^ (mixed >> 32)).rotate_left(23)
    })
}

impl<E: Engine> World<E> {
    /// Asks a script about every message before it travels.
    pub fn set_tap(&mut self, tap: Tap<E::Message>) {
        self.tap = Some(tap);
    }

    pub fn clear_tap(&mut self) {
        self.tap = None;
    }

    /// A message from outside the simulated validators' own engines, in the name of the node of
    /// this number, for scripts.
    pub fn inject(&mut self, from: ValidatorIndex, to: usize, message: E::Message) {
        let (letter, from) = (Letter::new(message), self.nodes[from.as_usize()].key);
        self.deliver_at(self.now, from, to, &letter);
    }

    fn deliver_at(&mut self, at: Time, from: PublicKey, to: usize, letter: &Letter<E::Message>) {
        let (message, fingerprint) = (Rc::clone(&letter.message), letter.fingerprint);
        self.schedule(at, Action::Deliver { to, from, message, fingerprint });
    }

    fn hold(&mut self, from: usize, to: usize, letter: &Letter<E::Message>) {
        self.trace.line(self.now, || format!("n{from} -> n{to} held {:?}", letter.message));
        let lost = self.held.len() >= MAX_HELD;
        self.tell_sent(from, to, letter, None, lost);
        if !lost {
            self.held.push(Held { from, to, letter: letter.clone() });
        }
    }

    fn tell_sent(
        &mut self,
        from: usize,
        to: usize,
        letter: &Letter<E::Message>,
        arrives: Option<Time>,
        lost: bool,
    ) {
        let (sender, chain_id) = (self.nodes[from].validator, &self.genesis.chain_id);
        self.trace.tell(self.now, || Happening::Send {
            node: from,
            from,
            to,
            message: letter.message.kind(),
            bytes: letter.bytes,
            place: Place::of(letter.message.as_ref(), sender, chain_id),
            arrives,
            lost,
        });
    }

    /// Sends what the clogged links among these pairs held back, in its order.
    pub(super) fn release(&mut self, pairs: impl Fn(usize, usize) -> bool) {
        for from in 0..self.nodes.len() {
            for to in (0..self.nodes.len()).filter(|to| pairs(from, *to)) {
                self.network.set_clogged(from, to, false);
            }
        }
        let (free, held): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|held| pairs(held.from, held.to));
        self.held = held;
        for Held { from, to, letter } in free {
            let sender = self.nodes[from].key;
            for at in self.network.arrivals(from, to, self.now, letter.bytes).iter() {
                self.deliver_at(at, sender, to, &letter);
            }
        }
    }

    /// Sends what the node's validator says: its engine's words, or those of the liar before it.
    pub(super) fn send(&mut self, node: usize, departure: Time, sent: Sent<E::Message>) {
        let Sent { from: me, to: recipients, message, .. } = sent;
        if self.is_honest(node) {
            let chain_id = self.genesis.chain_id;
            let (invariants, now) = (&mut self.invariants, self.now);
            let validator = self.nodes[node].validator;
            if let Some(me) = me {
                message.statements(me, &chain_id, &mut |slot, digest| {
                    invariants.observe(now, &Observation::Stated { validator, slot, digest });
                });
            }
            for block in message.proposals() {
                let own = Some(block.header.proposer) == me;
                self.invariants.observe(now, &Observation::Proposed { node, block, own });
            }
            for certificate in message.certificates() {
                self.invariants.observe(now, &Observation::Certified { node, certificate });
            }
        }
        self.record.proposed(departure, message.proposals());
        // A liar that sits nowhere has nothing to lie about.
        let (Some((behaviour, hand)), Some(me)) = (self.nodes[node].liar(), me) else {
            let letter = Letter::new(message);
            for (_, to) in recipients {
                self.post(node, departure, &to, &letter);
            }
            return;
        };
        hand.me = me;
        let mut said = Vec::new();
        for (to, _) in &recipients {
            behaviour.send(*to, &message, hand, &mut said);
        }
        for Said { to, delay, message } in said {
            if let Some(to) = self.nodes[node].seating.holder(to) {
                self.post(node, departure + delay, &to, &Letter::new(message));
            }
        }
    }

    /// Puts one message on the way to every node of a validator.
    fn post(&mut self, from: usize, departure: Time, to: &PublicKey, letter: &Letter<E::Message>) {
        let sender = self.nodes[from].key;
        let message = letter.message.as_ref();
        self.record.counters.sent(message.kind(), letter.bytes);
        for node in 0..self.nodes.len() {
            if self.nodes[node].key != *to || node == from {
                continue;
            }
            let envelope = Envelope { now: self.now, from, to: node, message };
            if let Some(tap) = &mut self.tap
                && !tap(&envelope)
            {
                continue;
            }
            if self.network.is_clogged(from, node) {
                self.hold(from, node, letter);
                continue;
            }
            let arrivals = self.network.arrivals(from, node, departure, letter.bytes);
            self.trace.line(self.now, || {
                let when = arrivals.first.map_or("lost".to_owned(), |at| {
                    format!("arrives {:.3}", at.as_nanos() as f64 / 1e6)
                });
                format!("n{from} -> n{node} {when} {message:?}")
            });
            let lost = arrivals.first.is_none();
            self.tell_sent(from, node, letter, arrivals.first, lost);
            self.record.delays.add(departure, arrivals.first);
            for at in arrivals.iter() {
                self.deliver_at(at, sender, node, letter);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_the_length_change_the_fingerprint() {
        let text = [7_u8; 21];
        let mut seen = std::collections::BTreeSet::from([fingerprint(&text)]);
        for place in 0..text.len() {
            let mut other = text;
            other[place] ^= 1;
            assert!(seen.insert(fingerprint(&other)), "byte {place}");
            assert!(seen.insert(fingerprint(&text[..place])), "length {place}");
        }
        assert_ne!(fingerprint(&[]), fingerprint(&[0]));
    }
}
