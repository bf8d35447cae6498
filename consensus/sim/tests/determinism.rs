//! One seed, one run: the same trace hash, twice in a row.

use consensus::hybrid::Hybrid;
use consensus_sim::{runner, scenarios, swarm};

#[test]
fn the_same_seed_gives_the_same_trace_hash_twice() {
    let mut runs = 0;
    for seed in 0..10 {
        let plan = swarm::plan(seed, 4);
        let first = runner::run::<Hybrid>(&plan, "swarm");
        let second = runner::run::<Hybrid>(&plan, "swarm");
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
        assert_eq!(first.events, second.events, "seed {seed}");
        runs += 2;
    }
    for scenario in scenarios::ALL {
        let plan = scenario.plan(7, 4);
        let hash = || runner::run::<Hybrid>(&plan, scenario.name).trace_hash;
        assert_eq!(hash(), hash(), "{}", scenario.name);
        runs += 2;
    }
    println!("{runs} runs, each seed with one hash");
}

#[test]
fn different_seeds_give_different_runs() {
    let hash = |seed| runner::run::<Hybrid>(&swarm::plan(seed, 4), "swarm").trace_hash;
    assert_ne!(hash(1), hash(2));
}
