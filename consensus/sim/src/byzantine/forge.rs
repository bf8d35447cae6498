//! Sends certificates that are none: for another block, with a wrong signature, from too few
//! signers or from one signer many times.

use chain::block::SealedBlock;
use chain::certificate::{Certificate, Signatures, Vote, VoteKind};
use chain::codec;
use chain::crypto::Signature;
use chain::types::{Digest, ValidatorIndex};
use consensus::message::{EngineMessage, Rewrite};

use super::doubles::Doubles;
use super::{Behaviour, Hand, Said, spoiled};

/// What is wrong with the certificates.
#[derive(Clone, Copy, Debug)]
pub(super) enum Forgery {
    Ballot,
    Signature,
    TooFew,
    Repeated,
}

impl Forgery {
    fn forge(self, certificate: &Certificate) -> Certificate {
        let n = certificate.signatures.signers().last().map_or(0, |last| last.as_usize() + 1);
        let mut signatures: Vec<(ValidatorIndex, Signature)> =
            certificate.signatures.iter().map(|(index, signature)| (index, *signature)).collect();
        let mut ballot = certificate.ballot;
        match self {
            // Votes to prepare, presented as votes to commit; where they are that already, as votes
            // for another block.
            Self::Ballot if ballot.kind == VoteKind::Prepare => ballot.kind = VoteKind::Commit,
            Self::Ballot => ballot.block = spoiled(ballot.block),
            Self::Signature => {
                if let Some((_, signature)) = signatures.last_mut() {
                    signature.0[0] ^= 0xff;
                }
            }
            Self::TooFew => signatures.truncate(signatures.len() / 2),
            Self::Repeated => return repeated(certificate),
        }
        Certificate { ballot, signatures: Signatures::new(n, &signatures) }
    }
}

/// The first signer's signature in every place. Only the wire form can say so.
fn repeated(certificate: &Certificate) -> Certificate {
    let Some((first, signature)) = certificate.signatures.iter().next() else {
        return certificate.clone();
    };
    let mut bitmap = vec![0_u8; first.as_usize() / 8 + 1];
    bitmap[first.as_usize() / 8] = 1 << (first.as_usize() % 8);
    let copies = vec![*signature; certificate.signatures.count()];
    let encoded = codec::encode(&(certificate.ballot, (bitmap, copies)));
    codec::decode(&encoded).expect("a certificate is a ballot, a bitmap and signatures")
}

#[derive(Debug)]
pub(super) struct Forge {
    forgery: Forgery,
    doubles: Doubles,
}

impl Forge {
    pub(super) fn new(forgery: Forgery) -> Self {
        Self { forgery, doubles: Doubles::default() }
    }
}

struct Forging<'a> {
    forgery: Forgery,
    doubles: &'a mut Doubles,
    hand: &'a Hand,
}

impl Rewrite for Forging<'_> {
    fn block(&mut self, block: &SealedBlock) -> SealedBlock {
        let forgery = self.forgery;
        self.doubles.block(block, self.hand, |changed| {
            if let Some(held) = &mut changed.justification.certificate {
                *held = forgery.forge(held);
            }
        })
    }

    fn vote(&mut self, vote: &Vote) -> Vote {
        self.doubles.vote(vote, self.hand)
    }

    fn reference(&mut self, hash: Digest) -> Digest {
        self.doubles.reference(hash)
    }

    fn certificate(&mut self, certificate: &Certificate) -> Option<Certificate> {
        Some(self.forgery.forge(certificate))
    }

    fn speaks_for(&mut self, sender: ValidatorIndex) -> bool {
        sender == self.hand.me
    }

    fn sign(&mut self, digest: &Digest, _honest: Signature) -> Signature {
        self.hand.signer.sign(digest)
    }
}

impl<M: EngineMessage> Behaviour<M> for Forge {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        let mut forging = Forging { forgery: self.forgery, doubles: &mut self.doubles, hand };
        said.push(Said::now(to, message.rewrite(&hand.chain_id, &mut forging)));
    }
}

#[cfg(test)]
mod tests {
    use chain::certificate::{Ballot, Position};
    use chain::types::{Epoch, Height, View};

    use super::*;
    use crate::genesis::Genesis;
    use crate::signatures::SignatureRule;

    #[test]
    fn the_original_verifies_and_no_forgery_does() {
        let rule = SignatureRule::Cheap;
        let set = Genesis::validators(rule, 1, 4, 1);
        let chain_id = Digest([3; 32]);
        for kind in [VoteKind::Prepare, VoteKind::Commit] {
            let position =
                Position { epoch: Epoch::default(), view: View::new(1), height: Height::new(5) };
            let ballot = Ballot { kind, position, block: Digest([7; 32]) };
            let signatures: Vec<_> = (0..3)
                .map(|index| {
                    let signer = Genesis::signer(rule, 1, index);
                    let signature = signer.sign(&ballot.digest(&chain_id));
                    (ValidatorIndex::new(index as u16), signature)
                })
                .collect();
            let original = Certificate { ballot, signatures: Signatures::new(4, &signatures) };
            let verifier = rule.verifier();
            assert!(original.verify(&chain_id, &set, verifier.as_ref()));
            for forgery in [Forgery::Ballot, Forgery::Signature, Forgery::TooFew, Forgery::Repeated]
            {
                let forged = forgery.forge(&original);
                assert_ne!(forged, original, "{forgery:?}");
                assert!(!forged.verify(&chain_id, &set, verifier.as_ref()), "{forgery:?}");
            }
        }
    }
}
