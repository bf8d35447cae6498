//! Hides what it voted for or what it holds when a view changes.

use chain::types::ValidatorIndex;

use super::{Behaviour, Hand};
use crate::protocol::{Lie, Protocol};

#[derive(Debug)]
pub(super) struct LyingViewChange(pub(super) Lie);

impl<E: Protocol> Behaviour<E> for LyingViewChange {
    fn send(
        &mut self,
        to: ValidatorIndex,
        message: &E::Message,
        hand: &mut Hand,
        out: &mut Vec<(ValidatorIndex, E::Message)>,
    ) {
        let lie = E::lie(message, self.0, &hand.chain_id, hand.signer.as_ref());
        out.push((to, lie.unwrap_or_else(|| message.clone())));
    }
}
