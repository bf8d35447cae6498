//! A chain at one final height, without the blocks below: what a node needs to go on from there.
//!
//! The [`Manifest`] says which block that is, why it is final and into which parts its state is cut;
//! the [`Chunk`](crate::state::Chunk)s of the parts hold the state. Everything in it is checked by
//! [`Manifest::verify`], from the genesis on.

mod checkpoint;

use bincode::{Decode, Encode};

pub use checkpoint::{Checkpoint, CheckpointError};

use crate::block::{Block, BlockKind, Header, SealedBlock, SignedHeader};
use crate::codec::Bounded;
use crate::crypto::{Domain, Hasher, Verifier};
use crate::finality::FinalityProof;
use crate::light::{Lineage, LineageError, Trust};
use crate::state::{Cut, CutError, State};
use crate::types::{Digest, Epoch, Height};

/// Everything about a snapshot but the state.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Manifest {
    /// The last block: its header commits to the state.
    pub tip: SealedBlock,
    /// The headers below, ascending, the last one being the parent of `tip`.
    pub recent: Vec<Header>,
    pub ancestry: Ancestry,
    /// The parts of the state after `tip`.
    pub cut: Cut,
}

impl Bounded for Manifest {
    const MAX_BYTES: usize = Block::MAX_BYTES
        + Self::MAX_RECENT * Header::MAX_BYTES
        + Lineage::MAX_BYTES
        + FinalityProof::MAX_BYTES
        + Cut::MAX_BYTES
        + 64;
}

/// How the chain came to the last block: over which changes of the validator set.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Ancestry {
    /// Where finality is a certificate: proven from the genesis.
    Certified {
        lineage: Lineage,
        /// That the last block is final.
        proof: FinalityProof,
    },
    /// Where it is not: the barriers, oldest first, on the word of whoever gives the snapshot.
    Reported { barriers: Vec<Header> },
}

/// Names a snapshot: all who hold the same state at the same block cut it alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Offer {
    pub height: Height,
    /// Hash over the block and the cut.
    pub id: Digest,
}

/// By what a snapshot is judged.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    pub trust: &'a Trust,
    /// Whether the chain has certificates. One without them has nothing to prove a snapshot with.
    pub certified: bool,
    /// A block that the chain is known to have.
    pub checkpoint: Option<Checkpoint>,
    /// Where there are no certificates: whoever gives the snapshot is believed.
    pub believed: bool,
    pub verifier: &'a dyn Verifier,
}

impl std::fmt::Debug for Terms<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terms")
            .field("trust", &self.trust)
            .field("certified", &self.certified)
            .field("checkpoint", &self.checkpoint)
            .field("believed", &self.believed)
            .finish_non_exhaustive()
    }
}

/// Why a snapshot is not to be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("it is of chain {found}, this genesis is {expected}")]
    OtherChain { found: Digest, expected: Digest },
    #[error("its last block is none that ends a snapshot: genesis or a seal")]
    NoTip,
    #[error("its last block is not what its own header says")]
    OtherBody,
    #[error("{0} recent headers where at most {max} are allowed", max = Manifest::MAX_RECENT)]
    TooManyRecent(usize),
    #[error("the recent headers break at height {0}")]
    Recent(Height),
    #[error(
        "it shows no certificates; on this chain finality is a certificate, so nothing is proven"
    )]
    NotCertified,
    #[error("it shows certificates; this chain has none")]
    Certified,
    #[error(transparent)]
    Lineage(#[from] LineageError),
    #[error("the changes of the validator set end at epoch {found}, the last block at {expected}")]
    OtherEpoch { found: Epoch, expected: Epoch },
    #[error("the barrier of epoch {0} is not where the last block says")]
    Barrier(Epoch),
    #[error("its last block is voted on by another validator set")]
    OtherSet,
    #[error("its last block is not proven final")]
    NotFinal,
    #[error("a proposer's signature in it does not match")]
    Signature,
    #[error(
        "this chain has no certificates, so nothing in a snapshot proves that the chain contains \
         it: give a block that you know to be in it, as --checkpoint HEIGHT:HASH"
    )]
    Unproven,
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    #[error("the state is not all there: {0}")]
    Cut(#[from] CutError),
    #[error("the state's validators are not those that the last block names")]
    OtherState,
}

impl Manifest {
    /// Most headers below the last block.
    pub const MAX_RECENT: usize = 256;
    /// Most changes of the validator set.
    pub const MAX_BARRIERS: usize = Lineage::MAX;

    pub fn height(&self) -> Height {
        self.tip.header.height
    }

    /// The epoch in force after the last block.
    pub fn epoch(&self) -> Epoch {
        epoch_after(&self.tip.header)
    }

    pub fn offer(&self) -> Offer {
        let chain_id = &self.tip.header.chain_id;
        let hasher = Hasher::on_chain(Domain::Snapshot, chain_id).bytes(&self.tip.hash().0);
        Offer { height: self.height(), id: hasher.value(&self.cut).finish() }
    }

    /// The barriers, oldest first: barrier `n` ended epoch `n`.
    pub fn barriers(&self) -> Vec<&Header> {
        match &self.ancestry {
            Ancestry::Certified { lineage, .. } => {
                lineage.0.iter().map(|change| &change.barrier).collect()
            }
            Ancestry::Reported { barriers } => barriers.iter().collect(),
        }
    }

