//! Says everything, but only just before the others lose patience.

use chain::types::ValidatorIndex;
use consensus::message::EngineMessage;

use super::{Behaviour, Hand, Said};

#[derive(Debug)]
pub(super) struct Late;

impl<M: EngineMessage> Behaviour<M> for Late {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        let delay = hand.dice.duration(hand.timeout * 7 / 10, hand.timeout * 19 / 20);
        said.push(Said { to, delay, message: message.clone() });
    }
}
