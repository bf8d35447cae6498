//! Says nothing at all, but listens.

use chain::types::ValidatorIndex;

use super::{Behaviour, Hand};
use crate::protocol::Protocol;

#[derive(Debug)]
pub(super) struct Silent;

impl<E: Protocol> Behaviour<E> for Silent {
    fn send(
        &mut self,
        _to: ValidatorIndex,
        _message: &E::Message,
        _hand: &mut Hand,
        _out: &mut Vec<(ValidatorIndex, E::Message)>,
    ) {
    }
}
