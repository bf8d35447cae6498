//! Every named scenario on every engine. Within its fault model an engine keeps all safety
//! properties and comes back afterwards; outside it the report says so, whatever happens.

use consensus::engine::{Engine, FaultModel};
use consensus::registry::{EngineName, Visitor};
use consensus_sim::runner::{self, Outcome};
use consensus_sim::scenarios;

struct Scenarios;

impl Visitor for Scenarios {
    type Output = (u32, u32);

    fn visit<E: Engine>(self) -> (u32, u32) {
        let (mut within, mut beyond) = (0, 0);
        for builtin in scenarios::ALL {
            for n in [4, 7] {
                for seed in 0..2 {
                    let plan = builtin.scenario().plan(seed, n);
                    let report = runner::run::<E>(&plan, builtin.name);
                    println!(
                        "{:>6} {:>18} n={n} seed {seed}: {} blocks, {} views, {} epochs, {:.1} \
                         messages/block, p50 {:.1} ms, stalled {} ms, recovery {:?} ms: {}",
                        E::NAME,
                        builtin.name,
                        report.blocks_final,
                        report.views,
                        report.epochs,
                        report.messages_per_block,
                        report.latency_ms.p50,
                        report.liveness.stalled_ms,
                        report.liveness.recovery_ms,
                        report.verdict,
                    );
                    if !report.within_fault_model {
                        beyond += 1;
                        continue;
                    }
                    within += 1;
                    if Outcome::of(&report) != Outcome::Ok {
                        let (_, lines) = runner::explain::<E>(&plan, builtin.name, 60);
                        for line in lines {
                            println!("{}", line.chars().take(400).collect::<String>());
                        }
                        panic!("{} {} n={n} seed {seed}: {report:#?}", E::NAME, builtin.name);
                    }
                }
            }
        }
        (within, beyond)
    }
}

fn run(name: EngineName) {
    let (within, beyond) = name.visit(Scenarios);
    println!("{name}: {within} runs within its fault model, {beyond} beyond");
    assert!(within as usize >= 3 * (scenarios::ALL.len() - 3), "most scenarios are within it");
}

#[test]
fn every_engine_survives_every_scenario_within_its_fault_model() {
    std::thread::scope(|scope| {
        for engine in EngineName::ALL {
            scope.spawn(|| run(*engine));
        }
    });
}

/// What a crash-tolerant engine does under an equivocating leader is shown, not hidden.
fn breaks_under_equivocation<E: Engine>() {
    let scenario = scenarios::named("equivocation").expect("it ships").scenario();
    let (mut forks, mut stalls, mut unharmed) = (0, 0, 0);
    for seed in 0..20 {
        let report = runner::run::<E>(&scenario.plan(seed, 4), "equivocation");
        assert!(!report.within_fault_model, "a liar is beyond the model");
        match Outcome::of(&report) {
            Outcome::Safety => forks += 1,
            Outcome::Liveness => stalls += 1,
            Outcome::Ok => unharmed += 1,
            Outcome::Crash => panic!("seed {seed}: {report:#?}"),
        }
    }
    println!("{}: {forks} forks, {stalls} stalls, {unharmed} unharmed of 20", E::NAME);
    assert!(forks + stalls > 4, "an equivocating leader does harm");
}

struct UnderEquivocation;

impl Visitor for UnderEquivocation {
    type Output = ();

    fn visit<E: Engine>(self) {
        if E::FAULT_MODEL == FaultModel::Crash {
            breaks_under_equivocation::<E>();
        }
    }
}

#[test]
fn crash_tolerant_engines_break_under_an_equivocating_leader() {
    for engine in EngineName::ALL {
        engine.visit(UnderEquivocation);
    }
}
