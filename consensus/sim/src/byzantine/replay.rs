//! Says everything, and now and then something it said long ago, to anyone.

use std::collections::VecDeque;

use chain::types::ValidatorIndex;

use super::{Behaviour, Hand};
use crate::protocol::Protocol;

/// How many old messages it keeps.
const MEMORY: usize = 64;

pub(super) struct Replay<E: Protocol> {
    said: VecDeque<E::Message>,
}

impl<E: Protocol> Default for Replay<E> {
    fn default() -> Self {
        Self { said: VecDeque::new() }
    }
}

impl<E: Protocol> Behaviour<E> for Replay<E> {
    fn send(
        &mut self,
        to: ValidatorIndex,
        message: &E::Message,
        hand: &mut Hand,
        out: &mut Vec<(ValidatorIndex, E::Message)>,
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
