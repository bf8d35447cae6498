//! The hybrid, driven by the driver of production: every message is encoded by its sender and
//! decoded by each receiver.

use consensus::hybrid::Hybrid;
use consensus_sim::direct::{Direct, Setup};
use consensus_sim::plan::EngineOptions;

use super::{Load, Ordered, Since, VALIDATORS};

pub(super) fn order(load: Load) -> anyhow::Result<Ordered> {
    let setup = Setup::new(VALIDATORS, EngineOptions::default(), load.payloads);
    let mut network = Direct::<Hybrid>::new(setup);
    network.pipelined(1, load.payloads as u64, load.payload_bytes);
    let (before, since) = (network.costs(), Since::now()?);
    // What fills the pipeline again is ordered like everything else, and counts.
    network.pipelined(load.blocks, load.payloads as u64, load.payload_bytes);
    since.until_now((network.costs() - before).blocks)
}
