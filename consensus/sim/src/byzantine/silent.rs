//! Says nothing at all, but listens.

use chain::types::ValidatorIndex;
use consensus::message::EngineMessage;

use super::{Behaviour, Hand, Said};

#[derive(Debug)]
pub(super) struct Silent;

impl<M: EngineMessage> Behaviour<M> for Silent {
    fn send(
        &mut self,
        _to: ValidatorIndex,
        _message: &M,
        _hand: &mut Hand,
        _said: &mut Vec<Said<M>>,
    ) {
    }
}
