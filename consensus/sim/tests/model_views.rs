use consensus_sim::model::rules::{BROKEN_RULES, Rules};
use consensus_sim::model::schedule::{Plan, hunt};

#[test]
fn explore() {
    let runs = std::env::var("RUNS").map_or(20_000, |t| t.parse().unwrap());
    for plan in [Plan { steps: 320, ..Plan::epochs(4, 1, 1) }] {
        let start = std::time::Instant::now();
        let found = hunt(plan, Rules::REAL, runs);
        println!("{plan:?}\nREAL {found:?} {:?}", start.elapsed());
        for broken in BROKEN_RULES {
            let start = std::time::Instant::now();
            let found = hunt(plan, broken.rules, runs);
            println!(
                "{}: runs {} {:?} {:?}",
                broken.name,
                found.coverage.runs,
                found.caught.map(|c| c.violation),
                start.elapsed()
            );
        }
    }
}
#[test]
fn explain_it() {
    let seed = std::env::var("SEED").map_or(531, |t| t.parse().unwrap());
    for line in consensus_sim::model::schedule::explain(Plan::epochs(4, 1, 1), Rules::REAL, seed) {
        println!("{line}");
    }
}
