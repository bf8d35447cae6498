//! What the node measures, in the text format of Prometheus.
//!
//! Names carry their unit. What other parts know already (heights, peers, the pool) is asked for
//! when somebody looks; only what would be over by then is counted here.

mod collector;
mod storage;

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use consensus::engine::{Event, Reason, Status};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::consensus_host::Observer;
use crate::sync;

pub use collector::Sources;
pub use storage::TimedStorage;

/// Everything that is measured. One per process.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    rpc: RpcMetrics,
    consensus: ConsensusMetrics,
    storage_sync: Histogram,
    sync: sync::Counters,
}

/// Counts calls; cheap to clone.
#[derive(Clone, Debug)]
pub struct RpcMetrics {
    requests: Family<RequestLabels, Counter>,
    duration: Family<MethodLabel, Histogram>,
    connections: Gauge,
    refused_connections: Counter,
    delayed_calls: Counter,
    subscriptions: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabel {
    method: &'static str,
}

/// Counts what the engine reports.
#[derive(Clone, Debug)]
struct ConsensusMetrics {
    turn: Histogram,
    messages: Counter,
    mode_changes: Family<ModeChangeLabels, Counter>,
    views_left: Family<ReasonLabel, Counter>,
    views_started: Counter,
    evidence: Counter,
    blocks_refused: Counter,
    peer_faults: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModeChangeLabels {
    from: String,
    to: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

/// From 50 µs to about 13 s.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.000_05, 2.0, 18))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let rpc = RpcMetrics::register(&mut registry);
        let consensus = ConsensusMetrics::register(&mut registry);
        let storage_sync = durations();
        registry.register_with_unit(
            "storage_sync",
            "Time to write the safety record and its blocks and to sync them",
            Unit::Seconds,
            storage_sync.clone(),
        );
        let sync = register_sync(&mut registry);
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("node_build", "Version of the program", version);
        let start: Gauge = Gauge::default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        start.set(i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let help = "When the process started, since the Unix epoch";
        registry.register_with_unit("process_start_time", help, Unit::Seconds, start);
        Self { registry: Mutex::new(registry), rpc, consensus, storage_sync, sync }
    }
}

impl Metrics {
    /// Adds what is asked for whenever somebody looks.
    pub fn add_sources(&self, sources: Sources) {
        self.registry
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .register_collector(Box::new(sources));
    }

    pub fn rpc(&self) -> RpcMetrics {
        self.rpc.clone()
    }

    /// Measures the consensus thread.
    pub fn observer(&self) -> Box<dyn Observer> {
        Box::new(self.consensus.clone())
    }

    /// Counts what is fetched to catch up.
    pub fn sync(&self) -> sync::Counters {
        self.sync.clone()
    }

    /// A store whose synced writes are timed.
    pub fn timed<S>(&self, storage: S) -> TimedStorage<S> {
        TimedStorage::new(storage, self.storage_sync.clone())
    }

    /// The text that Prometheus reads.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &registry) {
            let _ = writeln!(text, "# incomplete: {error}");
        }
        text
    }
}

fn register_sync(registry: &mut Registry) -> sync::Counters {
    let sync = sync::Counters::default();
    registry.register(
        "sync_blocks",
        "Final blocks that were fetched to catch up and given to the engine",
        sync.blocks.clone(),
    );
    registry.register_with_unit(
        "sync_received",
        "Runs of final blocks that peers served",
        Unit::Bytes,
        sync.bytes.clone(),
    );
    registry.register(
        "sync_requests_failed",
        "Questions for final blocks without an answer in time",
        sync.failed.clone(),
    );
    registry.register(
        "sync_peers_banned",
        "Peers that served what is not of the final chain",
        sync.banned.clone(),
    );
    sync
}

