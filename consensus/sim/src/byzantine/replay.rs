//! Says everything, and now and then something it said long ago, to anyone.

use std::collections::VecDeque;

use chain::types::ValidatorIndex;

use consensus::message::EngineMessage;

use super::{Behaviour, Hand};

/// How many old messages it keeps.
const MEMORY: usize = 64;

pub(super) struct Replay<M> {
    said: VecDeque<M>,
}

impl<M> Default for Replay<M> {
    fn default() -> Self {
        Self { said: VecDeque::new() }
    }
}

impl<M: EngineMessage> Behaviour<M> for Replay<M> {
    fn send(
        &mut self,
        to: ValidatorIndex,
        message: &M,
        hand: &mut Hand,
        out: &mut Vec<(ValidatorIndex, M)>,
    ) {
        out.push((to, message.clone()));
        if hand.dice.below(4) == 0 && !self.said.is_empty() {
            let old = hand.dice.index(self.said.len());
            out.push((to, self.said[old].clone()));
        }
        if self.said.len() == MEMORY {
            let forgotten = hand.dice.index(MEMORY);
            self.said.remove(forgotten);
        }
        self.said.push_back(message.clone());
    }
}
