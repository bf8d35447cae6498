//! One run: which, within which bounds.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use axum::body::Bytes;
use consensus::policy::Policy;
use consensus::registry::EngineName;
use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::plan::{Fault, Plan, Timed};
use consensus_sim::report::Report;
use consensus_sim::scenarios;
use consensus_sim::simulate::{Request, Story, Variation, run_plan_traced};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::trace::{Lines, Shared};

/// Most validators of a run.
pub(super) const MAX_VALIDATORS: usize = 32;
/// Longest load and faults, in simulated milliseconds.
pub(super) const MAX_DURATION_MS: u64 = 30_000;
/// Most faults that are added to a scenario's.
pub(super) const MAX_FAULTS: usize = 64;
/// Most times that a link flaps by one fault.
const MAX_FLAPS: u32 = 1000;

/// The arguments of a run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Run {
    pub engine: EngineName,
    pub validators: usize,
    pub seed: u64,
    pub scenario: String,
    /// How long load and faults last; by the scenario if nothing is said.
    #[serde(default)]
    pub duration_ms: Option<u64>,
    /// How leaders choose their mode. Engines with one mode take no notice.
    #[serde(default)]
    pub policy: Option<Policy>,
    /// Besides the scenario's.
    #[serde(default)]
    pub faults: Vec<Added>,
    /// Validators that lie from the start, besides the scenario's.
    #[serde(default)]
    pub byzantine: Vec<Liar>,
}

/// A fault at a moment.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Added {
    pub at_ms: f64,
    pub fault: Fault,
}

/// A validator that lies.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Liar {
    pub node: usize,
    pub does: BehaviourKind,
}

/// The last line of a run.
#[derive(Serialize)]
struct Summary<'a> {
    kind: &'static str,
    /// Whether events were left out: the numbers are of the whole run.
    truncated: bool,
    #[serde(flatten)]
    report: &'a Report,
}

/// The last line of a run that broke down.
#[derive(Serialize)]
struct Failed {
    kind: &'static str,
    error: String,
}

/// A run that can be made.
#[derive(Debug)]
pub(crate) struct Prepared {
    engine: EngineName,
    name: String,
    plan: Plan,
}

impl Run {
    /// Checks every bound.
    ///
    /// # Errors
    /// With what to change.
    pub(crate) fn prepare(&self) -> anyhow::Result<Prepared> {
        ensure!(
            self.validators <= MAX_VALIDATORS,
            "{} validators: the laboratory takes at most {MAX_VALIDATORS}, `testnet simulate` more",
            self.validators
        );
        if let Some(duration) = self.duration_ms {
            ensure!(
                (1..=MAX_DURATION_MS).contains(&duration),
                "duration_ms is 1 to {MAX_DURATION_MS}: `testnet simulate` runs longer"
            );
        }
        ensure!(self.faults.len() <= MAX_FAULTS, "at most {MAX_FAULTS} faults may be added");
        let request = Request {
            engine: self.engine,
            story: Story::named(&self.scenario)?,
            validators: self.validators,
            seed: self.seed,
            duration: self.duration_ms.map(Duration::from_millis),
            variation: Variation {
                policy: self.policy.filter(|_| self.engine.switches_modes()),
                ..Variation::default()
            },
        };
        let mut plan = request.plan()?;
        for added in &self.faults {
            plan.faults.push(self.checked(added, &plan)?);
        }
        for Liar { node, does } in &self.byzantine {
            ensure!(*node < self.validators, "there is no validator {node} to lie");
            ensure!(
                plan.byzantine.iter().all(|(liar, _)| liar != node),
                "validator {node} lies already"
            );
            plan.byzantine.push((*node, *does));
        }
        Ok(Prepared { engine: self.engine, name: self.scenario.clone(), plan })
    }

    fn checked(&self, added: &Added, plan: &Plan) -> anyhow::Result<Timed> {
        let end = plan.faults_end.as_secs_f64() * 1e3;
        ensure!(
            (0.0..end).contains(&added.at_ms),
            "a fault at {} ms: faults happen before {end} ms, make duration_ms longer",
            added.at_ms
        );
        let highest = scenarios::highest(&added.fault);
        ensure!(
            highest < plan.nodes(),
            "{:?} names node {highest}: there are 0 to {}",
            added.fault,
            plan.nodes() - 1
        );
        if let Fault::Lie { node, .. } = added.fault {
            ensure!(node < self.validators, "there is no validator {node} to lie");
        }
        if let Fault::Flap { times, .. } = added.fault
            && times > MAX_FLAPS
        {
            bail!("a link flaps at most {MAX_FLAPS} times");
        }
        let nanos = added.at_ms * 1e6;
        Ok(Timed { at: Duration::from_nanos(nanos as u64), fault: added.fault.clone() })
    }
}

