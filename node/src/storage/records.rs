//! Small records of the store's own, and how values are read back.

use bincode::{Decode, Encode};
use chain::block::{Header, Mode};
use chain::codec::{self, Bounded};
use chain::evidence::Evidence;
use chain::light::{EpochChange, FinalityPath};
use chain::types::{Digest, Epoch, Height, View};
use chain::validator::ValidatorSet;
use consensus::engine::Reason;

use super::error::StoreError;

/// The schema that this program writes. A change of any key or value needs the next number.
pub const SCHEMA: u32 = 2;

/// Says whose data this is. Its bytes mean the same in every schema: the schema's number, big
/// endian, then the chain id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) schema: u32,
    pub(super) chain_id: Digest,
}

impl Identity {
    pub(super) fn to_bytes(self) -> Vec<u8> {
        [self.schema.to_be_bytes().as_slice(), &self.chain_id.0].concat()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (schema, chain_id) = bytes.split_at_checked(4)?;
        Some(Self {
            schema: u32::from_be_bytes(schema.try_into().ok()?),
            chain_id: Digest(chain_id.try_into().ok()?),
        })
    }
}

/// Where the final chain ends. Written with every committed block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Marker {
    pub(super) height: Height,
    pub(super) hash: Digest,
    /// The epoch in force after that block.
    pub(super) epoch: Epoch,
    /// Height of the block whose state is in the state column family; 0 is genesis, not stored.
    pub(super) checkpoint: Height,
}

impl Bounded for Marker {
    const MAX_BYTES: usize = 64;
}

/// The lowest height whose block is here, if it is not 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Base(pub(super) Height);

impl Bounded for Base {
    const MAX_BYTES: usize = 8;
}

/// The block that an epoch stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    /// Genesis (0) or the barrier.
    pub height: Height,
    pub hash: Digest,
    /// Mode of that block, and so of the epoch's first view.
    pub mode: Mode,
}

/// How an epoch after the first began. Kept for ever: whoever has only the genesis follows the chain
/// from one of these to the next.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EpochOpening {
    /// Header of the last block of the epoch before.
    pub barrier: Header,
    /// Proof that it is final; `None` on a chain without proofs.
    pub finality: Option<FinalityPath>,
    /// The set of the epoch.
    pub validators: ValidatorSet,
}

impl Bounded for EpochOpening {
    const MAX_BYTES: usize = 8 + EpochChange::MAX_BYTES;
}

impl EpochOpening {
    pub(super) fn start(&self, chain_id: &Digest) -> EpochStart {
        let Header { height, mode, .. } = self.barrier;
        EpochStart { height, hash: self.barrier.hash(chain_id), mode }
    }
}

/// A final block that was ordered under another mode than its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct ModeChangeRecord {
    pub(super) from: Mode,
    pub(super) to: Mode,
    /// Epoch and view of the block.
    pub(super) epoch: Epoch,
    pub(super) view: View,
    /// First view of that epoch which the change may have left behind.
    pub(super) since: View,
}

impl Bounded for ModeChangeRecord {
    const MAX_BYTES: usize = 64;
}

/// Evidence in a final block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct EvidenceOnChain {
    pub height: Height,
    pub evidence: Evidence,
}

/// The evidence of one block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct EvidenceList(pub(super) Vec<Evidence>);

impl Bounded for EvidenceList {
    const MAX_BYTES: usize = 1024 * 1024;
}

/// A change of mode in the final chain, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ModeChange {
    pub height: Height,
    pub from: Mode,
    pub to: Mode,
    pub reason: Reason,
}

impl ModeChangeRecord {
    /// The reason that the chain shows: `fast` returns only after calm; `pbft` came from an
    /// equivocation if one in the views left behind is in the chain, else from a timeout.
    pub(super) fn explain(&self, height: Height, evidence: &[EvidenceOnChain]) -> ModeChange {
        let caught = evidence.iter().any(|item| {
            let view = item.evidence.view();
            item.evidence.epoch() == self.epoch && view >= self.since && view < self.view
        });
        let reason = match self.to {
            Mode::Fast => Reason::Calm,
            Mode::Pbft if caught => Reason::Equivocation,
            Mode::Pbft => Reason::Timeout,
        };
        ModeChange { height, from: self.from, to: self.to, reason }
    }
}

/// Reads a value that this program wrote.
pub(super) fn decode<T: Decode<()> + Bounded>(
    bytes: &[u8],
    what: impl FnOnce() -> String,
) -> Result<T, StoreError> {
    codec::decode(bytes).map_err(|error| StoreError::damaged(format!("{} ({error})", what())))
}
