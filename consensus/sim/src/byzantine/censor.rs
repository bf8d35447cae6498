//! Follows every rule but one: the transactions of the first sender that it heard of never get into
//! its blocks. Which sender is no secret, and no block of it shows.

use chain::crypto::PublicKey;
use chain::transaction::SignedTransaction;
use chain::types::ValidatorIndex;
use consensus::message::EngineMessage;

use super::{Behaviour, Hand, Said};

#[derive(Debug, Default)]
pub(super) struct Censor {
    victim: Option<PublicKey>,
}

impl<M: EngineMessage> Behaviour<M> for Censor {
    fn send(&mut self, to: ValidatorIndex, message: &M, _hand: &mut Hand, said: &mut Vec<Said<M>>) {
        said.push(Said::now(to, message.clone()));
    }

    fn hears(&mut self, transaction: &SignedTransaction) -> bool {
        let sender = transaction.payload.sender;
        *self.victim.get_or_insert(sender) != sender
    }
}
