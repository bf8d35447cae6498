//! Suspects every leader and asks for every next view, without a reason.

use chain::types::ValidatorIndex;
use consensus::message::EngineMessage;

use super::{Behaviour, Hand, Said, view_of};

#[derive(Debug)]
pub(super) struct FalseAlarm;

impl<M: EngineMessage> Behaviour<M> for FalseAlarm {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        said.push(Said::now(to, message.clone()));
        if let Some(place) = view_of(message) {
            let alarms = M::alarms(&hand.chain_id, hand.me, place, hand.signer.as_ref());
            said.extend(alarms.into_iter().map(|alarm| Said::now(to, alarm)));
        }
    }
}
