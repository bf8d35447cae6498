//! Votes, and the certificates that a quorum of them makes.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::Bounded;
use crate::crypto::{Domain, Hasher, Signature, Verifier};
use crate::types::{Digest, Epoch, Height, ValidatorIndex, View};
use crate::validator::ValidatorSet;

/// What a vote promises.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum VoteKind {
    /// "This block and its ancestors of the same view are valid, and I vote for no other branch."
    Prepare,
    /// "I hold a prepare certificate for this block."
    Commit,
    /// PBFT's prepare: "I accepted the pre-prepare of this block at this height of this view." The
    /// view is that of the pre-prepare, which may be younger than the block. Makes nothing final.
    #[serde(rename = "pbft_prepare")]
    PbftPrepare,
}

/// Where a block stands: compared epoch first, then view, then height.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
pub struct Position {
    pub epoch: Epoch,
    pub view: View,
    pub height: Height,
}

/// The statement that a vote signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct Ballot {
    pub kind: VoteKind,
    pub position: Position,
    pub block: Digest,
}

impl Ballot {
    /// What a voter signs.
    pub fn digest(&self, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::Vote, chain_id).value(self).finish()
    }
}

/// A signed [`Ballot`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct Vote {
    pub ballot: Ballot,
    pub voter: ValidatorIndex,
    pub signature: Signature,
}

impl Bounded for Vote {
    const MAX_BYTES: usize = 256;
}

impl Vote {
    pub fn verify(&self, chain_id: &Digest, set: &ValidatorSet, verifier: &dyn Verifier) -> bool {
        self.ballot.position.epoch == set.epoch
            && set.get(self.voter).is_some_and(|validator| {
                let digest = self.ballot.digest(chain_id);
                verifier.verify(&validator.consensus_key, &digest, &self.signature)
            })
    }
}

/// Signatures of distinct validators over one digest: a bitmap of who signed, and the signatures
/// in the order of the bitmap.
///
/// Invariants: the bitmap is as long as the set needs and no longer, holds no bit past the set, and
/// has as many bits as there are signatures.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct Signatures {
    bitmap: Vec<u8>,
    signatures: Vec<Signature>,
}

impl Signatures {
    /// Of a set with so many seats.
    ///
    /// # Panics
    /// Where an index is outside the seats or given twice.
    pub fn new(seats: usize, signatures: &[(ValidatorIndex, Signature)]) -> Self {
        let mut sorted = signatures.to_vec();
        sorted.sort_by_key(|(index, _)| *index);
        let mut bitmap = vec![0; seats.div_ceil(8)];
        for (index, _) in &sorted {
            let place = index.as_usize();
            assert!(place < seats, "signer {place} of {seats} seats");
            assert_eq!(bitmap[place / 8] & (1 << (place % 8)), 0, "signer {place} twice");
            bitmap[place / 8] |= 1 << (place % 8);
        }
        Self { bitmap, signatures: sorted.into_iter().map(|(_, signature)| signature).collect() }
    }

    /// Who signed, in the order of the signatures.
    pub fn signers(&self) -> impl Iterator<Item = ValidatorIndex> + '_ {
        self.bitmap
            .iter()
            .flat_map(|byte| (0..8).map(move |bit| byte & (1 << bit) != 0))
            .zip(0..=u16::MAX)
            .filter(|(set, _)| *set)
            .map(|(_, index)| ValidatorIndex::new(index))
    }

    /// Who signed, with the signature.
    pub fn iter(&self) -> impl Iterator<Item = (ValidatorIndex, &Signature)> + '_ {
        self.signers().zip(&self.signatures)
    }

    /// How many signatures there are.
    pub fn count(&self) -> usize {
        self.signatures.len()
    }

    /// The same with one more, where that one is not among them yet. Of a set with so many seats.
    #[must_use]
    pub fn with(&self, seats: usize, signer: ValidatorIndex, signature: Signature) -> Self {
        let mut all: Vec<_> = self.iter().map(|(index, held)| (index, *held)).collect();
        if all.iter().all(|(index, _)| *index != signer) {
            all.push((signer, signature));
        }
        Self::new(seats, &all)
    }

    /// Whether at least `quorum` distinct members of the set signed `digest`, and nothing else is
    /// claimed.
    pub fn verify(
        &self,
        digest: &Digest,
        set: &ValidatorSet,
        quorum: usize,
        verifier: &dyn Verifier,
    ) -> bool {
        self.verify_beyond(None, digest, set, quorum, verifier)
    }

    /// The same, where those over the same digest that `known` holds were verified before.
    fn verify_beyond(
        &self,
        known: Option<&Self>,
        digest: &Digest,
        set: &ValidatorSet,
        quorum: usize,
        verifier: &dyn Verifier,
    ) -> bool {
        let is_known = |one: (ValidatorIndex, &Signature)| {
            known.is_some_and(|known| known.iter().any(|held| held == one))
        };
        self.bitmap.len() == set.seats().div_ceil(8)
            && self.signatures.len() >= quorum
            && self.signers().count() == self.signatures.len()
            && self.iter().all(|(index, signature)| {
                is_known((index, signature))
                    || set.get(index).is_some_and(|validator| {
                        verifier.verify(&validator.consensus_key, digest, signature)
                    })
            })
    }
}

