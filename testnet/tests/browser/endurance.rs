//! Ten nodes under full load, and a page that looks on: what it keeps in memory, what it costs.
//!
//! `DASHBOARD_MINUTES` says for how long, for a soak; a test takes seconds, and has no opinion on
//! throughput.

use std::time::{Duration, Instant};

use ::testnet::cluster::Cluster;
use ::testnet::load::background::Background;
use ::testnet::load::pump::Pace;
use serde_json::Value;

use crate::live::dashboard;
use crate::page::Page;
use crate::processor::time_of_tree;
use crate::testnet::Testnet;

const NODES: &str = "10";
/// Most that a server with its page may take from a network that needs all of the machine, in a soak: of
/// processor time, and of throughput.
const COST: f64 = 0.05;
/// Least share of throughput that is left with a page, in a soak, however much the stretches differ.
const KEPT: f64 = 0.85;
/// Transactions that wait for finality, of so many senders.
const IN_FLIGHT: usize = 1000;
const SENDERS: usize = 1000;
/// How long each look lasts in a soak, and how long a change is left alone before.
const STRETCH: Duration = Duration::from_secs(10);
const SETTLES: Duration = Duration::from_secs(3);
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

/// What a stretch of time says.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    /// Transactions that became final.
    finalized: f64,
    seconds: f64,
    /// Processor time that server, browser and driver used, in seconds.
    used: f64,
}

/// Stretches of one kind, together.
#[derive(Debug, Default)]
struct Kind(Vec<Stretch>);

impl Kind {
    fn sum(&self, of: fn(&Stretch) -> f64) -> f64 {
        self.0.iter().map(of).sum()
    }

    /// Transactions per second.
    fn tps(&self) -> f64 {
        self.sum(|one| one.finalized) / self.sum(|one| one.seconds)
    }

    /// Share of the machine's processor time that was used.
    fn cost(&self) -> f64 {
        let cores = std::thread::available_parallelism().expect("processors").get() as f64;
        self.sum(|one| one.used) / self.sum(|one| one.seconds) / cores
    }

    /// Standard error of the rate, as a share of it.
    fn error(&self) -> f64 {
        let mean = self.tps();
        let of = |one: &Stretch| (one.finalized / one.seconds / mean - 1.0).powi(2);
        let count = self.0.len() as f64;
        (self.0.iter().map(of).sum::<f64>() / (count - 1.0).max(1.0) / count).sqrt()
    }
}

/// Load that goes on while pages come and go: as many transactions wait for finality at any time, so the
/// network is always as busy as it can be.
struct Load {
    runtime: tokio::runtime::Runtime,
    load: Background,
}

impl Load {
    fn start(testnet: &Testnet) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let cluster = Cluster::open(&testnet.dir()).expect("a testnet");
        let load = Background::at(&cluster, Pace::InFlight(IN_FLIGHT), SENDERS);
        let load = runtime.block_on(load).expect("load");
        Self { runtime, load }
    }

    /// Looks for a while.
    fn watch(&self, lasts: Duration, used: impl Fn() -> Duration) -> Stretch {
        let finalized = || self.load.progress().so_far().finalized as f64;
        let (since, before, spent) = (Instant::now(), finalized(), used());
        std::thread::sleep(lasts);
        let finalized = finalized() - before;
        let seconds = since.elapsed().as_secs_f64();
        Stretch { finalized, seconds, used: (used() - spent).as_secs_f64() }
    }

    fn finish(self) {
        let outcome = self.runtime.block_on(self.load.finish()).expect("load");
        assert_eq!(outcome.submitted, outcome.finalized, "{outcome:?}");
    }
}

/// With a server and a page, in a browser that is open already. No server runs before and after.
fn watched(testnet: &Testnet, page: &Page, load: &Load, lasts: Duration) -> Stretch {
    let mut server = testnet.spawn(&["dashboard"]);
    testnet.wait_for("a server", |status| status["dashboard"].is_string());
    page.go(&dashboard(testnet));
    wait_for_network(page);
    std::thread::sleep(SETTLES);
    let used = || time_of_tree(page.driver()) + time_of_tree(server.id());
    let stretch = load.watch(lasts, used);
    page.assert_silent();
    page.go("about:blank");
    kill_server(testnet);
    server.wait().expect("it ended");
    stretch
}

fn alone(load: &Load, lasts: Duration) -> Stretch {
    std::thread::sleep(SETTLES);
    load.watch(lasts, Duration::default)
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
    wait_for_network(&page);
    page
}

fn wait_for_network(page: &Page) {
    page.wait_for("the network", "document.querySelectorAll('.live .node').length === 10");
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
    let page = Page::open("about:blank");
    let load = Load::start(&testnet);
    let lasts = if minutes().is_some() { STRETCH } else { Duration::from_secs(3) };
    let pairs = minutes().map_or(1, |minutes| minutes * 60 / (2 * (STRETCH + SETTLES)).as_secs());
    let (mut with, mut without) = (Kind::default(), Kind::default());
    for pair in 0..pairs {
        // The page comes first in every other pair: a network may be faster early than late.
        if pair % 2 == 0 {
            with.0.push(watched(&testnet, &page, &load, lasts));
            without.0.push(alone(&load, lasts));
        } else {
            without.0.push(alone(&load, lasts));
            with.0.push(watched(&testnet, &page, &load, lasts));
        }
        let last = |kind: &Kind| kind.0.last().map(|one| one.finalized / one.seconds);
        println!("{:.0?} a second with a page, {:.0?} without", last(&with), last(&without));
    }
    load.finish();
    let (kept, cost) = (with.tps() / without.tps(), with.cost());
    let error = with.error().hypot(without.error());
    println!(
        "of {pairs} pairs: {:.0} transactions a second with a page, {:.0} without: {kept:.3} kept, standard \
         error {error:.3}; server and page used {cost:.3} of the processors",
        with.tps(),
        without.tps()
    );
    let shown = (1.0 - COST - 2.0 * error).max(KEPT);
    let (least, most) = if minutes().is_some() { (shown, COST) } else { (0.0, 1.0) };
    assert!(kept > least && cost < most, "{with:.3?} {without:.3?}");
}
