//! Every named scenario keeps all safety properties and comes back afterwards.

use consensus::hybrid::Hybrid;
use consensus_sim::{runner, scenarios};

#[test]
fn every_scenario_is_safe_and_recovers() {
    for scenario in scenarios::ALL {
        for n in [4, 7] {
            for seed in 0..3 {
                let plan = scenario.plan(seed, n);
                let report = runner::run::<Hybrid>(&plan, scenario.name);
                println!(
                    "{:>14} n={n} seed {seed}: {} blocks, {} views, {} epochs, {:.1} messages/block, p50 {:.1} ms, stalled {} ms, recovery {:?} ms",
                    scenario.name,
                    report.blocks_final,
                    report.views,
                    report.epochs,
                    report.messages_per_block,
                    report.latency_ms.p50,
                    report.liveness.stalled_ms,
                    report.liveness.recovery_ms,
                );
                if !report.violations.is_empty() || !report.liveness.recovered {
                    let (_, lines) = runner::explain::<Hybrid>(&plan, scenario.name, 60);
                    for line in lines {
                        println!("{}", &line[..line.len().min(400)]);
                    }
                    panic!("{} n={n} seed {seed}: {report:#?}", scenario.name);
                }
            }
        }
    }
}
