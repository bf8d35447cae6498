//! Says everything, and now and then something it said long ago, to anyone.

use std::collections::VecDeque;

use chain::types::ValidatorIndex;
use consensus::message::EngineMessage;

use super::{Behaviour, Hand, Said};

/// How many old messages it keeps, and how many of its first, which are of old epochs one day.
const MEMORY: usize = 64;
const FIRST: usize = 32;

pub(super) struct Replay<M> {
    said: VecDeque<M>,
}

impl<M> Default for Replay<M> {
    fn default() -> Self {
        Self { said: VecDeque::new() }
    }
}

impl<M: EngineMessage> Behaviour<M> for Replay<M> {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        said.push(Said::now(to, message.clone()));
        if hand.dice.below(4) == 0 && !self.said.is_empty() {
            let old = hand.dice.index(self.said.len());
            said.push(Said::now(to, self.said[old].clone()));
        }
        if self.said.len() == FIRST + MEMORY {
            let forgotten = FIRST + hand.dice.index(MEMORY);
            self.said.remove(forgotten);
        }
        self.said.push_back(message.clone());
    }
}
