//! As leader of a new view starts it twice: from its honest report for some, and as if it knew
//! nothing for the others.

use std::collections::BTreeMap;

use chain::crypto::Signature;
use chain::types::{Digest, ValidatorIndex};
use consensus::message::{Claim, EngineMessage, Rewrite};

use super::{Behaviour, Hand, Said};

#[derive(Debug, Default)]
pub(super) struct TwoNewViews {
    /// Who gets the second version.
    second: BTreeMap<ValidatorIndex, bool>,
}

struct Nothing<'a>(&'a Hand);

impl Rewrite for Nothing<'_> {
    fn speaks_for(&mut self, sender: ValidatorIndex) -> bool {
        sender == self.0.me
    }

    fn reports(&mut self, _claim: Claim) -> bool {
        false
    }

    fn sign(&mut self, digest: &Digest, _honest: Signature) -> Signature {
        self.0.signer.sign(digest)
    }
}

impl<M: EngineMessage> Behaviour<M> for TwoNewViews {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        let second = *self.second.entry(to).or_insert_with(|| hand.dice.below(2) == 0);
        said.push(Said::now(
            to,
            if second {
                message.rewrite(&hand.chain_id, &mut Nothing(hand))
            } else {
                message.clone()
            },
        ));
    }
}
