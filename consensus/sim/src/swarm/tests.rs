use std::collections::BTreeSet;

use super::*;

const SEEDS: u64 = 3_000;

/// How many validators of a plan may be wrong for good, by plan and node.
fn broken(plan: &Plan) -> usize {
    let mut nodes: BTreeSet<usize> = plan.byzantine.iter().map(|(node, _)| *node).collect();
    nodes.extend(&plan.twins);
    nodes.extend(plan.amnesiacs());
    nodes.extend(plan.faults.iter().filter_map(|timed| match timed.fault {
        Fault::Corruption { who: Who::Node(node) } => Some(node),
        _ => None,
    }));
    nodes.len()
}

#[test]
fn no_plan_asks_for_more_than_its_model_tolerates() {
    for n in 3..=7 {
        for seed in 0..SEEDS {
            let crash = plan_for(FaultModel::Crash, seed, n);
            assert!((0..n).all(|node| crash.is_honest(node)), "seed {seed}, n = {n}");
            assert!(broken(&crash) < n.div_ceil(2), "seed {seed}, n = {n}");
            let byzantine = plan_for(FaultModel::Byzantine, seed, n);
            assert!(
                broken(&byzantine) <= usize::from(byzantine.max_faulty),
                "seed {seed}, n = {n}"
            );
        }
    }
    println!("{} plans", 10 * SEEDS);
}

/// The name of a fault as plans write it.
fn name(fault: &Fault) -> String {
    let text = format!("{fault:?}");
    text.split([' ', '(']).next().unwrap_or_default().to_owned()
}

#[test]
fn every_fault_and_every_ending_is_drawn() {
    let (mut faults, mut endings, mut workloads) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for seed in 0..SEEDS {
        let plan = plan(seed, 5);
        faults.extend(plan.faults.iter().map(|timed| name(&timed.fault)));
        endings.insert(format!("{:?}", plan.recovery));
        workloads.insert(format!("{:?}", plan.workload));
    }
    println!("{SEEDS} plans: {faults:?}");
    assert_eq!((endings.len(), workloads.len()), (2, 2));
    // All but the one that scripts restart nodes with.
    assert_eq!(faults.len(), 23, "{faults:?}");
    assert!(!faults.contains("Restart"));
}

#[test]
fn a_plan_reads_back_from_what_it_is_written_as() {
    for seed in 0..200 {
        let plan = plan(seed, 7);
        let text = toml::to_string(&plan).unwrap();
        assert_eq!(toml::from_str::<Plan>(&text).unwrap(), plan, "seed {seed}: {text}");
    }
}
