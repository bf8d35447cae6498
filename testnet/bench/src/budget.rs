//! Where the processor time of a transaction goes: samples of all validators under the highest load,
//! put down to what they were at, and a flame graph of the same samples.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use consensus::registry::EngineName;
use inferno::collapse::Collapse;
use inferno::collapse::perf::Folder;
use inferno::flamegraph;
use testnet::cli::PayloadKind;
use testnet::load::{self, Options, Rate};

use crate::network::Network;
use crate::results::Table;
use crate::signed::SENDERS;

/// Samples per second of processor time.
const FREQUENCY: &str = "99";
/// Load has found its rate by then.
const WARM_UP: Duration = Duration::from_secs(6);
/// What the load adds to warm-up and sampling, so that sampling ends first.
const MARGIN: Duration = Duration::from_secs(2);

/// What a frame of a stack is about, by a part of its name. The innermost frame that is about
/// something decides: copying memory within RocksDB is RocksDB.
const SUBJECTS: [(&str, &[&str]); 11] = [
    (
        "signatures: checking and making",
        &["ed25519", "curve25519", "crypto::Ed25519", "verify_batch"],
    ),
    ("hashing", &["sha2::", "sha256", "merkle", "ct_merkle"]),
    ("encrypting links", &["snow::", "chacha", "poly1305", "libp2p_noise"]),
    (
        "storage: RocksDB and the file system",
        &["rocksdb", "LZ4", "ext4", "jbd2", "fdatasync", "blk_"],
    ),
    (
        "sockets of the kernel",
        &["tcp_", "sock_", "inet_", "skb_", "ip_", "loopback", "epoll", "net_rx"],
    ),
    ("links and gossip: libp2p", &["libp2p", "yamux", "multistream", "gossipsub", "node::network"]),
    (
        "JSON-RPC",
        &[
            "jsonrpsee",
            "serde_json",
            "hyper",
            "axum",
            "tungstenite",
            "node::rpc",
            "node_api",
            "hex::",
        ],
    ),
    (
        "execution and state",
        &["chain::execute", "chain::state", "chain::ledger", "imbl", "node::application"],
    ),
    ("pool", &["mempool", "node::pool"]),
    ("encoding and decoding", &["bincode", "chain::codec"]),
    ("engine and driver", &["consensus::"]),
];
/// Where nothing else was found.
const GENERIC: [(&str, &[&str]); 2] = [
    (
        "tasks, threads, waking and waiting",
        &["tokio", "futex", "sched", "crossbeam", "mio::", "std::thread", "syscall"],
    ),
    ("memory", &["malloc", "free", "mem", "alloc", "page_fault"]),
];
const REST: &str = "everything else";

/// The table; the picture goes to a file if one is named.
///
/// # Errors
/// Where `perf` is not there or may not watch, or the network fails.
pub async fn run(quick: bool, picture: Option<&Path>) -> anyhow::Result<Table> {
    let sampling = Duration::from_secs(if quick { 4 } else { 20 });
    let network = Network::start(EngineName::Hybrid, 4).await?;
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("perf.data");
    let processes = network.cluster.processes()?;
    let pids: Vec<String> = processes.iter().map(|process| process.pid.to_string()).collect();
    let pids = pids.join(",");
    let recorder = record(&pids, sampling, &data);
    let options = Options {
        rate: Rate::Max,
        duration: WARM_UP + sampling + MARGIN,
        payload: PayloadKind::Transfer,
        senders: SENDERS,
    };
    let (recorded, report) = tokio::join!(recorder, load::run(&network.cluster, options));
    let report = report?;
    recorded?;
    report.check()?;
    drop(network);
    let stacks = fold(&data)?;
    if let Some(picture) = picture {
        draw(&stacks, picture)?;
    }
    Ok(table(&stacks, report.cpu_us_per_tx, report.tps))
}

