//! What may be asked of the laboratory.

use std::time::Duration;

use consensus::policy::Policy;
use consensus::registry::EngineName;
use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::simulate::Story;
use serde::Serialize;
use serde_json::{Value, json};

use super::run::{self, MAX_DURATION_MS, MAX_FAULTS, MAX_VALIDATORS};

/// The answer of `/api/lab/options`.
#[derive(Debug, Serialize)]
pub(crate) struct Options {
    engines: Vec<EngineName>,
    scenarios: Vec<Scenario>,
    faults: Vec<FaultForm>,
    behaviours: Vec<Behaviour>,
    /// Ways to choose the mode, for engines that have two.
    policies: Vec<Policy>,
    max_validators: usize,
    max_duration_ms: u64,
    max_faults: usize,
}

#[derive(Debug, Serialize)]
struct Scenario {
    name: &'static str,
    about: String,
    /// How long its load and faults last where nothing is said.
    duration_ms: u64,
    /// When it strikes, and what: as a fault of a run.
    faults: Vec<Value>,
    /// Who lies from the start, and how.
    lies: Vec<Value>,
}

#[derive(Debug, Serialize)]
struct Behaviour {
    name: BehaviourKind,
    about: &'static str,
}

/// A fault and its fields.
#[derive(Debug, Serialize)]
struct FaultForm {
    name: &'static str,
    about: &'static str,
    fields: Vec<Field>,
    /// As it stands in `faults` of a run.
    example: Value,
}

#[derive(Debug, Serialize)]
struct Field {
    name: &'static str,
    /// `who`: a node's number as `{"node": N}`, `"leader"` or `"follower"`; `span`: a time like
    /// `"300ms"`.
    r#type: &'static str,
}

/// Enough for everybody that a scenario names.
const EXAMPLE_VALIDATORS: usize = 7;

