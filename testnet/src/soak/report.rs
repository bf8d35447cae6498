//! What came of a soak.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::Options;
use super::growth::Growth;
use super::plan::{Fault, Round, Victims};
use super::player::Recovery;
use crate::audit::Audit;
use crate::disk::power::Lost;
use crate::load::pump::Outcome;
use crate::load::sample::{Latencies, Percentiles};
use crate::load::seen::FinalBlock;
use crate::verdict::Verdict;

/// Recovery may take so many view timeouts.
const TIMEOUTS: u64 = 4;

/// What rounds showed.
#[derive(Debug, Default)]
pub(super) struct Findings {
    latencies: Latencies,
    by_fault: BTreeMap<String, Latencies>,
    worst_timeouts: f64,
    late: u32,
    /// Crashes at points that nobody came to.
    pub missed: u32,
    pub reads: u32,
    pub stale_reads: u32,
    pub lost: Lost,
    pub slowest_stop: Duration,
    pub late_stops: u32,
    pub said_afterwards: u32,
    pub damage: Damage,
    pub blocks_ahead: u32,
    pub promises: usize,
    pub contradictions: Vec<String>,
    pub growth: Growth,
}

impl Findings {
    pub(super) fn recovered(&mut self, fault: &str, recovery: Recovery) {
        self.latencies.record(recovery.took);
        self.by_fault.entry(fault.to_owned()).or_default().record(recovery.took);
        let timeouts = recovery.took.as_secs_f64() / recovery.timeout.as_secs_f64();
        self.worst_timeouts = self.worst_timeouts.max(timeouts);
        self.late += u32::from(timeouts > TIMEOUTS as f64);
    }
}

/// What came of harm to a disk.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Damage {
    /// Validators with a flipped bit that stopped with advice, and that went on.
    pub stopped: u32,
    pub went_on: u32,
    /// Blocks that such a validator gave and nobody else has.
    pub served: Vec<String>,
    pub old_disks: u32,
    /// Second processes on one home or with one key.
    pub twins: u32,
    /// Old disks and second processes that nobody noticed.
    pub unnoticed: Vec<String>,
}

/// Rounds of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tally {
    pub rounds: u64,
    /// Until something new was final.
    pub recovery_ms: Percentiles,
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Rounds in which one validator was killed.
    pub kills: u32,
    /// Rounds in which everyone was killed.
    pub all_at_once: u32,
    /// Every kind of round that was played to its end.
    pub faults: BTreeMap<String, Tally>,
    /// Crashes at points that the validator did not come to in time.
    pub points_missed: u32,
    pub seed: u64,
    pub submitted: u64,
    /// Transactions that clients saw final.
    #[serde(rename = "final")]
    pub finalized: u64,
    /// Of those, how many some validator lacks at the end.
    pub lost_final: usize,
    pub conflicting_final_blocks: usize,
    pub state_roots_equal: bool,
    /// Transactions that are in the chain twice.
    pub repeated: usize,
    /// What the accounts own together, less than which they owned at the start.
    pub missing_funds: i128,
    /// Validators caught voting or proposing twice.
    pub double_votes: usize,
    /// Slots in which validators promised something, over all their lives.
    pub promises: usize,
    /// Those in which one promised two things.
    pub contradictions: Vec<String>,
    /// Linearizable reads answered by leaders that were paused, and how many of them were old.
    pub reads_after_pause: u32,
    pub stale_reads: u32,
    /// What cuts of power took away.
    pub power: Lost,
    /// From a failed sync to the end of the process.
    pub slowest_stop_ms: f64,
    /// Stops that took over a second, and validators that promised something after the failure.
    pub late_stops: u32,
    pub said_after_failed_sync: u32,
    pub damage: Damage,
    /// Blocks that are not younger than the one before.
    pub time_went_back: usize,
    /// Rounds in which a block's time was farther ahead than validators allow.
    pub time_ran_ahead: u32,
    /// From the last kill, so with the start of the processes where everyone was killed, to the
    /// first final block proposed after it.
    pub recovery_ms: Percentiles,
    /// How long the slowest recovery took in view timeouts as they stood before the fault.
    pub worst_recovery_timeouts: f64,
    /// Recoveries that took more than four view timeouts.
    pub late_recoveries: u32,
    pub blocks_final: u64,
    /// Of what validators hold, over the rounds by the minute.
    pub growth: Growth,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        rounds: &[Round],
        outcome: &Outcome,
        audit: &Audit,
        seen: &[FinalBlock],
        findings: Findings,
    ) -> Self {
        let all = rounds.iter().filter(|round| round.fault == Fault::Kill(Victims::All)).count();
        let tally = |latencies: &Latencies| Tally {
            rounds: latencies.count(),
            recovery_ms: latencies.percentiles(),
        };
        let by_fault = &findings.by_fault;
        let times = seen.windows(2);
        Self {
            kills: options.rounds.kills,
            all_at_once: u32::try_from(all).unwrap_or(u32::MAX),
            faults: by_fault.iter().map(|(name, found)| (name.clone(), tally(found))).collect(),
            points_missed: findings.missed,
            seed: options.seed,
            submitted: outcome.submitted,
            finalized: outcome.finalized,
            lost_final: audit.lost,
            conflicting_final_blocks: audit.conflicts.len(),
            state_roots_equal: audit.state_roots_equal(),
            repeated: audit.repeated,
            missing_funds: audit.missing_funds,
            double_votes: audit.evidence.len(),
            promises: findings.promises,
            contradictions: findings.contradictions,
            reads_after_pause: findings.reads,
            stale_reads: findings.stale_reads,
            power: findings.lost,
            slowest_stop_ms: findings.slowest_stop.as_secs_f64() * 1e3,
            late_stops: findings.late_stops,
            said_after_failed_sync: findings.said_afterwards,
            damage: findings.damage,
            time_ran_ahead: findings.blocks_ahead,
            time_went_back: times
                .filter(|pair| pair[1].timestamp_ms < pair[0].timestamp_ms)
                .count(),
            recovery_ms: findings.latencies.percentiles(),
            worst_recovery_timeouts: findings.worst_timeouts,
            late_recoveries: findings.late,
            blocks_final: audit.height.get(),
            growth: findings.growth,
        }
    }
}