/// A quorum of votes on one and the same block.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct Certificate {
    pub ballot: Ballot,
    pub signatures: Signatures,
}

impl Bounded for Certificate {
    const MAX_BYTES: usize = 16 * 1024;
}

/// Who signed a certificate, without the signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Signers {
    /// Whose set the indices are of.
    pub epoch: Epoch,
    bitmap: [u8; Signers::BYTES],
}

impl Signers {
    const BYTES: usize = ValidatorSet::MAX_SEATS.div_ceil(8);

    /// Those of a certificate that was verified.
    pub fn of(certificate: &Certificate) -> Self {
        let mut bitmap = [0; Self::BYTES];
        for (byte, claimed) in bitmap.iter_mut().zip(&certificate.signatures.bitmap) {
            *byte = *claimed;
        }
        Self { epoch: certificate.ballot.position.epoch, bitmap }
    }

    pub fn contains(&self, index: ValidatorIndex) -> bool {
        let place = index.as_usize();
        self.bitmap.get(place / 8).is_some_and(|byte| byte & (1 << (place % 8)) != 0)
    }
}

/// What a certificate is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finality {
    /// Survives any number of crashes and restarts.
    Ordered,
    /// Survives `f` Byzantine validators, for ever.
    Final,
}

impl Certificate {
    /// `Final` with a fast quorum of prepare votes or a quorum of commit votes, else `Ordered`; so
    /// is any number of PBFT's prepares.
    /// Meaningful only for a certificate that [`verify`](Self::verify)s.
    pub fn finality(&self, set: &ValidatorSet) -> Finality {
        match self.ballot.kind {
            VoteKind::Commit => Finality::Final,
            VoteKind::Prepare if self.signatures.count() >= set.quorums().fast_quorum => {
                Finality::Final
            }
            VoteKind::Prepare | VoteKind::PbftPrepare => Finality::Ordered,
        }
    }

    pub fn verify(&self, chain_id: &Digest, set: &ValidatorSet, verifier: &dyn Verifier) -> bool {
        self.verify_beyond(None, chain_id, set, verifier)
    }

    /// The same for whoever verified `known`: of signatures on the same ballot only those that are
    /// not in there are looked at.
    pub fn verify_beyond(
        &self,
        known: Option<&Self>,
        chain_id: &Digest,
        set: &ValidatorSet,
        verifier: &dyn Verifier,
    ) -> bool {
        let known = known.filter(|known| known.ballot == self.ballot);
        self.ballot.position.epoch == set.epoch
            && self.signatures.verify_beyond(
                known.map(|known| &known.signatures),
                &self.ballot.digest(chain_id),
                set,
                set.quorums().quorum,
                verifier,
            )
    }
}

/// The statement of a view certificate: "I checked the reports: this view starts on this tip."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct ViewStart {
    pub epoch: Epoch,
    pub view: View,
    pub tip_height: Height,
    pub tip: Digest,
}

impl ViewStart {
    /// What an acknowledging validator signs.
    pub fn digest(&self, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::ViewAck, chain_id).value(self).finish()
    }
}

/// A quorum of signatures over one [`ViewStart`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct ViewCertificate {
    pub start: ViewStart,
    pub signatures: Signatures,
}

impl Bounded for ViewCertificate {
    const MAX_BYTES: usize = 16 * 1024;
}

impl ViewCertificate {
    pub fn verify(&self, chain_id: &Digest, set: &ValidatorSet, verifier: &dyn Verifier) -> bool {
        self.start.epoch == set.epoch
            && self.signatures.verify(
                &self.start.digest(chain_id),
                set,
                set.quorums().quorum,
                verifier,
            )
    }
}
