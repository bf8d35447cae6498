//! Views meet under the timer rule, and not without it.

use consensus_sim::model::pacemaker::{Setting, run};
use consensus_sim::model::table::markdown;

const SEEDS: u64 = 50;
/// Ten simulated minutes.
const LIMIT_MS: u64 = 600_000;

fn setting(n: usize, ahead: u64, timer_needs_quorum: bool) -> Setting {
    Setting { n, ahead, timer_needs_quorum, limit_ms: LIMIT_MS }
}

#[test]
fn views_meet_with_the_timer_rule_and_not_without_it() {
    let mut rows = Vec::new();
    for n in [4, 7, 9] {
        for ahead in [1, 2, 3, 10, 100] {
            let real: Vec<_> = (0..SEEDS).map(|seed| run(setting(n, ahead, true), seed)).collect();
            let slowest = real.iter().map(|outcome| outcome.met_ms.expect("views meet")).max();
            let broken: Vec<_> =
                (0..SEEDS).map(|seed| run(setting(n, ahead, false), seed)).collect();
            let apart: Vec<_> = broken.iter().filter(|outcome| outcome.met_ms.is_none()).collect();
            let wasted = apart.iter().map(|outcome| outcome.given_up).max().unwrap_or(0);
            rows.push(vec![
                n.to_string(),
                ahead.to_string(),
                format!("{} s", slowest.unwrap_or(0).div_ceil(1_000)),
                format!("{} of {SEEDS}", apart.len()),
                wasted.to_string(),
            ]);
        }
    }
    let head = ["n", "views ahead", "rule: all met within", "no rule: never met", "views given up"];
    println!("{}", markdown(&head, &rows));
}
