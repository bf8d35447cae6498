//! Messages on their way: what leaves a node, what a link holds back, what arrives.

use std::rc::Rc;

use chain::codec;
use chain::crypto::{Domain, Hasher};
use chain::types::{Digest, ValidatorIndex};
use consensus::engine::{Engine, Recipients, Time};
use consensus::message::EngineMessage;

use super::{Action, World};
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
    message: Rc<M>,
    digest: Digest,
    bytes: usize,
}

impl<E: Engine> World<E> {
    /// Asks a script about every message before it travels.
    pub fn set_tap(&mut self, tap: Tap<E::Message>) {
        self.tap = Some(tap);
    }

    pub fn clear_tap(&mut self) {
        self.tap = None;
    }

    /// A message from outside the simulated validators' own engines, for scripts.
    pub fn inject(&mut self, from: ValidatorIndex, to: usize, message: E::Message) {
        let digest = self.digest_of(&message).0;
        self.schedule(self.now, Action::Deliver { to, from, message: Rc::new(message), digest });
    }

    fn digest_of(&self, message: &E::Message) -> (Digest, usize) {
        let bytes = codec::encode(message);
        (Hasher::new(Domain::Handshake).bytes(&bytes).finish(), bytes.len())
    }

    fn hold(
        &mut self,
        from: usize,
        to: usize,
        message: &Rc<E::Message>,
        digest: Digest,
        bytes: usize,
    ) {
        self.trace.line(self.now, || format!("n{from} -> n{to} held {message:?}"));
        let lost = self.held.len() >= MAX_HELD;
        self.tell_sent(from, to, message, bytes, None, lost);
        if !lost {
            self.held.push(Held { from, to, message: Rc::clone(message), digest, bytes });
        }
    }

    fn tell_sent(
        &mut self,
        from: usize,
        to: usize,
        message: &Rc<E::Message>,
        bytes: usize,
        arrives: Option<Time>,
        lost: bool,
    ) {
        let (sender, chain_id) = (self.nodes[from].validator, &self.genesis.chain_id);
        self.trace.tell(self.now, || Happening::Send {
            node: from,
            from,
            to,
            message: message.kind(),
            bytes,
            place: Place::of(message.as_ref(), sender, chain_id),
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
        for Held { from, to, message, digest, bytes } in free {
            let sender = self.nodes[from].validator;
            for at in self.network.arrivals(from, to, self.now, bytes).iter() {
                let message = Rc::clone(&message);
                self.schedule(at, Action::Deliver { to, from: sender, message, digest });
            }
        }
    }

    /// Sends what the node's validator says: its engine's words, or those of the liar before it.
    pub(super) fn send(
        &mut self,
        node: usize,
        departure: Time,
        to: Recipients,
        message: E::Message,
    ) {
        let me = self.nodes[node].validator;
        if self.is_honest(node) {
            let chain_id = self.genesis.chain_id;
            let (invariants, now) = (&mut self.invariants, self.now);
            message.statements(me, &chain_id, &mut |slot, digest| {
                let stated = Observation::Stated { validator: me, slot, digest };
                invariants.observe(now, &stated);
            });
        }
        self.record.proposed(departure, message.proposals(), &self.genesis.chain_id);
        let everyone = 0..self.plan.validators as u16;
        let recipients: Vec<ValidatorIndex> = match to {
            Recipients::One(one) => vec![one],
            Recipients::Others => {
                everyone.map(ValidatorIndex::new).filter(|other| *other != me).collect()
            }
        };
        let Some((behaviour, hand)) = &mut self.nodes[node].liar else {
            let (digest, bytes) = self.digest_of(&message);
            let message = Rc::new(message);
            for to in recipients {
                self.post(node, departure, to, &message, digest, bytes);
            }
            return;
        };
        let mut said = Vec::new();
        for to in recipients {
            behaviour.send(to, &message, hand, &mut said);
        }
        for (to, message) in said {
            let (digest, bytes) = self.digest_of(&message);
            self.post(node, departure, to, &Rc::new(message), digest, bytes);
        }
    }

    /// Puts one message on the way to every node of a validator.
    fn post(
        &mut self,
        from: usize,
        departure: Time,
        to: ValidatorIndex,
        message: &Rc<E::Message>,
        digest: Digest,
        bytes: usize,
    ) {
        let sender = self.nodes[from].validator;
        let kind = message.kind();
        self.record.counters.sent(kind, bytes);
        for node in 0..self.nodes.len() {
            if self.nodes[node].validator != to || node == from {
                continue;
            }
            let envelope = Envelope { now: self.now, from, to: node, message: message.as_ref() };
            if let Some(tap) = &mut self.tap
                && !tap(&envelope)
            {
                continue;
            }
            if self.network.is_clogged(from, node) {
                self.hold(from, node, message, digest, bytes);
                continue;
            }
            let arrivals = self.network.arrivals(from, node, departure, bytes);
            self.trace.line(self.now, || {
                let when = arrivals.first.map_or("lost".to_owned(), |at| {
                    format!("arrives {:.3}", at.as_nanos() as f64 / 1e6)
                });
                format!("n{from} -> n{node} {when} {message:?}")
            });
            let lost = arrivals.first.is_none();
            self.tell_sent(from, node, message, bytes, arrivals.first, lost);
            self.record.delays.add(departure, arrivals.first);
            for at in arrivals.iter() {
                let message = Rc::clone(message);
                self.schedule(at, Action::Deliver { to: node, from: sender, message, digest });
            }
        }
    }
}
