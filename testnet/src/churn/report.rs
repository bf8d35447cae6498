//! What came of the changes.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chain::governance::KeyKind;
use chain::types::Epoch;
use serde::Serialize;

use super::Options;
use super::plan::Kind;
use crate::audit::Audit;
use crate::load::pump::Outcome;
use crate::load::sample::{Latencies, Percentiles};
use crate::verdict::Verdict;

/// Where a leader goes away finality may pause for so many view timeouts.
const TIMEOUTS: f64 = 4.0;

/// One change that was made.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub kind: Kind,
    pub node: usize,
    pub took: Duration,
    /// How often it was refused for a reason that passes.
    pub retries: u32,
    pub struck: Option<Struck>,
    /// The longest time without a new final block.
    pub pause: Duration,
    /// The view timeout before the change.
    pub timeout: Duration,
    pub epoch: Epoch,
}

/// Who was killed in the middle of a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Struck {
    pub id: usize,
    pub led: bool,
}

impl Record {
    fn killed_a_leader(&self) -> bool {
        self.struck.is_some_and(|struck| struck.led)
    }

    /// Whether a leader was away: killed, or perhaps by the restart with which a validator takes a new
    /// key into use.
    fn took_a_leader(&self) -> bool {
        let restarts = matches!(self.kind, Kind::Rotate(KeyKind::Consensus | KeyKind::Network));
        restarts || self.killed_a_leader()
    }

    /// Whether finality paused for longer than it may.
    fn is_late(&self) -> bool {
        let timeouts = if self.took_a_leader() { TIMEOUTS } else { 1.0 };
        self.pause > self.timeout.mul_f64(timeouts)
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of node {} in {} ms, epoch {}; longest pause {} ms",
            self.kind,
            self.node,
            self.took.as_millis(),
            self.epoch,
            self.pause.as_millis()
        )?;
        if let Some(Struck { id, led }) = self.struck {
            write!(f, "; killed {id}{}", if led { ", which led" } else { "" })?;
        }
        if self.retries > 0 {
            write!(f, "; refused {} times at first", self.retries)?;
        }
        Ok(())
    }
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub engine: String,
    pub seed: u64,
    /// How many changes of each kind were made.
    pub changes: BTreeMap<String, u32>,
    /// Validators killed in the middle of a change.
    pub kills: u32,
    pub leaders_killed: u32,
    /// Refusals for reasons that passed: too few took part lately, another change in flight.
    pub refused_at_first: u32,
    pub submitted: u64,
    /// Transactions that clients saw final.
    #[serde(rename = "final")]
    pub finalized: u64,
    /// Final, but refused by execution.
    pub failed: u64,
    /// Of those seen final, how many some node lacks at the end.
    pub lost_final: usize,
    pub conflicting_final_blocks: usize,
    pub state_roots_equal: bool,
    /// Nodes whose chains were compared, observers included.
    pub nodes_compared: usize,
    /// Validators caught voting or proposing twice.
    pub double_votes: usize,
    pub change_ms: Percentiles,
    /// The longest time without a new final block during changes in which no leader went away.
    pub longest_pause_ms: f64,
    /// The same where a leader was killed, or a validator restarted with a new key.
    pub longest_pause_without_leader_ms: f64,
    /// The shortest view timeout that was in force.
    pub view_timeout_ms: f64,
    /// Changes with a pause longer than one view timeout, or four where a leader went away.
    pub late: u32,
    pub epoch: Epoch,
    pub validators: usize,
    pub blocks_final: u64,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        records: &[Record],
        outcome: &Outcome,
        audit: &Audit,
        validators: usize,
    ) -> Self {
        let mut changes = BTreeMap::new();
        let mut took = Latencies::default();
        for record in records {
            *changes.entry(record.kind.to_string()).or_default() += 1;
            took.record(record.took);
        }
        let count = |wanted: fn(&Record) -> bool| {
            records.iter().filter(|record| wanted(record)).count() as u32
        };
        let longest = |leader: bool| {
            let pauses = records.iter().filter(|record| record.took_a_leader() == leader);
            milliseconds(pauses.map(|record| record.pause).max().unwrap_or_default())
        };
        let shortest = records.iter().map(|record| record.timeout).min().unwrap_or_default();
        Self {
            engine: options.engine.to_string(),
            seed: options.seed,
            changes,
            kills: count(|record| record.struck.is_some()),
            leaders_killed: count(Record::killed_a_leader),
            refused_at_first: records.iter().map(|record| record.retries).sum(),
            submitted: outcome.submitted,
            finalized: outcome.finalized,
            failed: outcome.failed,
            lost_final: audit.lost,
            conflicting_final_blocks: audit.conflicts.len(),
            state_roots_equal: audit.state_roots_equal(),
            nodes_compared: audit.state_roots.len(),
            double_votes: audit.evidence.len(),
            change_ms: took.percentiles(),
            longest_pause_ms: longest(false),
            longest_pause_without_leader_ms: longest(true),
            view_timeout_ms: milliseconds(shortest),
            late: count(Record::is_late),
            epoch: records.iter().map(|record| record.epoch).max().unwrap_or_default(),
            validators,
            blocks_final: audit.height.get(),
        }
    }
}

impl Verdict for Report {
    fn problems(&self) -> Vec<String> {
        let missing = self.submitted - self.finalized;
        let checks = [
            (self.lost_final > 0, format!("{} final transactions are lost", self.lost_final)),
            (missing > 0, format!("{missing} transactions did not become final")),
            (self.failed > 0, format!("{} transactions failed", self.failed)),
            (
                self.conflicting_final_blocks > 0,
                format!("{} heights have two final blocks", self.conflicting_final_blocks),
            ),
            (!self.state_roots_equal, "the state roots differ".into()),
            (self.double_votes > 0, format!("{} validators voted twice", self.double_votes)),
            (self.late > 0, format!("finality paused for too long in {} changes", self.late)),
        ];
        checks.into_iter().filter(|(broken, _)| *broken).map(|(_, problem)| problem).collect()
    }

    fn summary(&self) -> String {
        let changes: Vec<String> =
            self.changes.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        format!(
            "{}; {} kills, {} of them of leaders; epoch {}, {} validators\n\
             {} transactions submitted, {} final, {} failed, {} lost; {} nodes with {}\n\
             a change took p50 {:.0} ms, at most {:.0} ms; longest pause {:.0} ms, {:.0} ms where a \
             leader went away; view timeout {:.0} ms",
            changes.join(", "),
            self.kills,
            self.leaders_killed,
            self.epoch,
            self.validators,
            self.submitted,
            self.finalized,
            self.failed,
            self.lost_final,
            self.nodes_compared,
            if self.state_roots_equal { "equal state roots" } else { "DIFFERENT state roots" },
            self.change_ms.p50,
            self.change_ms.max,
            self.longest_pause_ms,
            self.longest_pause_without_leader_ms,
            self.view_timeout_ms,
        )
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
