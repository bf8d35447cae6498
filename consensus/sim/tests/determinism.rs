//! One seed, one run: the same trace hash twice in a row, and the same as the hashes that
//! `tests/golden/trace_hashes.txt` holds. `make test` compares them in the test profile and
//! `make soak` in the release profile, so both give the same runs; on any machine.
//!
//! `UPDATE_GOLDEN=1` rewrites the file, after a change that is meant to change runs.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use consensus::registry::EngineName;
use consensus_sim::report::Report;
use consensus_sim::simulate::{Request, Story, Variation};

/// What happens in the runs whose hashes are kept.
const GOLDEN: [&str; 5] = ["calm", "leader-crash", "lossy", "equivocation", Story::SWARM];

fn run(engine: EngineName, scenario: &str, seed: u64) -> Report {
    let request = Request {
        engine,
        story: Story::named(scenario).expect("a scenario"),
        validators: 4,
        seed,
        duration: Some(Duration::from_millis(500)),
        variation: Variation::default(),
    };
    request.run().expect("four validators are enough for everything")
}

#[test]
fn the_same_seed_gives_the_same_trace_hash_twice() {
    let mut runs = 0;
    for engine in EngineName::ALL.iter().copied() {
        for (scenario, _) in Story::list() {
            let (first, second) = (run(engine, scenario, 7), run(engine, scenario, 7));
            assert_eq!(first.trace_hash, second.trace_hash, "{engine} {scenario}");
            assert_eq!(first.events, second.events, "{engine} {scenario}");
            assert_eq!(first.verdict, second.verdict, "{engine} {scenario}");
            runs += 2;
        }
        for seed in 0..10 {
            let hash = || run(engine, Story::SWARM, seed).trace_hash;
            assert_eq!(hash(), hash(), "{engine} swarm, seed {seed}");
            runs += 2;
        }
    }
    println!("{runs} runs, each seed with one hash");
}

#[test]
fn different_seeds_give_different_runs() {
    for engine in EngineName::ALL.iter().copied() {
        let hash = |seed| run(engine, Story::SWARM, seed).trace_hash;
        assert_ne!(hash(1), hash(2), "{engine}");
    }
}

#[test]
fn trace_hashes_are_those_of_every_other_build_and_machine() {
    let mut found = String::new();
    for engine in EngineName::ALL.iter().copied() {
        for scenario in GOLDEN {
            for seed in [1, 2] {
                let hash = run(engine, scenario, seed).trace_hash;
                writeln!(found, "{engine} {scenario} {seed} {hash}").expect("a string takes it");
            }
        }
    }
    // As cargo says now, not when this was compiled: a build folder may serve several checkouts.
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs this"));
    let path = package.join("tests/golden/trace_hashes.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &found).expect("the file can be written");
    }
    let golden = fs::read_to_string(&path).expect("the file is in the repository");
    let differ: Vec<&str> =
        found.lines().filter(|line| !golden.lines().any(|known| known == *line)).collect();
    assert!(
        differ.is_empty() && found.lines().count() == golden.lines().count(),
        "runs changed, to\n{}\nIf that is meant, run again with UPDATE_GOLDEN=1.",
        differ.join("\n")
    );
    println!("{} runs as in {}", found.lines().count(), path.display());
}