impl Verdict for Report {
    fn problems(&self) -> Vec<String> {
        let missing = self.submitted - self.finalized;
        let checks = [
            (self.lost_final > 0, format!("{} final transactions are lost", self.lost_final)),
            (
                self.conflicting_final_blocks > 0,
                format!("{} heights have two final blocks", self.conflicting_final_blocks),
            ),
            (!self.state_roots_equal, "the state roots differ".into()),
            (self.repeated > 0, format!("{} transactions are in the chain twice", self.repeated)),
            (
                self.missing_funds != 0,
                format!("the accounts miss {} of what they owned", self.missing_funds),
            ),
            (self.double_votes > 0, format!("{} validators voted twice", self.double_votes)),
            (
                !self.contradictions.is_empty(),
                format!("promises were broken: {}", self.contradictions.join("; ")),
            ),
            (self.stale_reads > 0, format!("{} linearizable reads were old", self.stale_reads)),
            (
                self.late_stops > 0,
                format!(
                    "{} validators went on for over a second after a failed sync",
                    self.late_stops
                ),
            ),
            (
                self.said_after_failed_sync > 0,
                format!("{} validators spoke after a failed sync", self.said_after_failed_sync),
            ),
            (
                !self.damage.served.is_empty(),
                format!("wrong blocks were served: {}", self.damage.served.join("; ")),
            ),
            (
                !self.damage.unnoticed.is_empty(),
                format!("not noticed: {}", self.damage.unnoticed.join("; ")),
            ),
            (self.time_went_back > 0, format!("time went back in {} blocks", self.time_went_back)),
            (self.time_ran_ahead > 0, format!("time ran ahead in {} rounds", self.time_ran_ahead)),
            (missing > 0, format!("{missing} transactions did not become final")),
            (
                self.late_recoveries > 0,
                format!("{} recoveries took over {TIMEOUTS} view timeouts", self.late_recoveries),
            ),
        ];
        let problems = checks.into_iter().filter(|(broken, _)| *broken).map(|(_, problem)| problem);
        problems.chain(self.growth.problems()).collect()
    }

    fn summary(&self) -> String {
        let mut lines: Vec<String> = self
            .faults
            .iter()
            .map(|(name, Tally { rounds, recovery_ms })| {
                let Percentiles { p50, p99, max, .. } = recovery_ms;
                format!("{rounds:>5} x {name}: live again p50 {p50} ms, p99 {p99} ms, max {max} ms")
            })
            .collect();
        if self.points_missed > 0 {
            lines.push(format!("{:>5} x a point that nobody came to", self.points_missed));
        }
        if self.power.cuts > 0 {
            let Lost { cuts, files, bytes, names } = self.power;
            lines.push(format!(
                "{cuts} disks lost {bytes} bytes of {files} files and {names} changes of names"
            ));
        }
        if self.slowest_stop_ms > 0.0 {
            lines.push(format!(
                "a validator whose sync failed was gone after {:.0} ms at most",
                self.slowest_stop_ms
            ));
        }
        if self.reads_after_pause > 0 {
            lines.push(format!(
                "{} linearizable reads of paused leaders, {} old",
                self.reads_after_pause, self.stale_reads
            ));
        }
        let Damage { stopped, went_on, served, .. } = &self.damage;
        if stopped + went_on > 0 {
            lines.push(format!(
                "of {} validators with a flipped bit {stopped} stopped with advice, {went_on} went on; \
                 {} wrong blocks served",
                stopped + went_on,
                served.len()
            ));
        }
        if self.growth.samples > 0 {
            lines.push(self.growth.line());
        }
        lines.push(format!(
            "{} blocks and {} transactions final, {} lost; {} promises, {} broken; recovery p50 {} ms, \
             p99 {} ms, at most {} ms",
            self.blocks_final,
            self.finalized,
            self.lost_final,
            self.promises,
            self.contradictions.len() + self.double_votes,
            self.recovery_ms.p50,
            self.recovery_ms.p99,
            self.recovery_ms.max
        ));
        lines.join("\n")
    }
}
