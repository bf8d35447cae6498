//! Hides what it voted for or what it holds when a view changes.

use chain::crypto::Signature;
use chain::types::{Digest, ValidatorIndex};
use consensus::message::{Claim, EngineMessage, Rewrite};

use super::{Behaviour, Hand};

/// Leaves these claims out of its reports.
#[derive(Debug)]
pub(super) struct LyingViewChange(pub(super) &'static [Claim]);

struct Omit<'a> {
    claims: &'a [Claim],
    hand: &'a Hand,
}

impl Rewrite for Omit<'_> {
    fn reports(&mut self, claim: Claim) -> bool {
        !self.claims.contains(&claim)
    }

    fn sign(&mut self, digest: &Digest, _honest: Signature) -> Signature {
        self.hand.signer.sign(digest)
    }
}

impl<M: EngineMessage> Behaviour<M> for LyingViewChange {
    fn send(
        &mut self,
        to: ValidatorIndex,
        message: &M,
        hand: &mut Hand,
        out: &mut Vec<(ValidatorIndex, M)>,
    ) {
        let mut omit = Omit { claims: self.0, hand };
        out.push((to, message.rewrite(&hand.chain_id, &mut omit)));
    }
}
