//! Proof that a validator signed two messages that exclude each other.
//!
//! Evidence convinces anyone who has the validator set of its epoch, and cannot be forged.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::block::SignedHeader;
use crate::certificate::Vote;
use crate::codec::Bounded;
use crate::crypto::{Domain, Hasher, Verifier};
use crate::types::{Digest, Epoch, Height, ValidatorIndex, View};
use crate::validator::ValidatorSet;

/// Two conflicting statements of one validator for one (epoch, view, height).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[expect(clippy::large_enum_variant, reason = "there are few of them, and blocks keep them boxed")]
pub enum Evidence {
    /// A leader signed two different headers.
    Proposals { first: SignedHeader, second: SignedHeader },
    /// A validator cast two votes of one kind.
    Votes { first: Vote, second: Vote },
}

impl Bounded for Evidence {
    const MAX_BYTES: usize = 2 * 1024;
}

impl Evidence {
    /// Evidence from two headers, if they are evidence. Signatures are not checked here.
    pub fn from_headers(a: &SignedHeader, b: &SignedHeader, chain_id: &Digest) -> Option<Self> {
        let (ha, hb) = (a.header.hash(chain_id), b.header.hash(chain_id));
        let (first, second) = if ha < hb { (a, b) } else { (b, a) };
        let evidence = Self::Proposals { first: first.clone(), second: second.clone() };
        evidence.conflicts(chain_id).then_some(evidence)
    }

    /// Evidence from two votes, if they are evidence. Signatures are not checked here.
    pub fn from_votes(a: &Vote, b: &Vote, chain_id: &Digest) -> Option<Self> {
        let (first, second) = if a.ballot.block < b.ballot.block { (a, b) } else { (b, a) };
        let evidence = Self::Votes { first: *first, second: *second };
        evidence.conflicts(chain_id).then_some(evidence)
    }

    /// Who is accused, as an index into the set of [`Evidence::epoch`].
    pub fn accused(&self) -> ValidatorIndex {
        match self {
            Self::Proposals { first, .. } => first.header.proposer,
            Self::Votes { first, .. } => first.voter,
        }
    }

    pub fn epoch(&self) -> Epoch {
        match self {
            Self::Proposals { first, .. } => first.header.epoch,
            Self::Votes { first, .. } => first.ballot.position.epoch,
        }
    }

    pub fn view(&self) -> View {
        match self {
            Self::Proposals { first, .. } => first.header.view,
            Self::Votes { first, .. } => first.ballot.position.view,
        }
    }

    pub fn height(&self) -> Height {
        match self {
            Self::Proposals { first, .. } => first.header.height,
            Self::Votes { first, .. } => first.ballot.position.height,
        }
    }

    pub fn hash(&self, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::Evidence, chain_id).value(self).finish()
    }

    /// Whether the two statements exclude each other and stand in the one accepted order.
    fn conflicts(&self, chain_id: &Digest) -> bool {
        match self {
            Self::Proposals { first, second } => {
                first.header.position() == second.header.position()
                    && first.header.proposer == second.header.proposer
                    && first.header.hash(chain_id) < second.header.hash(chain_id)
            }
            Self::Votes { first, second } => {
                first.voter == second.voter
                    && first.ballot.kind == second.ballot.kind
                    && first.ballot.position == second.ballot.position
                    && first.ballot.block < second.ballot.block
            }
        }
    }

    /// Whether the accused really signed both, judged by the set of the evidence's epoch.
    pub fn verify(&self, chain_id: &Digest, set: &ValidatorSet, verifier: &dyn Verifier) -> bool {
        set.epoch == self.epoch()
            && self.conflicts(chain_id)
            && match self {
                Self::Proposals { first, second } => {
                    first.verify(chain_id, set, verifier) && second.verify(chain_id, set, verifier)
                }
                Self::Votes { first, second } => {
                    first.verify(chain_id, set, verifier) && second.verify(chain_id, set, verifier)
                }
            }
    }
}
