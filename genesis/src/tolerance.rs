//! What a chain survives, in words.

use chain::quorum::Quorums;
use serde::Serialize;

/// What the validators of a chain tolerate under the hybrid protocol.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tolerance {
    pub validators: usize,
    /// Byzantine validators that cost no safety.
    pub max_faulty: usize,
    pub quorum: usize,
    pub fast_quorum: usize,
    /// Validators that may be silent without costing one-round finality.
    pub silent_without_cost: usize,
    /// Validators that may be dead, whoever leads.
    pub dead_any: usize,
    /// Validators that may be dead while the leader lives.
    pub dead_followers: usize,
    /// One sentence each.
    pub explanation: Vec<String>,
}

impl Tolerance {
    pub fn of(quorums: &Quorums) -> Self {
        let Quorums { n, f, p, quorum, fast_quorum, view_change_quorum, .. } = *quorums;
        let dead_any = n - view_change_quorum;
        let dead_followers = n - quorum;
        let mut explanation = vec![format!(
            "{n} {}, of which {} may be Byzantine (f = {f}) without two final blocks ever \
             conflicting.",
            plural(n, "validator"),
            if f == 0 { "none".to_owned() } else { format!("up to {f}") },
        )];
        let silent = match p {
            0 => "only with nobody silent".to_owned(),
            _ => format!("also with up to {p} {} silent", plural(p, "validator")),
        };
        explanation.push(if quorum == fast_quorum {
            format!("A block is final in one round trip with {quorum} votes, {silent}.")
        } else {
            format!(
                "A block is ordered with {quorum} votes (quorum), and final in the same round \
                 trip with {fast_quorum} (fast quorum), {silent}. Otherwise a second round of \
                 {quorum} votes makes it final."
            )
        });
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
                "It goes on with any {dead_any} of them dead; a dead leader costs one timeout and \
                 a spell in pbft mode. With more dead it waits until enough are back, and loses \
                 nothing."
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
            validators: n,
            max_faulty: f,
            quorum,
            fast_quorum,
            silent_without_cost: p,
            dead_any,
            dead_followers,
            explanation,
        }
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { word.to_owned() } else { format!("{word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(n: usize, f: usize) -> Tolerance {
        Tolerance::of(&Quorums::new(n, f).unwrap())
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
}