impl Prepared {
    /// Makes the run on this thread.
    pub(super) fn make(self, pieces: mpsc::Sender<Bytes>) {
        let lines = Rc::new(RefCell::new(Lines::new(pieces)));
        let sink = Shared(Rc::clone(&lines));
        let Self { engine, name, plan } = self;
        // Faults may be added that no scenario would have: an assertion ends this run alone.
        let ended = catch_unwind(AssertUnwindSafe(|| {
            run_plan_traced(engine, &plan, &name, Box::new(sink)).0
        }));
        let truncated = lines.borrow().is_truncated();
        let mut lines = lines.borrow_mut();
        match ended {
            Ok(report) => {
                lines.line(&Summary { kind: "summary", truncated, report: &report });
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.into()));
                let error = format!("the run broke down: {}", text.unwrap_or_default());
                lines.line(&Failed { kind: "error", error });
            }
        }
        lines.flush();
    }
}

/// The plan of a scenario as it is written: what a page shows of it beforehand.
pub(super) fn example(scenario: &str, validators: usize) -> anyhow::Result<Plan> {
    let request = Request {
        engine: EngineName::Hybrid,
        story: Story::named(scenario)?,
        validators,
        seed: 1,
        duration: None,
        variation: Variation::default(),
    };
    request.plan().context("the scenario needs more validators")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(run: Value) -> Vec<Value> {
        let run: Run = serde_json::from_value(run).expect("a run");
        made(run.prepare().expect("within bounds"))
    }

    fn made(prepared: Prepared) -> Vec<Value> {
        let (pieces, mut receiver) = mpsc::channel(10_000);
        prepared.make(pieces);
        let mut text = Vec::new();
        while let Ok(piece) = receiver.try_recv() {
            text.extend(piece);
        }
        let text = String::from_utf8(text).expect("text");
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    fn run(engine: EngineName) -> Value {
        json!({ "engine": engine, "validators": 4, "seed": 3, "scenario": "calm" })
    }

    #[test]
    fn a_run_has_the_hash_of_the_simulator_and_every_message_a_class() {
        for &engine in EngineName::ALL {
            let events = told(run(engine));
            let request = Request {
                engine,
                story: Story::named("calm").expect("a scenario"),
                validators: 4,
                seed: 3,
                duration: None,
                variation: Variation::default(),
            };
            let report = request.run().expect("it runs");
            let summary = events.last().expect("a summary");
            assert_eq!(summary["trace_hash"], json!(report.trace_hash), "{engine}");
            let sends = events.iter().filter(|event| event["kind"] == "send");
            assert!(sends.clone().count() > 100, "{engine}");
            assert!(sends.clone().all(|send| send["class"].is_string()), "{engine}");
            let cursors = events.iter().filter_map(|event| event["cursor"].as_u64());
            assert!(cursors.eq(1..events.len() as u64), "{engine}");
        }
    }

    /// Two engines run side by side with the same arguments, and one of them has no modes.
    #[test]
    fn a_policy_is_for_engines_with_modes() {
        for (engine, changes) in [(EngineName::Hybrid, true), (EngineName::Raft, false)] {
            let mut chosen = run(engine);
            chosen["policy"] = json!("static-pbft");
            let hash = |events: &[Value]| events.last().expect("a summary")["trace_hash"].clone();
            assert_eq!(hash(&told(chosen)) != hash(&told(run(engine))), changes, "{engine}");
        }
    }

    #[test]
    fn a_fork_is_the_same_until_its_fault() {
        let faults = [
            json!({ "crash": { "who": "leader", "restart_after": null } }),
            json!({ "partition": { "groups": [[0, 1], [2, 3]] } }),
            json!({ "lie": { "node": 0, "does": "equivocate" } }),
        ];
        let before = |events: &[Value]| -> Vec<Value> {
            let is_before = |event: &&Value| event["at_ms"].as_f64() < Some(300.0);
            events.iter().take_while(is_before).cloned().collect()
        };
        let mut forks = 0;
        for &engine in EngineName::ALL {
            let plain = told(run(engine));
            for fault in &faults {
                let mut forked = run(engine);
                forked["faults"] = json!([{ "at_ms": 300, "fault": fault }]);
                let fork = told(forked);
                assert!(before(&plain).len() > 100);
                assert_eq!(before(&plain), before(&fork), "{engine}: {fault}");
                assert_ne!(plain.last(), fork.last(), "{engine}: {fault}");
                forks += 1;
            }
        }
        println!("{forks} forks");
    }

    /// An assertion that a plan breaks ends its run alone.
    #[test]
    fn a_run_that_breaks_down_says_so() {
        let run: Run = serde_json::from_value(run(EngineName::Raft)).expect("a run");
        let mut broken = run.prepare().expect("within bounds");
        // More than a set may have.
        broken.plan.validators = 1_000;
        let events = made(broken);
        assert_eq!(events.last().expect("a last line")["kind"], "error");
    }

    #[test]
    fn a_page_that_goes_away_ends_nothing_but_its_own_lines() {
        let run: Run = serde_json::from_value(run(EngineName::Hybrid)).expect("a run");
        let (pieces, receiver) = mpsc::channel(1);
        drop(receiver);
        run.prepare().expect("within bounds").make(pieces);
    }
}
