//! Where processor time goes: samples of validators under the highest load, and of engines in process,
//! put down to what they were at; a flame graph of the validators.

mod in_process;
mod perf;
mod subjects;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use consensus::registry::EngineName;
use inferno::flamegraph;
use testnet::cli::PayloadKind;
use testnet::load::{self, Options, Rate};

use crate::network::Network;
use crate::results::Table;
use crate::signed::SENDERS;
use subjects::{Subjects, VALIDATORS};

/// Load has found its rate by then.
const WARM_UP: Duration = Duration::from_secs(6);
/// What the load adds to warm-up and sampling, so that sampling ends first.
const MARGIN: Duration = Duration::from_secs(2);

/// The tables; the picture of the hybrid's validators goes to a file if one is named.
///
/// # Errors
/// Where `perf` is not there or may not watch, or a network fails.
pub async fn run(quick: bool, picture: Option<&Path>) -> anyhow::Result<Vec<Table>> {
    let sampling = Duration::from_secs(if quick { 4 } else { 20 });
    let signed = validators(EngineName::Hybrid, 4, PayloadKind::Transfer, sampling).await?;
    if let Some(picture) = picture {
        draw(&signed.stacks, picture)?;
    }
    let puts = validators(EngineName::Raft, 3, PayloadKind::Put, sampling).await?;
    let networks = [
        signed.table("Four validators of the hybrid: processor time of all per signed transfer"),
        puts.table("Three validators of Raft: processor time of all per signed put"),
    ];
    let alone = Duration::from_secs(if quick { 2 } else { 8 });
    let in_process = tokio::task::spawn_blocking(move || in_process::tables(alone)).await??;
    Ok(networks.into_iter().chain(in_process).collect())
}

/// What was seen of a network's validators.
struct Seen {
    stacks: String,
    cpu_us_per_tx: f64,
    tps: f64,
}

impl Seen {
    fn table(&self, title: &str) -> Table {
        let title = format!("{title}, at {:.0} a second", self.tps);
        table(&self.stacks, &VALIDATORS, self.cpu_us_per_tx, &title)
    }
}

/// Samples a network's validators under the highest load.
async fn validators(
    engine: EngineName,
    count: u16,
    payload: PayloadKind,
    sampling: Duration,
) -> anyhow::Result<Seen> {
    let network = Network::start(engine, count).await?;
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("perf.data");
    let processes: Vec<i32> =
        network.cluster.processes()?.iter().map(|process| process.pid).collect();
    let recorder = async {
        tokio::time::sleep(WARM_UP).await;
        let mut perf = perf::record(&processes, perf::SELDOM, sampling, &data)?;
        tokio::task::spawn_blocking(move || perf.finish()).await?
    };
    let options = Options {
        rate: Rate::Max,
        duration: WARM_UP + sampling + MARGIN,
        payload,
        senders: SENDERS,
    };
    let (recorded, report) = tokio::join!(recorder, load::run(&network.cluster, options));
    let report = report?;
    recorded?;
    report.check()?;
    drop(network);
    let stacks = perf::fold(&data)?;
    Ok(Seen { stacks, cpu_us_per_tx: report.cpu_us_per_tx, tps: report.tps })
}

fn draw(stacks: &str, picture: &Path) -> anyhow::Result<()> {
    let mut options = flamegraph::Options::default();
    options.title = "Four validators under the highest load of signed transfers".to_owned();
    options.min_width = 0.2;
    options.no_javascript = true;
    let file = std::fs::File::create(picture)
        .with_context(|| format!("cannot write {}", picture.display()))?;
    flamegraph::from_lines(&mut options, stacks.lines(), file)?;
    Ok(())
}

/// A line per subject, and all of them together.
fn table(stacks: &str, subjects: &Subjects, cpu_us: f64, title: &str) -> Table {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for line in stacks.lines() {
        let Some((stack, count)) = line.rsplit_once(' ') else { continue };
        *counts.entry(subjects.of(stack)).or_default() += count.parse().unwrap_or(0);
    }
    let total: u64 = counts.values().sum::<u64>().max(1);
    let mut rows: Vec<(&str, u64)> = counts.into_iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let title = format!("{title}, {total} samples");
    let mut table = Table::new(&title, &["what", "share %", "µs"]);
    for (what, count) in rows {
        let share = count as f64 / total as f64;
        table.row([what.into(), (100.0 * share).into(), (cpu_us * share).into()]);
    }
    table.row(["together".into(), 100.0.into(), cpu_us.into()]);
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_adds_up() {
        let stacks = "a;rocksdb::put 3\na;bincode::x 1\n";
        let table = table(stacks, &VALIDATORS, 80.0, "a title");
        let microseconds: Vec<String> = table.rows.iter().map(|row| row[2].to_string()).collect();
        assert_eq!(microseconds, ["60", "20", "80"]);
    }
}
