//! Beginning with a snapshot that others give: every piece is checked as it comes.

use std::path::Path;

use chain::codec::{self, CodecError};
use chain::crypto::Verifier;
use chain::snapshot::{Manifest, ManifestError, Offer};
use chain::state::{Assembly, ChunkError, State, StateError};
use chain::types::{Digest, Height};

use super::Judge;
use crate::storage::install::{self, InstallError};

/// A snapshot that is coming in. Its manifest is verified; the state is put together in memory.
#[derive(Debug)]
pub struct SnapshotSink {
    manifest: Manifest,
    assembly: Assembly,
}

/// A snapshot that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("its first part cannot be read: {0}")]
    Malformed(CodecError),
    #[error("it is another snapshot than was asked for")]
    OtherOffer,
    #[error("the snapshot is refused: {0}")]
    Manifest(#[from] ManifestError),
    #[error("chunk {index} of the snapshot cannot be read: {error}")]
    MalformedChunk { index: usize, error: CodecError },
    #[error("chunk {index} of the snapshot is refused: {error}")]
    Chunk { index: usize, error: ChunkError },
    #[error("the snapshot's records are no state: {0}")]
    State(#[from] StateError),
    #[error(transparent)]
    Install(#[from] InstallError),
}

impl SnapshotError {
    /// Whether whoever gave the piece is to blame: a peer that offers a snapshot has all of it.
    pub fn is_givers_fault(&self) -> bool {
        !matches!(self, Self::Install(_))
    }
}

impl SnapshotSink {
    /// Begins with an encoded [`Manifest`], everything in it checked but the state.
    ///
    /// # Errors
    /// [`SnapshotError`] with the first reason not to trust it.
    pub fn new(
        manifest: &[u8],
        judge: &Judge,
        verifier: &dyn Verifier,
    ) -> Result<Self, SnapshotError> {
        let manifest: Manifest = codec::decode(manifest).map_err(SnapshotError::Malformed)?;
        manifest.verify(&judge.terms(verifier))?;
        let root = manifest.tip.header.state_root;
        let assembly = Assembly::new(manifest.cut.clone(), root).map_err(ManifestError::from)?;
        Ok(Self { manifest, assembly })
    }

    /// [`new`](Self::new), of the snapshot that a peer offered.
    ///
    /// # Errors
    /// Likewise; [`SnapshotError::OtherOffer`] where it is another.
    pub fn for_offer(
        offer: &Offer,
        manifest: &[u8],
        judge: &Judge,
        verifier: &dyn Verifier,
    ) -> Result<Self, SnapshotError> {
        let sink = Self::new(manifest, judge, verifier)?;
        if sink.offer() == *offer { Ok(sink) } else { Err(SnapshotError::OtherOffer) }
    }

    pub fn offer(&self) -> Offer {
        self.manifest.offer()
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// How many chunks there are.
    pub fn len(&self) -> usize {
        self.assembly.len()
    }

    /// Never: every state has a record about the chain.
    pub fn is_empty(&self) -> bool {
        self.assembly.is_empty()
    }

    /// Whether a chunk is here.
    pub fn has(&self, index: usize) -> bool {
        self.assembly.has(index)
    }

    /// How many chunks are not here yet.
    pub fn missing(&self) -> usize {
        self.assembly.missing()
    }

    /// Takes an encoded chunk in, in any order.
    ///
    /// # Errors
    /// [`SnapshotError`] where it is not that chunk; the peer that gave it is to blame, if it offered
    /// this very snapshot.
    pub fn add(&mut self, index: usize, chunk: &[u8]) -> Result<(), SnapshotError> {
        let malformed = |error| SnapshotError::MalformedChunk { index, error };
        let chunk = codec::decode(chunk).map_err(malformed)?;
        self.assembly.add(index, chunk).map_err(|error| SnapshotError::Chunk { index, error })
    }

    /// The state and what it belongs to, once every chunk is here.
    ///
    /// # Errors
    /// [`SnapshotError`] where the chain's own validators agreed on no state.
    ///
    /// # Panics
    /// Where a chunk is missing.
    pub fn finish(self) -> Result<(Manifest, State), SnapshotError> {
        let state = self.assembly.finish()?;
        self.manifest.check_state(&state)?;
        Ok((self.manifest, state))
    }

    /// Makes the store in a data directory begin with the snapshot, once every chunk is here; see
    /// [`install`](install::install). Answers the height and hash of its last block.
    ///
    /// # Errors
    /// [`SnapshotError`], with the directory as it was.
    ///
    /// # Panics
    /// Where a chunk is missing.
    pub fn install(self, directory: &Path) -> Result<(Height, Digest), SnapshotError> {
        let (manifest, state) = self.finish()?;
        install::install(directory, &manifest, &state)?;
        Ok((manifest.height(), manifest.tip.hash()))
    }
}
