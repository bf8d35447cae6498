//! What came of it.

use serde::Serialize;

use super::Options;
use crate::audit::Audit;
use crate::byzantine::control::Behaviour;
use crate::load::pump::Outcome;
use crate::load::sample::Percentiles;
use crate::verdict::Verdict;

/// View timeouts after which whoever a leader leaves out must be served: four until the leader is suspected, two
/// for its end.
const CENSORED_TIMEOUTS: f64 = 6.0;

impl Behaviour {
    /// Share of the fault-free goodput that must be left beside validators that behave like this.
    pub(super) const fn floor(self) -> f64 {
        match self {
            Self::Off => 1.0,
            Self::Silent | Self::LyingViewChange | Self::Censor => 0.9,
            Self::Flood => 0.8,
            Self::Equivocate | Self::Withhold | Self::InvalidBlock | Self::DoubleVote => 0.7,
            Self::Delay => 0.5,
        }
    }

    /// Whether whoever does it signs two things of which only one can be true, and shows both.
    pub(super) const fn leaves_evidence(self) -> bool {
        matches!(self, Self::Equivocate | Self::DoubleVote)
    }
}

/// One way to lie, or two at once, and what it did.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    pub behaviours: Vec<&'static str>,
    /// Numbers of the nodes, in the order of the behaviours.
    pub liars: Vec<usize>,
    /// How blocks were ordered when it began.
    pub mode: String,
    /// The longest of any validator, when it began.
    pub view_timeout_ms: f64,
    /// How often each misbehaved; 0 for those that were stopped: nobody could ask them.
    pub acts: Vec<u64>,
    /// Liars that their own safety guard stopped, before they had to say the opposite of their lie.
    pub stopped: Vec<usize>,
    /// Transactions that became final, per second.
    pub goodput_tps: f64,
    /// Of the goodput when everybody was honest, and how much it must be.
    pub share: f64,
    pub floor: f64,
    pub latency_ms: Percentiles,
    /// Nodes that new evidence is against; `null` for none of this network.
    pub convicted: Vec<Option<usize>>,
    pub missing_evidence: Vec<usize>,
    pub wrongly_convicted: Vec<Option<usize>>,
}

impl Phase {
    /// How long anybody may wait where nobody does more than to leave transactions out.
    fn patience_ms(&self) -> Option<f64> {
        let only_censors = self.behaviours.iter().all(|name| *name == Behaviour::Censor.name());
        let timeouts = CENSORED_TIMEOUTS * self.liars.len() as f64;
        only_censors.then_some(timeouts * self.view_timeout_ms)
    }

    /// For people.
    pub(super) fn line(&self) -> String {
        let who: Vec<String> = std::iter::zip(&self.behaviours, &self.liars)
            .zip(&self.acts)
            .map(|((behaviour, id), acts)| {
                let stopped =
                    if self.stopped.contains(id) { ", then stopped by its guard" } else { "" };
                format!("{behaviour} by {id} ({acts} acts{stopped})")
            })
            .collect();
        let Percentiles { p50, p99, max, .. } = self.latency_ms;
        format!(
            "{}{}{:.0} tx/s in {}; latency p50 {p50:.0} ms, p99 {p99:.0} ms, max {max:.0} ms; \
             evidence against {} of them",
            who.join(" and "),
            if who.is_empty() { "" } else { ": " },
            self.goodput_tps,
            self.mode,
            self.convicted.len(),
        )
    }
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub engine: String,
    pub validators: u16,
    pub liars: usize,
    pub rate: f64,
    pub seconds: f64,
    /// Before anybody lied.
    pub honest: Phase,
    pub phases: Vec<Phase>,
    pub submitted: u64,
    #[serde(rename = "final")]
    pub finalized: u64,
    /// What the chains of the nodes show that must never be.
    pub chain: Vec<String>,
    pub blocks_final: u64,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        honest: Phase,
        mut phases: Vec<Phase>,
        outcome: &Outcome,
        audit: &Audit,
    ) -> Self {
        for phase in &mut phases {
            phase.share = phase.goodput_tps / honest.goodput_tps.max(f64::EPSILON);
        }
        Self {
            engine: options.engine.to_string(),
            validators: options.validators(),
            liars: options.liars + usize::from(options.one_too_many),
            rate: options.rate,
            seconds: options.lasts.as_secs_f64(),
            honest,
            phases,
            submitted: outcome.submitted,
            finalized: outcome.finalized,
            chain: audit.problems(),
            blocks_final: audit.height.get(),
        }
    }
}

impl Verdict for Report {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |broken: bool, problem: String| problems.extend(broken.then_some(problem));
        check(self.honest.goodput_tps == 0.0, "nothing was final before anybody lied".into());
        for phase in &self.phases {
            let what = phase.behaviours.join(" and ");
            check(
                phase.share < phase.floor,
                format!(
                    "{what}: {:.0} % of the fault-free goodput, at least {:.0} % were to be left",
                    100.0 * phase.share,
                    100.0 * phase.floor
                ),
            );
            check(
                phase.stopped.is_empty() && phase.acts.iter().all(|acts| *acts == 0),
                format!("{what}: nobody did it"),
            );
            check(
                phase.patience_ms().is_some_and(|patience| phase.latency_ms.max > patience),
                format!("{what}: somebody waited for {:.0} ms", phase.latency_ms.max),
            );
            let Phase { missing_evidence, wrongly_convicted, .. } = phase;
            check(
                !missing_evidence.is_empty(),
                format!("{what}: no evidence against {missing_evidence:?}"),
            );
            check(
                !wrongly_convicted.is_empty(),
                format!("{what}: evidence against the honest {wrongly_convicted:?}"),
            );
        }
        let missing = self.submitted - self.finalized;
        check(missing > 0, format!("{missing} transactions did not become final"));
        problems.extend(self.chain.iter().cloned());
        problems
    }

    fn summary(&self) -> String {
        let mut lines: Vec<String> = self
            .phases
            .iter()
            .map(|phase| {
                format!(
                    "{:>4.0} % (of at least {:.0} %) {}",
                    100.0 * phase.share,
                    100.0 * phase.floor,
                    phase.behaviours.join(" and ")
                )
            })
            .collect();
        lines.push(format!(
            "{} validators of {}, {} of them liars, {:.0} s each at {} tx/s: {} blocks and {} \
             transactions final",
            self.validators,
            self.engine,
            self.liars,
            self.seconds,
            self.rate,
            self.blocks_final,
            self.finalized,
        ));
        lines.join("\n")
    }
}