impl RpcMetrics {
    fn register(registry: &mut Registry) -> Self {
        let rpc = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(durations),
            connections: Gauge::default(),
            refused_connections: Counter::default(),
            delayed_calls: Counter::default(),
            subscriptions: Gauge::default(),
        };
        registry.register("rpc_requests", "Calls by method and result", rpc.requests.clone());
        registry.register_with_unit(
            "rpc_request_duration",
            "Time from a call to its answer, waiting included",
            Unit::Seconds,
            rpc.duration.clone(),
        );
        registry.register("rpc_connections", "Open connections", rpc.connections.clone());
        registry.register(
            "rpc_connections_refused",
            "Connections refused because there were too many",
            rpc.refused_connections.clone(),
        );
        registry.register(
            "rpc_calls_delayed",
            "Calls that waited because their client calls too fast",
            rpc.delayed_calls.clone(),
        );
        registry.register("rpc_subscriptions", "Subscriptions", rpc.subscriptions.clone());
        rpc
    }

    pub(crate) fn answered(&self, method: &'static str, ok: bool, took: Duration) {
        let result = if ok { "ok" } else { "error" };
        self.requests.get_or_create(&RequestLabels { method, result }).inc();
        self.duration.get_or_create(&MethodLabel { method }).observe(took.as_secs_f64());
    }

    /// A call of a method that does not exist. Its name is the caller's invention: no label.
    pub(crate) fn unknown_method(&self) {
        let labels = RequestLabels { method: "unknown", result: "error" };
        self.requests.get_or_create(&labels).inc();
    }

    pub(crate) fn connection_refused(&self) {
        self.refused_connections.inc();
    }

    pub(crate) fn call_delayed(&self) {
        self.delayed_calls.inc();
    }

    /// Counts a connection until dropped.
    pub(crate) fn connection(&self) -> CountGuard {
        CountGuard::new(&self.connections)
    }

    /// Counts a subscription until dropped.
    pub(crate) fn subscription(&self) -> CountGuard {
        CountGuard::new(&self.subscriptions)
    }
}

/// One more while it lives.
#[derive(Debug)]
pub(crate) struct CountGuard(Gauge);

impl CountGuard {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for CountGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl ConsensusMetrics {
    fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            turn: durations(),
            messages: Counter::default(),
            mode_changes: Family::default(),
            views_left: Family::default(),
            views_started: Counter::default(),
            evidence: Counter::default(),
            blocks_refused: Counter::default(),
            peer_faults: Counter::default(),
        };
        // A reason that did not occur yet is there all the same, at zero.
        for reason in [Reason::Timeout, Reason::Equivocation] {
            drop(metrics.views_left.get_or_create(&ReasonLabel { reason: reason_name(reason) }));
        }
        registry.register_with_unit(
            "consensus_turn",
            "Time of one turn of the consensus thread, syncs included",
            Unit::Seconds,
            metrics.turn.clone(),
        );
        registry.register(
            "consensus_messages",
            "Messages of validators that the engine took",
            metrics.messages.clone(),
        );
        registry.register(
            "consensus_mode_changes",
            "Changes of mode on the final chain",
            metrics.mode_changes.clone(),
        );
        registry.register("consensus_views_left", "Views given up", metrics.views_left.clone());
        registry.register(
            "consensus_views_started",
            "Views started here",
            metrics.views_started.clone(),
        );
        registry.register(
            "consensus_evidence",
            "Validators caught signing two things that exclude each other",
            metrics.evidence.clone(),
        );
        registry.register(
            "consensus_blocks_refused",
            "Proposed blocks refused",
            metrics.blocks_refused.clone(),
        );
        registry.register(
            "consensus_peer_faults",
            "Messages that no correct validator sends",
            metrics.peer_faults.clone(),
        );
        metrics
    }

    fn count(&self, event: &Event) {
        match event {
            Event::ModeChanged { from, to, reason, .. } => {
                let (from, to) = (from.to_string(), to.to_string());
                let labels = ModeChangeLabels { from, to, reason: reason_name(*reason) };
                self.mode_changes.get_or_create(&labels).inc();
            }
            Event::ViewLeft { reason, .. } => {
                let labels = ReasonLabel { reason: reason_name(*reason) };
                self.views_left.get_or_create(&labels).inc();
            }
            Event::ViewStarted { .. } => drop(self.views_started.inc()),
            Event::EvidenceFound { .. } => drop(self.evidence.inc()),
            Event::BlockRefused { .. } => drop(self.blocks_refused.inc()),
            Event::PeerFault { .. } => drop(self.peer_faults.inc()),
            Event::Ordered { .. } | Event::EpochStarted { .. } | Event::ReadReady { .. } => {}
        }
    }
}

impl Observer for ConsensusMetrics {
    fn turn(&mut self, took: Duration, messages: usize, _: &Status, events: &[Event]) {
        self.turn.observe(took.as_secs_f64());
        self.messages.inc_by(messages as u64);
        for event in events {
            self.count(event);
        }
    }
}

const fn reason_name(reason: Reason) -> &'static str {
    match reason {
        Reason::Timeout => "timeout",
        Reason::Equivocation => "equivocation",
        Reason::Calm => "calm",
        Reason::Epoch => "epoch",
    }
}
