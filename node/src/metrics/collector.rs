//! What other parts of the node know, asked for when somebody looks.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chain::block::Mode;
use consensus::engine::{Role, Status};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use tokio::sync::watch;

use crate::application::ExecutionCounters;
use crate::network::PeerInfo;
use crate::pool::TransactionPool;
use crate::process::ProcessUse;
use crate::rpc::Peers;
use crate::space;
use crate::storage::Store;

/// The parts that are asked.
pub struct Sources {
    pub status: watch::Receiver<Status>,
    pub pool: TransactionPool,
    pub peers: Arc<dyn Peers>,
    pub execution: Arc<ExecutionCounters>,
    pub store: Store,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

impl Collector for Sources {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        let status = self.status.borrow().clone();
        page.consensus(&status)?;
        page.pool(&self.pool)?;
        page.peers(&self.peers.peers())?;
        page.execution(&self.execution)?;
        page.storage(&self.store)?;
        // What the system does not tell is not in the page.
        ProcessUse::now().map_or(Ok(()), |used| page.process(used))
    }
}

struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauge(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: f64) -> fmt::Result {
        let metric = ConstGauge::new(value);
        metric.encode(self.0.encode_descriptor(name, help, unit, metric.metric_type())?)
    }

    fn counter(&mut self, name: &str, help: &str, unit: Option<&Unit>, value: f64) -> fmt::Result {
        let metric = ConstCounter::new(value);
        metric.encode(self.0.encode_descriptor(name, help, unit, metric.metric_type())?)
    }

    /// A gauge with one label.
    fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: impl IntoIterator<Item = (&'a str, f64)>,
    ) -> fmt::Result {
        let kind = ConstGauge::new(0.0).metric_type();
        let mut encoder = self.0.encode_descriptor(name, help, None, kind)?;
        for (value, number) in values {
            ConstGauge::new(number).encode(encoder.encode_family(&[(label, value)])?)?;
        }
        Ok(())
    }

    /// A counter with the label `peer`.
    fn per_peer(
        &mut self,
        name: &str,
        help: &str,
        unit: Option<&Unit>,
        peers: &[PeerInfo],
        number: impl Fn(&PeerInfo) -> u64,
    ) -> fmt::Result {
        let kind = ConstCounter::new(0.0).metric_type();
        let mut encoder = self.0.encode_descriptor(name, help, unit, kind)?;
        for peer in peers {
            let labels = [("peer", peer.id.as_str())];
            ConstCounter::new(number(peer)).encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn consensus(&mut self, status: &Status) -> fmt::Result {
        let heights = [
            ("consensus_height_final", "Last final block", status.final_height),
            ("consensus_height_ordered", "Highest prepare certificate", status.ordered_height),
            ("consensus_height_head", "Highest executed block", status.head_height),
        ];
        for (name, help, height) in heights {
            self.gauge(name, help, None, height.get() as f64)?;
        }
        self.gauge("consensus_epoch", "Current epoch", None, status.epoch.get() as f64)?;
        self.gauge("consensus_view", "Current view", None, status.view.get() as f64)?;
        let modes = [("fast", Mode::Fast), ("pbft", Mode::Pbft)]
            .map(|(name, mode)| (name, f64::from(mode == status.mode)));
        self.gauges("consensus_mode", "1 for the current mode", "mode", modes)?;
        let roles = [
            ("leader", Role::Leader),
            ("follower", Role::Follower),
            ("changing", Role::Changing),
            ("observer", Role::Observer),
        ]
        .map(|(name, role)| (name, f64::from(role == status.role)));
        self.gauges("consensus_role", "1 for what this node does now", "role", roles)?;
        let timeout = status.timeout.as_secs_f64();
        self.gauge("consensus_view_timeout", "View timeout", Some(&Unit::Seconds), timeout)?;
        let pending = status.evidence_pending as f64;
        self.gauge("consensus_evidence_pending", "Evidence not on chain yet", None, pending)
    }

    fn pool(&mut self, pool: &TransactionPool) -> fmt::Result {
        let (transactions, bytes) = pool.size();
        self.gauge("pool_transactions", "Transactions that wait", None, transactions as f64)?;
        self.gauge("pool", "Transactions that wait", Some(&Unit::Bytes), bytes as f64)?;
        let help = "Transactions whose signature waits to be checked";
        self.gauge("pool_unverified_transactions", help, None, pool.queued() as f64)
    }

    fn peers(&mut self, peers: &[PeerInfo]) -> fmt::Result {
        let connected = peers.iter().filter(|peer| peer.connected).count();
        self.gauge("p2p_peers", "Connected peers", None, connected as f64)?;
        let bytes = Some(&Unit::Bytes);
        let help = "Consensus messages from a peer";
        self.per_peer("p2p_received", help, bytes, peers, |peer| peer.bytes_in)?;
        let help = "Consensus messages to a peer";
        self.per_peer("p2p_sent", help, bytes, peers, |peer| peer.bytes_out)?;
        let help = "Messages to a peer that found no room in its queue";
        self.per_peer("p2p_messages_dropped", help, None, peers, |peer| peer.dropped)?;
        let round_trips = peers
            .iter()
            .filter_map(|peer| Some((peer.id.as_str(), peer.round_trip_us? as f64 / 1e6)));
        self.gauges("p2p_round_trip_seconds", "Newest round trip", "peer", round_trips)?;
        let clocks = peers
            .iter()
            .filter_map(|peer| Some((peer.id.as_str(), peer.word?.clock_ahead_ms as f64 / 1e3)));
        let help = "How far the clock of a peer is ahead, as it says";
        self.gauges("p2p_clock_ahead_seconds", help, "peer", clocks)
    }

    fn execution(&mut self, counters: &ExecutionCounters) -> fmt::Result {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let rows = [
            ("execution_blocks_built", "Blocks built as leader", &counters.blocks_built),
            ("execution_blocks_executed", "Blocks executed", &counters.blocks_executed),
            ("execution_blocks_refused", "Invalid blocks", &counters.blocks_refused),
            ("execution_blocks_committed", "Final blocks written", &counters.blocks_committed),
            (
                "execution_transactions_committed",
                "Transactions in final blocks",
                &counters.transactions_committed,
            ),
        ];
        for (name, help, counter) in rows {
            self.counter(name, help, None, get(counter))?;
        }
        let times = [
            ("execution_build", "Time spent building blocks", &counters.build_nanos),
            ("execution_execute", "Time spent executing blocks", &counters.execute_nanos),
            ("execution_commit", "Time spent committing blocks", &counters.commit_nanos),
        ];
        for (name, help, nanos) in times {
            self.counter(name, help, Some(&Unit::Seconds), get(nanos) / 1e9)?;
        }
        Ok(())
    }

    fn storage(&mut self, store: &Store) -> fmt::Result {
        let held = store.memory().map_err(|_| fmt::Error)?;
        let parts = [
            ("write-buffers", held.write_buffers),
            ("cache", held.cache),
            ("table-readers", held.table_readers),
        ]
        .map(|(name, bytes)| (name, bytes as f64));
        self.gauges("storage_memory_bytes", "What the database holds in memory", "part", parts)?;
        // What the system does not tell is not in the page.
        let Ok(free) = space::free(store.path()) else { return Ok(()) };
        let help = "What may still be written where the database is";
        self.gauge("storage_free", help, Some(&Unit::Bytes), free as f64)
    }

    fn process(&mut self, used: ProcessUse) -> fmt::Result {
        let ProcessUse { resident, processor, descriptors, most_descriptors } = used;
        let help = "Memory of the process";
        self.gauge("process_resident_memory", help, Some(&Unit::Bytes), resident as f64)?;
        let help = "Processor time of the process";
        self.counter("process_cpu", help, Some(&Unit::Seconds), processor)?;
        self.gauge("process_open_fds", "Open files and sockets", None, descriptors as f64)?;
        self.gauge("process_max_fds", "How many may be open", None, most_descriptors as f64)
    }
}