/// Samples processes for a while, once the load has found its rate.
async fn record(pids: &str, sampling: Duration, data: &Path) -> anyhow::Result<()> {
    tokio::time::sleep(WARM_UP).await;
    let status = tokio::process::Command::new("perf")
        // Stacks as the unwind tables tell them: nothing is built with frame pointers.
        .args(["record", "-q", "-F", FREQUENCY, "--call-graph", "dwarf,16384", "-p", pids, "-o"])
        .arg(data)
        .args(["--", "sleep", &sampling.as_secs().to_string()])
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .context("cannot start perf: install linux-perf (Debian)")?;
    ensure!(
        status.success(),
        "perf may not watch: run as root, or lower kernel.perf_event_paranoid"
    );
    Ok(())
}

/// Stacks with their counts, a line each: thread, outermost frame, and so on.
fn fold(data: &Path) -> anyhow::Result<String> {
    let script = Command::new("perf")
        .args(["script", "--no-inline", "-F", "comm,pid,tid,time,event,ip,sym,dso", "-i"])
        .arg(data)
        .stderr(Stdio::null())
        .output()
        .context("cannot start perf")?;
    ensure!(script.status.success(), "perf cannot read what it recorded");
    let mut folded = Vec::new();
    Folder::default().collapse(script.stdout.as_slice(), &mut folded)?;
    Ok(String::from_utf8(folded)?)
}

fn draw(stacks: &str, picture: &Path) -> anyhow::Result<()> {
    let mut options = flamegraph::Options::default();
    options.title = "Four validators under the highest load of signed transfers".to_owned();
    options.min_width = 0.2;
    let file = std::fs::File::create(picture)
        .with_context(|| format!("cannot write {}", picture.display()))?;
    flamegraph::from_lines(&mut options, stacks.lines(), file)?;
    Ok(())
}

fn table(stacks: &str, cpu_us: f64, tps: f64) -> Table {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for line in stacks.lines() {
        let Some((stack, count)) = line.rsplit_once(' ') else { continue };
        *counts.entry(subject(stack)).or_default() += count.parse().unwrap_or(0);
    }
    let total: u64 = counts.values().sum::<u64>().max(1);
    let mut rows: Vec<(&str, u64)> = counts.into_iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let title = format!(
        "Processor time of all four validators per transaction, at {tps:.0} tx/s, {total} samples"
    );
    let mut table = Table::new(&title, &["what", "share %", "µs per transaction"]);
    for (what, count) in rows {
        let share = count as f64 / total as f64;
        table.row([what.into(), (100.0 * share).into(), (cpu_us * share).into()]);
    }
    table.row(["together".into(), 100.0.into(), cpu_us.into()]);
    table
}

/// What a stack is about.
fn subject(stack: &str) -> &'static str {
    let find = |subjects: &[(&'static str, &[&str])]| {
        // The first part is the thread.
        stack.split(';').skip(1).collect::<Vec<_>>().into_iter().rev().find_map(|frame| {
            let about =
                |(_, parts): &&(&str, &[&str])| parts.iter().any(|part| frame.contains(part));
            subjects.iter().find(about).map(|(what, _)| *what)
        })
    };
    find(&SUBJECTS).or_else(|| find(&GENERIC)).unwrap_or(REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_frame_that_is_about_something_decides() {
        let about = |stack| subject(stack);
        assert_eq!(about("pool;start;node::pool::run;ed25519_zebra::verify;mul"), SUBJECTS[0].0);
        assert_eq!(about("x;consensus::driver::turn;rocksdb::write;memcpy"), SUBJECTS[3].0);
        assert_eq!(about("x;start;tokio::runtime;malloc"), GENERIC[1].0);
        assert_eq!(about("x;start"), REST);
    }

    #[test]
    fn the_budget_adds_up() {
        let table = table("a;rocksdb::put 3\na;bincode::x 1\n", 80.0, 100.0);
        let microseconds: Vec<String> = table.rows.iter().map(|row| row[2].to_string()).collect();
        assert_eq!(microseconds, ["60", "20", "80"]);
    }
}
