//! Random schedules over several views and epochs of the abstract model: the real rules survive
//! them all.
//!
//! `RUNS` says how many schedules are tried.

use std::time::Instant;

use consensus_sim::model::rules::{BROKEN_RULES, Rules};
use consensus_sim::model::schedule::{Plan, hunt};

#[test]
fn the_real_rules_survive_and_broken_ones_are_caught() {
    let runs = std::env::var("RUNS").map_or(5_000, |text| text.parse().expect("a whole number"));
    let plan = Plan { steps: 320, ..Plan::epochs(4, 1, 1) };
    let started = Instant::now();
    let real = hunt(plan, Rules::REAL, runs);
    println!("{plan:?}, real rules: {} schedules, {:?}", real.coverage.runs, started.elapsed());
    assert_eq!(real.coverage.runs, runs, "every schedule was tried: {real:?}");
    assert!(real.caught.is_none(), "the real rules failed: {real:?}");

    let mut caught = 0;
    for broken in BROKEN_RULES {
        let found = hunt(plan, broken.rules, runs);
        let violation = found.caught.map(|case| case.violation);
        caught += usize::from(violation.is_some());
        println!("{}: {} schedules, {violation:?}", broken.name, found.coverage.runs);
    }
    assert!(caught >= 7, "random schedules catch half of the broken rules: {caught}");
}