impl Options {
    pub(crate) fn new() -> Self {
        Self {
            engines: EngineName::ALL.to_vec(),
            scenarios: Story::list().into_iter().map(scenario).collect(),
            faults: forms(),
            behaviours: BehaviourKind::ALL
                .iter()
                .map(|name| Behaviour { name: *name, about: name.about() })
                .collect(),
            policies: Policy::ALL.to_vec(),
            max_validators: MAX_VALIDATORS,
            max_duration_ms: MAX_DURATION_MS,
            max_faults: MAX_FAULTS,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

fn scenario((name, about): (&'static str, String)) -> Scenario {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let (mut duration_ms, mut faults, mut lies) = (0, Vec::new(), Vec::new());
    // Another one for each seed: there is nothing to show beforehand.
    if let Ok(plan) = run::example(name, EXAMPLE_VALIDATORS) {
        duration_ms = u64::try_from(plan.faults_end.as_millis()).unwrap_or(u64::MAX);
        if name != Story::SWARM {
            let shown = |timed: &consensus_sim::plan::Timed| json!({ "at_ms": millis(timed.at), "fault": timed.fault });
            faults = plan.faults.iter().map(shown).collect();
            let liar =
                |(node, does): &(usize, BehaviourKind)| json!({ "node": node, "does": does });
            lies = plan.byzantine.iter().map(liar).collect();
        }
    }
    Scenario { name, about, duration_ms, faults, lies }
}

/// Every fault that may be added, with an example.
fn forms() -> Vec<FaultForm> {
    let form = |name, about, fields: &[(&'static str, &'static str)], example: Value| FaultForm {
        name,
        about,
        fields: fields.iter().map(|(name, r#type)| Field { name, r#type }).collect(),
        example,
    };
    let link = json!({ "delay_min": "20ms", "delay_max": "40ms", "loss": 50_000 });
    vec![
        form(
            "crash",
            "The node dies, and starts again after a while if one is given",
            &[("who", "who"), ("restart_after", "span?")],
            json!({ "crash": { "who": "leader", "restart_after": "200ms" } }),
        ),
        form(
            "restart",
            "The node starts again",
            &[("node", "node")],
            json!({ "restart": { "node": 0 } }),
        ),
        form(
            "crash_all",
            "Every node dies and starts again",
            &[("restart_after", "span")],
            json!({ "crash_all": { "restart_after": "100ms" } }),
        ),
        form(
            "crash_majority",
            "More than half of the nodes die, the leader among them",
            &[("restart_after", "span")],
            json!({ "crash_majority": { "restart_after": "100ms" } }),
        ),
        form(
            "pause",
            "The process stands still for a while",
            &[("who", "who"), ("lasts", "span")],
            json!({ "pause": { "who": "leader", "lasts": "150ms" } }),
        ),
        form(
            "partition",
            "Nodes reach only those of their own group",
            &[("groups", "groups")],
            json!({ "partition": { "groups": [[0, 1], [2, 3]] } }),
        ),
        form(
            "isolate",
            "Nobody and the node reach each other",
            &[("who", "who")],
            json!({ "isolate": { "who": "leader" } }),
        ),
        form(
            "block",
            "One direction between two nodes is cut",
            &[("from", "node"), ("to", "node")],
            json!({ "block": { "from": 0, "to": 1 } }),
        ),
        form(
            "flap",
            "A link goes down and up again, so many times",
            &[("between", "pair"), ("period", "span"), ("times", "number")],
            json!({ "flap": { "between": [0, 1], "period": "40ms", "times": 5 } }),
        ),
        form(
            "lag",
            "Everything that the node sends takes so much longer",
            &[("who", "who"), ("extra", "span")],
            json!({ "lag": { "who": "leader", "extra": "30ms" } }),
        ),
        form(
            "weather",
            "The delay of all links, and how many of a million messages are lost",
            &[("link", "link")],
            json!({ "weather": { "link": link } }),
        ),
        form("heal_network", "Every cut and lag ends", &[], json!("heal_network")),
        form(
            "sync_error",
            "The next sync of the node's disk fails, and the node stops",
            &[("who", "who"), ("restart_after", "span")],
            json!({ "sync_error": { "who": "follower", "restart_after": "100ms" } }),
        ),
        form(
            "disk_loss",
            "The node dies and its disk is lost",
            &[("node", "node"), ("restart_after", "span")],
            json!({ "disk_loss": { "node": 1, "restart_after": "100ms" } }),
        ),
        form(
            "slow_disk",
            "A sync takes the node so long, at least and at most",
            &[("who", "who"), ("sync", "span_range")],
            json!({ "slow_disk": { "who": "leader", "sync": ["10ms", "30ms"] } }),
        ),
        form(
            "clock_jump",
            "The clock that stamps blocks jumps, back where negative",
            &[("who", "who"), ("by_ms", "number")],
            json!({ "clock_jump": { "who": "leader", "by_ms": 60_000 } }),
        ),
        form(
            "clock_drift",
            "The node's timers run so many parts of a million too fast",
            &[("who", "who"), ("ppm", "number")],
            json!({ "clock_drift": { "who": "leader", "ppm": 200_000 } }),
        ),
        form(
            "lie",
            "From now on the validator lies, by one of the behaviours",
            &[("node", "node"), ("does", "behaviour")],
            json!({ "lie": { "node": 0, "does": "equivocate" } }),
        ),
        form("change", "The set of validators changes, as the seed decides", &[], json!("change")),
    ]
}

#[cfg(test)]
mod tests {
    use consensus_sim::plan::Fault;

    use super::*;

    #[test]
    fn every_form_makes_a_fault_of_its_name() {
        for form in forms() {
            let fault: Fault = serde_json::from_value(form.example.clone())
                .unwrap_or_else(|error| panic!("{}: {error}", form.example));
            let written = serde_json::to_value(&fault).expect("JSON");
            let name = written.as_str().map_or_else(
                || written.as_object().and_then(|fields| fields.keys().next().cloned()),
                |name| Some(name.to_owned()),
            );
            assert_eq!(name.as_deref(), Some(form.name));
            for field in &form.fields {
                assert!(form.example[form.name].get(field.name).is_some(), "{}", form.example);
            }
        }
    }

    #[test]
    fn every_scenario_says_how_long_it_lasts() {
        let options = Options::new();
        for scenario in &options.scenarios {
            let lasts = 1..=MAX_DURATION_MS;
            assert!(lasts.contains(&scenario.duration_ms), "{scenario:?}");
        }
        assert_eq!(options.engines.len(), EngineName::ALL.len());
        assert!(options.behaviours.len() > 10);
        let crash = options.scenarios.iter().find(|scenario| scenario.name == "leader-crash");
        assert!(crash.is_some_and(|crash| !crash.faults.is_empty()));
    }
}
