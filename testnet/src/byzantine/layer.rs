//! The layer itself: passes everything through until it is told otherwise.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chain::codec;
use chain::crypto::Keypair;
use chain::types::{Digest, ValidatorIndex};
use chain::validator::ValidatorSet;
use consensus::driver::Outbox;
use consensus::engine::Recipients;
use consensus::message::EngineMessage;
use node::assembly::MessageOutbox;

use super::control::{Behaviour, Control, Link};
use super::delayed::DelayQueue;
use super::double_vote::DoubleVote;
use super::equivocate::Equivocate;
use super::flood::Flood;
use super::invalid_block::InvalidBlock;
use super::lying_view_change::LyingViewChange;
use super::narrow::NarrowLinks;
use super::withhold::Withhold;
use super::{Identity, Misbehaviour, Silent};
use crate::crash_point::{self, CrashPoint};
use crate::said::SaidLog;

/// How late a validator with [`Behaviour::Delay`] sends.
const BYZANTINE_DELAY: Duration = Duration::from_millis(500);

/// A node's outbox with faults that can be switched on.
pub struct FaultLayer<M> {
    inner: Arc<Mutex<MessageOutbox<M>>>,
    delayed: DelayQueue<(Recipients, M)>,
    narrow: NarrowLinks,
    control: Control,
    said: SaidLog,
    chain_id: Digest,
    key: Arc<Keypair>,
    /// Its place in the current set. An observer says nothing that could be twisted.
    identity: Option<Identity>,
    /// What is on, with its memory.
    active: (Behaviour, Option<Box<dyn Misbehaviour<M>>>),
}

impl<M> std::fmt::Debug for FaultLayer<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultLayer").field("active", &self.active.0).finish_non_exhaustive()
    }
}

impl<M: EngineMessage> FaultLayer<M> {
    /// Around the outbox of the holder of `key`, who is in `validators` or may come to be.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn new(
        inner: MessageOutbox<M>,
        chain_id: Digest,
        key: Keypair,
        validators: &ValidatorSet,
        control: Control,
        said: SaidLog,
    ) -> std::io::Result<Self> {
        let key = Arc::new(key);
        let identity = Identity::new(chain_id, Arc::clone(&key), validators);
        let inner = Arc::new(Mutex::new(inner));
        let late = Arc::clone(&inner);
        let delayed = DelayQueue::new(move |(to, message): (Recipients, M)| {
            late.lock().unwrap_or_else(PoisonError::into_inner).send(to, &message);
        })?;
        let active = (Behaviour::Off, None);
        let narrow = NarrowLinks::default();
        Ok(Self { inner, delayed, narrow, control, said, chain_id, key, identity, active })
    }

    /// Writes down what the engine promises with a message. Whether it does.
    fn note(&mut self, message: &M) -> bool {
        let Some(identity) = &self.identity else {
            return false;
        };
        let mut promises = matches!(message.kind(), "append_reply" | "accepted");
        message.statements(identity.me, &self.chain_id, &mut |slot, digest| {
            promises = true;
            self.said.note(slot, digest);
        });
        promises
    }

    /// Sends a message over the links as they are.
    fn forward(&mut self, delay: Duration, to: Recipients, message: &M) {
        let Some(identity) = self.identity.as_ref().filter(|_| !self.control.is_whole()) else {
            return self.pass(delay, to, message);
        };
        for receiver in identity.each(to) {
            let link = self.control.link(receiver);
            if let Some(carried) = self.carry(link, receiver, message) {
                self.pass(delay + carried, Recipients::One(receiver), message);
            }
        }
    }

    /// How long a message is on a link; `None`: it is lost there.
    fn carry(&mut self, link: Link, to: ValidatorIndex, message: &M) -> Option<Duration> {
        if rand::random_range(0..100) < link.lost_percent {
            return None;
        }
        let sent = match link.bytes_per_s {
            0 => Duration::ZERO,
            rate => self.narrow.carry(to, codec::encode(message).len(), rate, Instant::now())?,
        };
        Some(sent + Duration::from_millis(link.delay_ms))
    }

    fn pass(&self, delay: Duration, to: Recipients, message: &M) {
        if delay.is_zero() {
            self.inner.lock().unwrap_or_else(PoisonError::into_inner).send(to, message);
        } else {
            self.delayed.push(delay, (to, message.clone()));
        }
    }
}

fn start<M: EngineMessage>(behaviour: Behaviour) -> Option<Box<dyn Misbehaviour<M>>> {
    match behaviour {
        // A censor tells the truth about the blocks it makes.
        Behaviour::Off | Behaviour::Delay | Behaviour::Censor => None,
        Behaviour::Equivocate => Some(Box::<Equivocate>::default()),
        Behaviour::Withhold => Some(Box::new(Withhold)),
        Behaviour::Silent => Some(Box::new(Silent)),
        Behaviour::InvalidBlock => Some(Box::new(InvalidBlock)),
        Behaviour::DoubleVote => Some(Box::new(DoubleVote)),
        Behaviour::LyingViewChange => Some(Box::new(LyingViewChange)),
        Behaviour::Flood => Some(Box::new(Flood)),
    }
}

impl<M: EngineMessage> Outbox<M> for FaultLayer<M> {
    fn seat(&mut self, sets: &[ValidatorSet]) {
        let found = |set| Identity::new(self.chain_id, Arc::clone(&self.key), set);
        self.identity = sets.iter().find_map(found);
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).seat(sets);
    }

    fn send(&mut self, to: Recipients, message: &M) {
        let promises = self.note(message);
        if promises {
            self.control.pass(CrashPoint::Release);
        }
        if crash_point::changes_view(message) {
            self.control.pass(CrashPoint::ViewChange);
        }
        self.twist_and_forward(to, message);
        if promises {
            self.control.pass(CrashPoint::Released);
        }
    }
}

impl<M: EngineMessage> FaultLayer<M> {
    fn twist_and_forward(&mut self, to: Recipients, message: &M) {
        let faults = self.control.faults();
        if self.active.0 != faults.behaviour {
            self.active = (faults.behaviour, start(faults.behaviour));
        }
        let mut delay = Duration::from_millis(faults.delay_ms);
        if faults.behaviour == Behaviour::Delay {
            delay += BYZANTINE_DELAY;
            self.control.count_act();
        }
        let twisted = match (&mut self.active.1, &self.identity) {
            (Some(behaviour), Some(identity)) => behaviour.twist(identity, to, message),
            _ => None,
        };
        match twisted {
            None => self.forward(delay, to, message),
            Some(sent) => {
                self.control.count_act();
                for (to, message) in sent {
                    self.forward(delay, to, &message);
                }
            }
        }
    }
}
