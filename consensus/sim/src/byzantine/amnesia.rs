//! Comes back from a crash as it was some time before, as from a backup, and so breaks promises in
//! good faith. Counts as one of the `max_faulty`.

use chain::types::ValidatorIndex;
use consensus::message::EngineMessage;

use super::{Behaviour, Hand, Said};

#[derive(Debug)]
pub(super) struct Amnesia;

impl<M: EngineMessage> Behaviour<M> for Amnesia {
    fn send(&mut self, to: ValidatorIndex, message: &M, _hand: &mut Hand, said: &mut Vec<Said<M>>) {
        said.push(Said::now(to, message.clone()));
    }

    fn forgets(&self) -> bool {
        true
    }
}