    /// Checks everything but the state itself, which the chunks are checked for.
    ///
    /// # Errors
    /// [`ManifestError`] with the first reason not to trust it.
    pub fn verify(&self, terms: &Terms<'_>) -> Result<(), ManifestError> {
        self.check_tip(&terms.trust.chain_id)?;
        self.check_recent(&terms.trust.chain_id)?;
        match (&self.ancestry, terms.certified) {
            (Ancestry::Certified { lineage, proof }, true) => {
                self.check_certified(lineage, proof, terms)?;
            }
            (Ancestry::Reported { barriers }, false) => self.check_reported(barriers, terms)?,
            (Ancestry::Reported { .. }, true) => return Err(ManifestError::NotCertified),
            (Ancestry::Certified { .. }, false) => return Err(ManifestError::Certified),
        }
        self.check_barriers(&terms.trust.chain_id)?;
        if let Some(checkpoint) = &terms.checkpoint {
            checkpoint.check(self)?;
        }
        Ok(self.cut.verify(&self.tip.header.state_root)?)
    }

    /// Whether this is the state after the last block. Its root was checked before, as were the
    /// parts it is made of.
    ///
    /// # Errors
    /// [`ManifestError::OtherState`] where its validators are others than the header names.
    pub fn check_state(&self, state: &State) -> Result<(), ManifestError> {
        let header = &self.tip.header;
        let set = state.validators();
        let matches = state.root() == header.state_root
            && set.epoch == self.epoch()
            && set.hash(&header.chain_id) == header.next_validators_hash;
        matches.then_some(()).ok_or(ManifestError::OtherState)
    }

    fn check_tip(&self, chain_id: &Digest) -> Result<(), ManifestError> {
        let header = &self.tip.header;
        if header.chain_id != *chain_id {
            let (found, expected) = (header.chain_id, *chain_id);
            return Err(ManifestError::OtherChain { found, expected });
        }
        if header.height.get() == 0 || header.kind == BlockKind::Seal {
            return Err(ManifestError::NoTip);
        }
        if self.tip.matches_header() { Ok(()) } else { Err(ManifestError::OtherBody) }
    }

    /// Each header is the parent of the next, the last one of the tip.
    fn check_recent(&self, chain_id: &Digest) -> Result<(), ManifestError> {
        if self.recent.len() > Self::MAX_RECENT {
            return Err(ManifestError::TooManyRecent(self.recent.len()));
        }
        let mut above = &self.tip.header;
        for header in self.recent.iter().rev() {
            if header.hash(chain_id) != above.parent || header.height.next() != above.height {
                return Err(ManifestError::Recent(header.height));
            }
            above = header;
        }
        Ok(())
    }

    fn check_certified(
        &self,
        lineage: &Lineage,
        proof: &FinalityProof,
        terms: &Terms<'_>,
    ) -> Result<(), ManifestError> {
        let Terms { trust, verifier, .. } = *terms;
        lineage.verify(trust, verifier)?;
        self.check_epoch(lineage.0.len())?;
        let header = &self.tip.header;
        let set = match usize::try_from(header.epoch.get()) {
            Ok(0) => &trust.validators,
            Ok(epoch) => &lineage.0[epoch - 1].validators,
            Err(_) => return Err(ManifestError::OtherSet),
        };
        if set.hash(&trust.chain_id) != header.validators_hash {
            return Err(ManifestError::OtherSet);
        }
        if !proof.verify(&self.tip.hash(), &trust.chain_id, set, verifier) {
            return Err(ManifestError::NotFinal);
        }
        let mut signed = proof.headers.clone();
        signed.push(self.tip.signed_header());
        let verified = SignedHeader::verify_all(&signed, &trust.chain_id, set, verifier);
        verified.then_some(()).ok_or(ManifestError::Signature)
    }

    fn check_reported(&self, barriers: &[Header], terms: &Terms<'_>) -> Result<(), ManifestError> {
        if terms.checkpoint.is_none() && !terms.believed {
            return Err(ManifestError::Unproven);
        }
        self.check_epoch(barriers.len())
    }

    /// Whether so many epochs ended up to the last block.
    fn check_epoch(&self, ended: usize) -> Result<(), ManifestError> {
        let (found, expected) = (Epoch::new(ended as u64), self.epoch());
        if found != expected || ended > Self::MAX_BARRIERS {
            return Err(ManifestError::OtherEpoch { found, expected });
        }
        Ok(())
    }

    /// The barriers are in order, below the last block, and those that the recent headers show.
    fn check_barriers(&self, chain_id: &Digest) -> Result<(), ManifestError> {
        let tip = &self.tip.header;
        let known = || self.recent.iter().chain([tip]);
        let mut height = Height::new(0);
        for (epoch, barrier) in (0..).map(Epoch::new).zip(self.barriers()) {
            let shown = known().find(|header| header.height == barrier.height);
            let fits = barrier.chain_id == *chain_id
                && barrier.kind == BlockKind::Barrier
                && barrier.epoch == epoch
                && barrier.height > height
                && barrier.height <= tip.height
                && shown.is_none_or(|header| header == barrier);
            if !fits {
                return Err(ManifestError::Barrier(epoch));
            }
            height = barrier.height;
        }
        let shown = known().filter(|header| header.kind == BlockKind::Barrier);
        let opened = shown.map(|header| header.height).max();
        if opened.is_some_and(|opened| opened != height) {
            return Err(ManifestError::Barrier(self.epoch()));
        }
        Ok(())
    }
}

/// The epoch in force after a block.
fn epoch_after(header: &Header) -> Epoch {
    match header.kind {
        BlockKind::Barrier => header.epoch.next(),
        BlockKind::Ordinary | BlockKind::Seal => header.epoch,
    }
}

#[cfg(test)]
mod tests;
