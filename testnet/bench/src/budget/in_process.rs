//! Engines in process, which have no network, no disk and no execution: what ordering itself takes.

use std::time::Duration;

use consensus::hybrid::Hybrid;
use consensus::paxos::Paxos;
use consensus::raft::Raft;
use consensus_sim::direct::{Carriage, Direct, Setup};
use consensus_sim::plan::EngineOptions;

use super::subjects::IN_PROCESS;
use super::{perf, table};
use crate::engines::{Contestant, Ours};
use crate::method::own_cpu;
use crate::ordering::{SMALL, VALIDATORS};
use crate::results::Table;

/// As in the benchmarks `engines` and `ordering`.
pub(super) fn tables(sampling: Duration) -> anyhow::Result<Vec<Table>> {
    let mut tables = Vec::new();
    for batch in [1, 256] {
        let mut raft = Ours::<Raft>::new(Carriage::Shared, batch);
        let mut paxos = Ours::<Paxos>::new(Carriage::Shared, batch);
        let title = |name| format!("{name} in process: per operation, in batches of {batch}");
        tables.push(watch(&title("Raft"), sampling, batch, || raft.order(batch))?);
        tables.push(watch(&title("Multi-Paxos"), sampling, batch, || paxos.order(batch))?);
    }
    let setup = Setup::new(VALIDATORS, EngineOptions::default(), SMALL.payloads);
    let mut hybrid = Direct::<Hybrid>::new(setup);
    let round = || hybrid.flow(SMALL.payloads as u64, SMALL.payload_bytes);
    let title = "Hybrid in process: per payload of 200 bytes, in blocks of 1 MB";
    tables.push(watch(title, sampling, SMALL.payloads, round)?);
    Ok(tables)
}

/// Samples this process while it orders again and again, so many operations at a time.
fn watch(
    title: &str,
    sampling: Duration,
    operations: usize,
    mut order: impl FnMut(),
) -> anyhow::Result<Table> {
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("perf.data");
    let own = i32::try_from(std::process::id())?;
    let mut recorder = perf::record(&[own], perf::OFTEN, sampling, &data)?;
    let (mut rounds, before) = (0_u64, own_cpu()?);
    while recorder.is_at_work()? {
        order();
        rounds += 1;
    }
    let spent = own_cpu()?.saturating_sub(before);
    recorder.finish()?;
    let per_operation = spent.as_secs_f64() * 1e6 / (rounds as f64 * operations as f64);
    Ok(table(&perf::fold(&data)?, &IN_PROCESS, per_operation, title))
}
