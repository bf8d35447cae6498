//! Random schedules over several views and epochs of the abstract model: the real rules survive
//! them all, and every rule is needed: broken, it is caught.
//!
//! `RUNS` says how many schedules of each plan are tried. `-- --nocapture` shows the table.

use std::time::Instant;

use consensus_sim::model::rules::{BROKEN_RULES, Rules};
use consensus_sim::model::schedule::{Hunt, Plan, hunt};
use consensus_sim::model::table::{grouped, markdown};

/// Small scopes searched well: without and with a Byzantine validator, without and with epochs.
const PLANS: [(&str, Plan); 4] = [
    ("crashes", Plan::small(4, 1, 0)),
    ("one Byzantine", Plan::small(4, 1, 1)),
    ("crashes, two epochs", Plan::epochs(4, 1, 0)),
    ("one Byzantine, two epochs", Plan::epochs(4, 1, 1)),
];

fn runs() -> u64 {
    std::env::var("RUNS").map_or(20_000, |text| text.parse().expect("a whole number"))
}

#[test]
fn the_real_rules_survive() {
    for (name, plan) in PLANS {
        let started = Instant::now();
        let Hunt { coverage, caught } = hunt(plan, Rules::REAL, runs());
        println!("{name}: {coverage:?} in {:?}", started.elapsed());
        assert!(caught.is_none(), "{name}: {caught:?}");
        assert_eq!(coverage.runs, runs(), "{name}: every schedule was tried");
        assert!(coverage.final_blocks > runs() / 2, "{name}: the schedules decide something");
        assert!(coverage.view_changes > runs() / 2, "{name}: and change views");
        assert!(!plan.barriers || coverage.finals_of_second_epochs > 0, "{name}: and epochs");
    }
}

#[test]
fn every_broken_rule_is_caught() {
    let mut rows = Vec::new();
    let mut missed = Vec::new();
    for broken in BROKEN_RULES {
        let mut row = vec![broken.name.to_owned()];
        let mut caught = false;
        for (_, plan) in PLANS {
            let found = hunt(plan, broken.rules, runs());
            caught |= found.caught.is_some();
            row.push(match found.caught {
                Some(_) => grouped(found.coverage.runs),
                None => format!("not in {}", grouped(found.coverage.runs)),
            });
        }
        if !caught {
            missed.push(broken.name);
        }
        rows.push(row);
    }
    let plans = PLANS.map(|(name, _)| name);
    let head: Vec<&str> = ["schedules until caught"].into_iter().chain(plans).collect();
    println!("{}", markdown(&head, &rows));
    assert!(missed.is_empty(), "not caught: {missed:?}");
}
