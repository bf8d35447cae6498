//! Spreads and reports true certificates, but old ones.

use std::collections::BTreeMap;

use chain::certificate::{Certificate, VoteKind};
use chain::crypto::Signature;
use chain::types::{Digest, Epoch, ValidatorIndex};
use consensus::message::{EngineMessage, Rewrite};

use super::{Behaviour, Hand, Said};

/// The first certificate of each kind in each epoch.
#[derive(Debug, Default)]
pub(super) struct OldCertificates {
    first: BTreeMap<(Epoch, VoteKind), Certificate>,
}

struct Old<'a> {
    first: &'a mut BTreeMap<(Epoch, VoteKind), Certificate>,
    hand: &'a Hand,
}

impl Rewrite for Old<'_> {
    fn certificate(&mut self, certificate: &Certificate) -> Option<Certificate> {
        let ballot = &certificate.ballot;
        let class = (ballot.position.epoch, ballot.kind);
        Some(self.first.entry(class).or_insert_with(|| certificate.clone()).clone())
    }

    fn speaks_for(&mut self, sender: ValidatorIndex) -> bool {
        sender == self.hand.me
    }

    fn sign(&mut self, digest: &Digest, _honest: Signature) -> Signature {
        self.hand.signer.sign(digest)
    }
}

impl<M: EngineMessage> Behaviour<M> for OldCertificates {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        let mut old = Old { first: &mut self.first, hand };
        said.push(Said::now(to, message.rewrite(&hand.chain_id, &mut old)));
    }
}
