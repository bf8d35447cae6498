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
use crate::processor::{Asleep, time_of_tree};
use crate::testnet::Testnet;

const NODES: &str = "10";
/// Most that a server with its page may take from a network that needs all of the machine, in a soak: of
/// processor time, and of throughput.
const COST: f64 = 0.05;
/// Least share of throughput that is left with a page, in a soak, however much the stretches differ.
const KEPT: f64 = 0.9;
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

impl Stretch {
    fn tps(&self) -> f64 {
        self.finalized / self.seconds
    }
}

/// Stretches with a page and without, in pairs that lie side by side: a network is not always as fast.
#[derive(Debug, Default)]
struct Pairs(Vec<[Stretch; 2]>);

impl Pairs {
    fn sum(&self, of: fn(&[Stretch; 2]) -> f64) -> f64 {
        self.0.iter().map(of).sum()
    }

    /// Mean transactions per second, with and without.
    fn tps(&self) -> [f64; 2] {
        let count = self.0.len() as f64;
        [self.sum(|[with, _]| with.tps()) / count, self.sum(|[_, without]| without.tps()) / count]
    }

    /// Share of throughput that is left with a page, and its standard error: that of a ratio of sums of
    /// pairs (Cochran, Sampling Techniques, 6.4).
    fn kept(&self) -> (f64, f64) {
        let ([with, without], count) = (self.tps(), self.0.len() as f64);
        let kept = with / without;
        let squares = self.0.iter().map(|[with, other]| (with.tps() - kept * other.tps()).powi(2));
        let variance = squares.sum::<f64>() / (count - 1.0).max(1.0) / count;
        (kept, variance.sqrt() / without)
    }

    /// Share of the machine's processor time that a page and its server used.
    fn cost(&self) -> f64 {
        let cores = std::thread::available_parallelism().expect("processors").get() as f64;
        self.sum(|[with, _]| with.used) / self.sum(|[with, _]| with.seconds) / cores
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

/// Whether a page hears a server.
fn link(state: &str) -> String {
    format!("document.getElementById('link').dataset.state === '{state}'")
}

/// Ends the server; the page notices.
fn leave(testnet: &Testnet, page: &Page) {
    kill_server(testnet);
    page.wait_for("the end of the stream", &link("off"));
}

/// With a server, and a page that finds it again. No server runs before and after.
fn watched(testnet: &Testnet, page: &Page, port: &str, load: &Load, lasts: Duration) -> Stretch {
    let mut server = testnet.spawn(&["dashboard", "--port", port]);
    testnet.wait_for("a server", |status| status["dashboard"].is_string());
    page.wait_for("the stream", &link("on"));
    // That the server before was gone.
    page.take_errors();
    std::thread::sleep(SETTLES);
    let used = || time_of_tree(page.driver()) + time_of_tree(server.id());
    let stretch = load.watch(lasts, used);
    page.assert_silent();
    leave(testnet, page);
    server.wait().expect("it ended");
    stretch
}

/// Without, and the browser rests.
fn alone(page: &Page, load: &Load, lasts: Duration) -> Stretch {
    let _asleep = Asleep::tree(page.driver());
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
    let page = watch(&testnet);
    let address = url::Url::parse(&dashboard(&testnet)).expect("an address");
    let port = address.port().expect("a port").to_string();
    page.assert_silent();
    leave(&testnet, &page);
    let load = Load::start(&testnet);
    let lasts = if minutes().is_some() { STRETCH } else { Duration::from_secs(3) };
    let count = minutes().map_or(1, |minutes| minutes * 60 / (2 * (STRETCH + SETTLES)).as_secs());
    let mut pairs = Pairs::default();
    for number in 0..count {
        let with = || watched(&testnet, &page, &port, &load, lasts);
        let without = || alone(&page, &load, lasts);
        // The page comes first in every other pair: a network may be faster early than late.
        let pair = if number % 2 == 0 {
            [with(), without()]
        } else {
            let without = without();
            [with(), without]
        };
        println!("{:.0?} a second with a page and without", pair.map(|one| one.tps()));
        pairs.0.push(pair);
    }
    load.finish();
    let ([with, without], (kept, error), cost) = (pairs.tps(), pairs.kept(), pairs.cost());
    println!(
        "of {count} pairs: {with:.0} transactions a second with a page, {without:.0} without: {kept:.3} \
         kept, standard error {error:.3}; server and page used {cost:.3} of the processors"
    );
    let shown = (1.0 - COST - 2.0 * error).max(KEPT);
    let (least, most) = if minutes().is_some() { (shown, COST) } else { (0.0, 1.0) };
    assert!(kept > least && cost < most, "{pairs:.3?}");
}
