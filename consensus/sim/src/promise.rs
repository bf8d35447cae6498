//! What an engine promises, and which plans ask for more.

use std::collections::BTreeSet;

use consensus::engine::FaultModel;

use crate::byzantine::BehaviourKind;
use crate::plan::Plan;

/// What a plan does that an engine with this fault model does not promise to stand; nothing where
/// the plan stays within. Crashes and bad links never count: every engine stays safe whatever
/// crashes, and must make progress only once enough validators are back.
pub fn beyond(plan: &Plan, fault_model: FaultModel) -> Option<String> {
    let mut lies: Vec<String> =
        plan.liars().map(|(who, kind)| format!("validator {who}: {}", name_of(kind))).collect();
    lies.extend(plan.twins.iter().map(|who| format!("validator {who}: twins")));
    lies.extend(plan.amnesiacs().map(|who| format!("validator {who}: lost disk")));
    let liars: BTreeSet<usize> =
        (0..plan.validators).filter(|validator| !plan.is_honest(*validator)).collect();
    let tolerated = match fault_model {
        FaultModel::Crash => 0,
        FaultModel::Byzantine => usize::from(plan.max_faulty),
    };
    let excess = liars.len() > tolerated;
    excess.then(|| match (liars.len(), tolerated) {
        (1, _) => format!("a lying validator ({})", lies.join(", ")),
        (count, 0) => format!("lying validators ({count} lie: {})", lies.join(", ")),
        (count, most) => format!("more than {most} lying ({count} lie: {})", lies.join(", ")),
    })
}

/// As in a scenario file.
fn name_of(kind: BehaviourKind) -> String {
    let name = match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{kind:?}"),
    };
    name.replace('_', "-")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::{Fault, Timed};
    use crate::scenarios;

    #[test]
    fn one_liar_is_within_what_byzantine_engines_promise_and_beyond_what_the_others_do() {
        let calm = scenarios::named("calm").unwrap().plan(1, 4);
        let liar = Plan { byzantine: vec![(1, BehaviourKind::OmitVotes)], ..calm.clone() };
        let both = Plan { twins: vec![2], ..liar.clone() };
        let twice = Plan { twins: vec![1], ..liar.clone() };
        let turned = Timed {
            at: Duration::from_millis(300),
            fault: Fault::Lie { node: 1, does: BehaviourKind::OmitVotes },
        };
        let turned = Plan { faults: vec![turned], ..calm.clone() };
        assert_eq!(beyond(&turned, FaultModel::Crash), beyond(&liar, FaultModel::Crash));
        assert_eq!(beyond(&calm, FaultModel::Crash), None);
        assert_eq!(beyond(&liar, FaultModel::Byzantine), None);
        assert_eq!(beyond(&twice, FaultModel::Byzantine), None, "one validator that lies twice");
        let text = beyond(&liar, FaultModel::Crash).unwrap();
        assert_eq!(text, "a lying validator (validator 1: omit-votes)");
        let text = beyond(&both, FaultModel::Byzantine).unwrap();
        let expected = "more than 1 lying (2 lie: validator 1: omit-votes, validator 2: twins)";
        assert_eq!(text, expected);
    }
}
