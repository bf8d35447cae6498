//! Snapshots that are held in memory, and serving them.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError, RwLock};

use chain::codec;
use chain::snapshot::{Ancestry, Manifest, Offer};
use chain::state::{Cut, State};
use chain::types::{Digest, Height};

use crate::storage::{Store, StoreError};

/// Snapshots that are held at one time. The older one is for those who began with it.
const HELD: usize = 2;

/// The chain at one final height.
#[derive(Clone, Debug)]
pub struct Snapshot {
    offer: Offer,
    tip: Digest,
    manifest: Arc<[u8]>,
    cut: Cut,
    state: State,
}

impl Snapshot {
    /// The snapshot at a final height, with the state after its block. Takes time in proportion to the
    /// state. `None` where no proof of the block can be shown.
    ///
    /// # Errors
    /// [`StoreError`] where the store fails, or the height is below its lowest block.
    pub fn take(store: &Store, height: Height, state: State) -> Result<Option<Self>, StoreError> {
        let tip = store.final_block(height)?;
        let lowest = height.get().saturating_sub(Manifest::MAX_RECENT as u64).max(1);
        let recent = (lowest..height.get())
            .filter_map(|height| store.final_header(Height::new(height)).transpose())
            .collect::<Result<_, StoreError>>()?;
        let epoch = state.validators().epoch;
        let ancestry = match store.lineage(epoch)? {
            Some(lineage) => {
                let Some(proof) = store.prove(height)? else {
                    return Ok(None);
                };
                Ancestry::Certified { lineage, proof }
            }
            None => {
                let openings = store.epoch_openings(epoch)?;
                let barriers = openings.into_iter().map(|opening| opening.barrier).collect();
                Ancestry::Reported { barriers }
            }
        };
        let manifest = Manifest { tip, recent, ancestry, cut: state.cut() };
        let (offer, tip) = (manifest.offer(), manifest.tip.hash());
        let encoded = codec::encode(&manifest);
        Ok(Some(Self { offer, tip, manifest: encoded.into(), cut: manifest.cut, state }))
    }

    pub fn offer(&self) -> Offer {
        self.offer
    }

    /// Hash of the last block.
    pub fn tip(&self) -> Digest {
        self.tip
    }

    /// The encoded [`Manifest`].
    pub fn manifest(&self) -> Arc<[u8]> {
        Arc::clone(&self.manifest)
    }

    /// How many chunks there are.
    pub fn len(&self) -> usize {
        self.cut.0.len()
    }

    /// Never: every state has a record about the chain.
    pub fn is_empty(&self) -> bool {
        self.cut.0.is_empty()
    }

    /// An encoded [`chain::state::Chunk`].
    pub fn chunk(&self, index: usize) -> Option<Vec<u8>> {
        let chunk = self.state.chunk(self.cut.0.get(index)?)?;
        Some(codec::encode(&chunk))
    }
}

/// The snapshots that a node serves, from any thread. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct SnapshotSource(Arc<RwLock<VecDeque<Arc<Snapshot>>>>);

impl SnapshotSource {
    /// What can be asked for, newest first.
    pub fn offers(&self) -> Vec<Offer> {
        self.held().iter().map(|snapshot| snapshot.offer).collect()
    }

    /// The encoded [`Manifest`] of an offer, at most [`Manifest::MAX_BYTES`](chain::codec::Bounded)
    /// long; `None` where it is not held any more.
    pub fn manifest(&self, offer: &Offer) -> Option<Arc<[u8]>> {
        self.find(offer).map(|snapshot| snapshot.manifest())
    }

    /// An encoded chunk of an offer, at most [`Chunk::MAX_BYTES`](chain::codec::Bounded) long; `None`
    /// where there is none of this index or the snapshot is not held any more. Some milliseconds of
    /// work: not for a thread that others wait for.
    pub fn chunk(&self, offer: &Offer, index: usize) -> Option<Vec<u8>> {
        self.find(offer)?.chunk(index)
    }

    /// Height of the oldest one: who begins with it needs the blocks above.
    pub fn oldest(&self) -> Option<Height> {
        self.held().back().map(|snapshot| snapshot.offer.height)
    }

    /// Takes a newer snapshot in and lets the oldest go.
    pub fn add(&self, snapshot: Snapshot) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.front().is_none_or(|newest| newest.offer.height < snapshot.offer.height) {
            held.push_front(Arc::new(snapshot));
            held.truncate(HELD);
        }
    }

    fn find(&self, offer: &Offer) -> Option<Arc<Snapshot>> {
        self.held().iter().find(|snapshot| snapshot.offer == *offer).cloned()
    }

    fn held(&self) -> std::sync::RwLockReadGuard<'_, VecDeque<Arc<Snapshot>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}
