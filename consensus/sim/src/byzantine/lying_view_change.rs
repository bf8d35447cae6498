//! Hides what it voted for or what it holds when a view changes, or claims what never was.

use chain::certificate::Certificate;
use chain::crypto::Signature;
use chain::types::{Digest, ValidatorIndex};
use consensus::message::{Claim, EngineMessage, Rewrite};

use super::{Behaviour, Hand, Said, spoiled};

/// Leaves these claims out of its reports.
#[derive(Debug)]
pub(super) struct LyingViewChange(pub(super) &'static [Claim]);

struct Omit<'a> {
    claims: &'a [Claim],
    hand: &'a Hand,
}

impl Rewrite for Omit<'_> {
    fn speaks_for(&mut self, sender: ValidatorIndex) -> bool {
        sender == self.hand.me
    }

    fn reports(&mut self, claim: Claim) -> bool {
        !self.claims.contains(&claim)
    }

    fn sign(&mut self, digest: &Digest, _honest: Signature) -> Signature {
        self.hand.signer.sign(digest)
    }
}

impl<M: EngineMessage> Behaviour<M> for LyingViewChange {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        let mut omit = Omit { claims: self.0, hand };
        said.push(Said::now(to, message.rewrite(&hand.chain_id, &mut omit)));
    }
}

/// Reports certificates one place higher, for blocks of its own imagination.
#[derive(Debug)]
pub(super) struct Invent;

struct Inventing<'a>(&'a Hand);

impl Rewrite for Inventing<'_> {
    fn speaks_for(&mut self, sender: ValidatorIndex) -> bool {
        sender == self.0.me
    }

    fn certificate(&mut self, certificate: &Certificate) -> Option<Certificate> {
        let mut invented = certificate.clone();
        let ballot = &mut invented.ballot;
        ballot.position.height = ballot.position.height.next();
        ballot.block = spoiled(ballot.block);
        Some(invented)
    }

    fn sign(&mut self, digest: &Digest, _honest: Signature) -> Signature {
        self.0.signer.sign(digest)
    }
}

impl<M: EngineMessage> Behaviour<M> for Invent {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        said.push(Said::now(to, message.rewrite(&hand.chain_id, &mut Inventing(hand))));
    }
}
