//! Ten nodes under full load, and a page that looks on: what it keeps in memory, what it costs.
//!
//! `DASHBOARD_MINUTES` says for how long, for a soak; a test takes seconds, and has no opinion on
//! throughput.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::live::dashboard;
use crate::page::Page;
use crate::processor::time_of_tree;
use crate::testnet::Testnet;

const NODES: &str = "10";
/// Most of the machine's processor time that a server with its page may take from a network that
/// needs all of it, in a soak.
const COST: f64 = 0.05;
/// Least share of throughput that is left with a page, in a soak. The network alone is a tenth
/// faster in one run than in the next: pairs cannot tell a cost of 5 % from none, processor time can.
const KEPT: f64 = 0.85;
/// Pairs of a run with a page and one without, in a soak; one in a test, which sees that there is
/// throughput with a page.
const PAIRS: usize = 5;
/// How much larger than after a quarter of the time the heap may be at the end.
const GROWTH_MIB: f64 = 4.0;
const MIB: f64 = 1024.0 * 1024.0;

/// What the page holds, rubbish taken away.
#[derive(Clone, Copy, Debug)]
struct Held {
    heap_mib: f64,
    elements: f64,
}

fn held(page: &Page) -> Held {
    page.devtools("Performance.enable");
    page.devtools("HeapProfiler.collectGarbage");
    let metrics = page.devtools("Performance.getMetrics");
    let of = |name: &str| {
        let all = metrics["metrics"].as_array().expect("a list");
        let one = all.iter().find(|metric| metric["name"] == name);
        one.and_then(|metric| metric["value"].as_f64()).unwrap_or_else(|| panic!("no {name}"))
    };
    Held { heap_mib: of("JSHeapUsedSize") / MIB, elements: of("Nodes") }
}

/// Final transactions per second at the highest rate that the network bears.
fn full_load(testnet: &Testnet, seconds: u64) -> f64 {
    let seconds = seconds.to_string();
    let run = testnet.run(&["load", "--rate", "max", "--duration", &seconds, "--json"]);
    let report = run.assert_succeeds().json();
    report["tps"].as_f64().expect("a rate")
}

/// Ends the server of the page, as a crash would.
fn kill_server(testnet: &Testnet) {
    let text = std::fs::read_to_string(testnet.dir().join("testnet.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    let pid = manifest["dashboard"]["process"]["pid"].as_i64().expect("a process");
    let pid = nix::unistd::Pid::from_raw(pid.try_into().expect("a process"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it runs");
    testnet.wait_for("an end of the server", |status| status["dashboard"].is_null());
}

/// What a pair of runs says, one with a server and a page, one without.
#[derive(Clone, Copy, Debug)]
struct Pair {
    /// Share of throughput that is left with them.
    kept: f64,
    /// Share of the machine's processor time that they used meanwhile.
    cost: f64,
}

/// Throughput with a server and a page, and the share of the processors that they used. No server
/// runs before and after.
fn watched(testnet: &Testnet, seconds: u64) -> (f64, f64) {
    let mut server = testnet.spawn(&["dashboard"]);
    testnet.wait_for("a server", |status| status["dashboard"].is_string());
    let page = watch(testnet);
    let used = || time_of_tree(page.driver()) + time_of_tree(server.id());
    let (since, before) = (Instant::now(), used());
    let with = full_load(testnet, seconds);
    let spent = used() - before;
    let cores = std::thread::available_parallelism().expect("processors").get() as f64;
    let cost = spent.as_secs_f64() / since.elapsed().as_secs_f64() / cores;
    page.assert_silent();
    drop(page);
    kill_server(testnet);
    server.wait().expect("it ended");
    (with, cost)
}

/// The page comes first in every other pair: a network may be faster early than late.
fn compare(testnet: &Testnet, seconds: u64, page_first: bool) -> Pair {
    let early = (!page_first).then(|| full_load(testnet, seconds));
    let (with, cost) = watched(testnet, seconds);
    let without = early.unwrap_or_else(|| full_load(testnet, seconds));
    println!(
        "{with:.0} transactions a second with a page, {without:.0} without; server and page used \
         {:.1} % of the processors",
        cost * 100.0
    );
    Pair { kept: with / without, cost }
}

/// For how long, in a soak.
fn minutes() -> Option<u64> {
    let text = std::env::var("DASHBOARD_MINUTES").ok()?;
    Some(text.parse().expect("DASHBOARD_MINUTES: whole minutes"))
}

fn ten_nodes() -> Testnet {
    let testnet = Testnet::new();
    testnet.run(&["up", "--detach", "--validators", NODES]).assert_succeeds();
    testnet
}

fn watch(testnet: &Testnet) -> Page {
    let page = Page::open(&dashboard(testnet));
    page.wait_for("the network", "document.querySelectorAll('.live .node').length === 10");
    page
}

#[test]
fn a_page_that_looks_at_ten_busy_nodes_stays_small() {
    let testnet = ten_nodes();
    let page = watch(&testnet);
    let (slices, seconds) = minutes().map_or((4, 4), |minutes| (minutes * 2, 27));
    let since = Instant::now();
    let looks: Vec<Held> = (0..slices)
        .map(|_| {
            let tps = full_load(&testnet, seconds);
            let held = held(&page);
            println!("{:.0?}: {tps:.0} transactions a second, {held:.1?}", since.elapsed());
            held
        })
        .collect();
    page.assert_silent();
    let lasted = since.elapsed();
    assert!(lasted >= Duration::from_secs(minutes().unwrap_or_default() * 60), "{lasted:?}");
    let settled = looks[looks.len() / 4];
    let last = looks[looks.len() - 1];
    assert!(last.heap_mib < settled.heap_mib + GROWTH_MIB, "{looks:#?}");
    assert!(last.elements < settled.elements * 1.5, "{looks:#?}");
}

#[test]
fn a_page_costs_a_busy_network_little() {
    let testnet = ten_nodes();
    kill_server(&testnet);
    let (pairs, seconds) = minutes().map_or((1, 4), |_| (PAIRS, 30));
    let all: Vec<Pair> = (0..pairs).map(|pair| compare(&testnet, seconds, pair % 2 == 1)).collect();
    let median = |of: fn(&Pair) -> f64| {
        let mut values: Vec<f64> = all.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[pairs / 2]
    };
    let (kept, cost) = (median(|pair| pair.kept), median(|pair| pair.cost));
    println!("of {pairs} pairs: throughput kept {kept:.3}, processor time used {cost:.3}");
    let (least, most) = if minutes().is_some() { (KEPT, COST) } else { (0.0, 1.0) };
    assert!(kept > least && cost < most, "{all:.3?}");
}
