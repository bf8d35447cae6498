//! The layer itself: passes everything through until it is told otherwise.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chain::validator::ValidatorSet;
use consensus::driver::Outbox;
use consensus::engine::Recipients;
use consensus::message::EngineMessage;
use node::assembly::MessageOutbox;

use super::control::{Behaviour, Control};
use super::delayed::DelayQueue;
use super::double_vote::DoubleVote;
use super::equivocate::Equivocate;
use super::invalid_block::InvalidBlock;
use super::withhold::Withhold;
use super::{Identity, Misbehaviour, Silent};

/// How late a validator with [`Behaviour::Delay`] sends.
const BYZANTINE_DELAY: Duration = Duration::from_millis(500);

/// A node's outbox with faults that can be switched on.
pub struct FaultLayer<M> {
    inner: Arc<Mutex<MessageOutbox<M>>>,
    delayed: DelayQueue<(Recipients, M)>,
    control: Control,
    identity: Identity,
    /// What is on, with its memory.
    active: (Behaviour, Option<Box<dyn Misbehaviour<M>>>),
}

impl<M> std::fmt::Debug for FaultLayer<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FaultLayer").field("active", &self.active.0).finish_non_exhaustive()
    }
}

impl<M: EngineMessage> FaultLayer<M> {
    /// # Errors
    /// Where no thread can be started.
    pub fn new(
        inner: MessageOutbox<M>,
        identity: Identity,
        control: Control,
    ) -> std::io::Result<Self> {
        let inner = Arc::new(Mutex::new(inner));
        let late = Arc::clone(&inner);
        let delayed = DelayQueue::new(move |(to, message): (Recipients, M)| {
            late.lock().unwrap_or_else(PoisonError::into_inner).send(to, &message);
        })?;
        Ok(Self { inner, delayed, control, identity, active: (Behaviour::Off, None) })
    }

    fn forward(&self, delay: Duration, to: Recipients, message: &M) {
        if delay.is_zero() {
            self.inner.lock().unwrap_or_else(PoisonError::into_inner).send(to, message);
        } else {
            self.delayed.push(delay, (to, message.clone()));
        }
    }
}

fn start<M: EngineMessage>(behaviour: Behaviour) -> Option<Box<dyn Misbehaviour<M>>> {
    match behaviour {
        Behaviour::Off | Behaviour::Delay => None,
        Behaviour::Equivocate => Some(Box::<Equivocate>::default()),
        Behaviour::Withhold => Some(Box::new(Withhold)),
        Behaviour::Silent => Some(Box::new(Silent)),
        Behaviour::InvalidBlock => Some(Box::new(InvalidBlock)),
        Behaviour::DoubleVote => Some(Box::new(DoubleVote)),
    }
}

impl<M: EngineMessage> Outbox<M> for FaultLayer<M> {
    fn seat(&mut self, sets: &[ValidatorSet]) {
        let Identity { chain_id, key, .. } = &self.identity;
        let now = sets.iter().find_map(|set| Identity::new(*chain_id, Arc::clone(key), set));
        self.identity = now.unwrap_or_else(|| self.identity.clone());
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).seat(sets);
    }

    fn send(&mut self, to: Recipients, message: &M) {
        let faults = self.control.faults();
        if self.active.0 != faults.behaviour {
            self.active = (faults.behaviour, start(faults.behaviour));
        }
        let mut delay = Duration::from_millis(faults.delay_ms);
        if faults.behaviour == Behaviour::Delay {
            delay += BYZANTINE_DELAY;
            self.control.count_act();
        }
        let twisted = self
            .active
            .1
            .as_mut()
            .and_then(|behaviour| behaviour.twist(&self.identity, to, message));
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
