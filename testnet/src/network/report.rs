//! What came of it.

use serde::Serialize;

use super::Options;
use crate::audit::Audit;
use crate::load::pump;
use crate::verdict::Verdict;

/// The network is to be well again within so many view timeouts.
const TIMEOUTS: f64 = 3.0;

/// One shape, and what happened in it.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    pub shape: &'static str,
    pub seconds: f64,
    /// Transactions that became final meanwhile.
    pub finalized: u64,
    pub must_go_on: bool,
    /// Validators without a quorum that made something final.
    pub minority_grew: Vec<usize>,
    /// How far the view of the majority went.
    pub leader_changes: u64,
    pub most_leader_changes: Option<u64>,
    /// From the end of the fault to the first final block that was proposed after it.
    pub heal_ms: f64,
    /// The longest view timeout in use, before the fault and when it ended.
    pub timeout_before_ms: f64,
    pub timeout_ms: f64,
}

impl Outcome {
    /// For people.
    pub(super) fn line(&self) -> String {
        format!(
            "{:<13} {:>5.1} s: {:>5} transactions final, {} changes of leader; well after {:.0} ms, view \
             timeout {:.0} ms ({:.0} ms before)",
            self.shape,
            self.seconds,
            self.finalized,
            self.leader_changes,
            self.heal_ms,
            self.timeout_ms,
            self.timeout_before_ms
        )
    }
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub engine: String,
    pub shapes: Vec<Outcome>,
    pub submitted: u64,
    #[serde(rename = "final")]
    pub finalized: u64,
    /// What the chains of the nodes show that must never be.
    pub chain: Vec<String>,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        shapes: Vec<Outcome>,
        outcome: &pump::Outcome,
        audit: &Audit,
    ) -> Self {
        Self {
            engine: options.engine.to_string(),
            shapes,
            submitted: outcome.submitted,
            finalized: outcome.finalized,
            chain: audit.problems(),
        }
    }
}

impl Verdict for Report {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |broken: bool, problem: String| problems.extend(broken.then_some(problem));
        for outcome in &self.shapes {
            let Outcome { shape, minority_grew, heal_ms, timeout_ms, .. } = outcome;
            check(
                !minority_grew.is_empty(),
                format!("{shape}: {minority_grew:?} made blocks final without a quorum"),
            );
            check(
                outcome.must_go_on && outcome.finalized == 0,
                format!("{shape}: a quorum that hears each other did not go on"),
            );
            let changes = outcome.leader_changes;
            check(
                outcome.most_leader_changes.is_some_and(|most| changes > most),
                format!("{shape}: the leader was replaced {changes} times"),
            );
            check(
                *heal_ms > TIMEOUTS * timeout_ms,
                format!("{shape}: well after {heal_ms:.0} ms, the view timeout is {timeout_ms} ms"),
            );
        }
        let missing = self.submitted - self.finalized;
        check(missing > 0, format!("{missing} transactions did not become final"));
        problems.extend(self.chain.iter().cloned());
        problems
    }

    fn summary(&self) -> String {
        let worst = self.shapes.iter().map(|outcome| outcome.heal_ms).fold(0.0, f64::max);
        format!(
            "{} shapes of {}: {} transactions final; well again after {worst:.0} ms at most",
            self.shapes.len(),
            self.engine,
            self.finalized
        )
    }
}
