//! What a chain survives, in words.

use chain::quorum::Quorums;
use consensus::engine::FaultModel;
use consensus::registry::EngineName;
use serde::Serialize;

/// What the validators of a chain tolerate under its engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tolerance {
    pub engine: EngineName,
    pub validators: usize,
    /// Byzantine validators that cost no safety.
    pub max_faulty: usize,
    pub quorum: usize,
    pub fast_quorum: usize,
    /// Validators that may be silent without making finality slower.
    pub silent_without_cost: usize,
    /// Validators that may be dead, whoever leads.
    pub dead_any: usize,
    /// Validators that may be dead while the leader lives.
    pub dead_followers: usize,
    /// One sentence each.
    pub explanation: Vec<String>,
}

impl Tolerance {
    /// What these validators tolerate under an engine.
    pub fn of(engine: EngineName, quorums: &Quorums) -> Self {
        match engine.fault_model() {
            FaultModel::Crash => Self::of_crashes(engine, quorums),
            FaultModel::Byzantine => Self::of_liars(engine, quorums),
        }
    }

    fn of_crashes(engine: EngineName, quorums: &Quorums) -> Self {
        let Quorums { n, quorum, .. } = *quorums;
        let dead = n - quorum;
        let mut explanation = vec![
            format!(
                "{n} {}, all of which must be honest: under {engine} a single liar may undo what \
                 is final.",
                plural(n, "validator")
            ),
            format!(
                "A block is final once a majority ({quorum} of {n}) has it on disk: it survives \
                 crashes of any number, and nothing proves it to others."
            ),
        ];
        explanation.push(match dead {
            0 => format!("The chain halts while {} is down.", if n == 1 { "it" } else { "one" }),
            _ => format!(
                "It goes on with any {dead} of them dead; a dead leader costs one timeout. With \
                 more dead it waits until enough are back, and loses nothing."
            ),
        });
        Self {
            engine,
            validators: n,
            max_faulty: 0,
            quorum,
            fast_quorum: quorum,
            silent_without_cost: dead,
            dead_any: dead,
            dead_followers: dead,
            explanation,
        }
    }

    fn of_liars(engine: EngineName, quorums: &Quorums) -> Self {
        let Quorums { n, f, p, quorum, fast_quorum, view_change_quorum, .. } = *quorums;
        let (dead_any, dead_followers) = (n - view_change_quorum, n - quorum);
        let mut explanation = vec![
            format!(
                "{n} {}, of which {} may be Byzantine (f = {f}) without two final blocks ever \
                 conflicting.",
                plural(n, "validator"),
                if f == 0 { "none".to_owned() } else { format!("up to {f}") },
            ),
            if engine.switches_modes() { one_round(quorums) } else { two_rounds(quorums) },
        ];
        let cost = if engine.switches_modes() { " and a spell in pbft mode" } else { "" };
        explanation.push(match f {
            0 if n == 1 => {
                "No other validator takes over: the chain halts while its only one is down."
                    .to_owned()
            }
            0 => format!(
                "One dead leader halts the chain until it is back: with f = 0 a change of leader \
                 needs all {n}. Of the others {dead_followers} may be down."
            ),
            _ => format!(
                "It goes on with any {dead_any} of them dead; a dead leader costs one \
                 timeout{cost}. With more dead it waits until enough are back, and loses nothing."
            ),
        });
        if n < 4 {
            explanation.push(format!(
                "For development only: with {n} {} f is 0. Tolerating one Byzantine validator \
                 takes 4.",
                plural(n, "validator"),
            ));
        }
        Self {
            engine,
            validators: n,
            max_faulty: f,
            quorum,
            fast_quorum: if engine.switches_modes() { fast_quorum } else { quorum },
            silent_without_cost: if engine.switches_modes() { p } else { dead_followers },
            dead_any,
            dead_followers,
            explanation,
        }
    }
}

/// How blocks become final in engines that count fast quorums.
fn one_round(quorums: &Quorums) -> String {
    let Quorums { p, quorum, fast_quorum, .. } = *quorums;
    let silent = match p {
        0 => "only with nobody silent".to_owned(),
        _ => format!("also with up to {p} {} silent", plural(p, "validator")),
    };
    if quorum == fast_quorum {
        format!("A block is final in one round trip with {quorum} votes, {silent}.")
    } else {
        format!(
            "A block is ordered with {quorum} votes (quorum), and final in the same round trip \
             with {fast_quorum} (fast quorum), {silent}. Otherwise a second round of {quorum} \
             votes makes it final."
        )
    }
}

/// How blocks become final in engines that prepare, then commit.
fn two_rounds(quorums: &Quorums) -> String {
    let quorum = quorums.quorum;
    format!("A block is ordered with {quorum} votes, and final with a second round of {quorum}.")
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(n: usize, f: usize) -> Tolerance {
        Tolerance::of(EngineName::Hybrid, &Quorums::new(n, f).unwrap())
    }

    #[test]
    fn four_validators_survive_one() {
        let four = of(4, 1);
        assert_eq!((four.quorum, four.fast_quorum, four.dead_any), (3, 3, 1));
        let text = four.explanation.join(" ");
        assert!(text.contains("up to 1 may be Byzantine"), "{text}");
        assert!(text.contains("any 1 of them dead"), "{text}");
        assert!(!text.contains("development only"), "{text}");
    }

    #[test]
    fn fewer_than_four_are_warned_about() {
        for n in 1..4 {
            let text = of(n, 0).explanation.join(" ");
            assert!(text.contains("development only") && text.contains("f is 0"), "{text}");
            assert!(text.contains("halts"), "{text}");
        }
        let text = of(3, 0).explanation.join(" ");
        assert!(text.contains("needs all 3") && text.contains("Of the others 1"), "{text}");
    }

    #[test]
    fn a_chosen_f_of_zero_is_explained_for_any_size() {
        let text = of(5, 0).explanation.join(" ");
        assert!(text.contains("One dead leader halts") && !text.contains("only:"), "{text}");
    }

    #[test]
    fn engines_that_tolerate_crashes_survive_a_minority_and_no_liar() {
        for engine in EngineName::ALL.iter().filter(|e| e.fault_model() == FaultModel::Crash) {
            for (n, dead) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (7, 3)] {
                let tolerance = Tolerance::of(*engine, &Quorums::new(n, 0).unwrap());
                assert_eq!((tolerance.dead_any, tolerance.max_faulty), (dead, 0), "{engine}, {n}");
                let text = tolerance.explanation.join(" ");
                assert!(text.contains("a single liar may undo"), "{text}");
            }
        }
    }
}
