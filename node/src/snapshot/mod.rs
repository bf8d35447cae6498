//! Snapshots: the chain at one final height, without the blocks below it.
//!
//! docs/adr/0006-snapshots-and-pruning.md. A node takes one now and then ([`Upkeep`]), serves it from
//! memory ([`SnapshotSource`]), and begins with one that others gave it ([`SnapshotSink`]). A file
//! carries one where no network does ([`file`]).

pub mod file;
mod sink;
mod source;
mod upkeep;

use chain::crypto::Verifier;
use chain::light::Trust;
use chain::snapshot::{Checkpoint, Terms};
use consensus::engine::FaultModel;

pub use sink::{SnapshotError, SnapshotSink};
pub use source::{Snapshot, SnapshotSource};
pub use upkeep::{Upkeep, UpkeepHandle, UpkeepPolicy};

use crate::storage::GenesisState;

/// By what a snapshot is judged, as the genesis and the operator say.
#[derive(Clone, Debug)]
pub struct Judge {
    trust: Trust,
    certified: bool,
    checkpoint: Option<Checkpoint>,
    believed: bool,
}

impl Judge {
    /// `checkpoint`: a block that the chain is known to have. `believed`: whoever gives the snapshot
    /// is a member of a chain whose members do not lie; matters only where finality is not certified.
    pub fn new(genesis: &GenesisState, checkpoint: Option<Checkpoint>, believed: bool) -> Self {
        let (chain_id, validators) = (genesis.chain_id, genesis.state.validators().clone());
        Self {
            trust: Trust { chain_id, validators },
            certified: genesis.engine.fault_model() == FaultModel::Byzantine,
            checkpoint,
            believed,
        }
    }

    fn terms<'a>(&'a self, verifier: &'a dyn Verifier) -> Terms<'a> {
        Terms {
            trust: &self.trust,
            certified: self.certified,
            checkpoint: self.checkpoint,
            believed: self.believed,
            verifier,
        }
    }
}
