//! `testnet soak`: a few rounds of each kind that `make soak` plays by the hundred.

use serde_json::{Value, json};

use crate::testnet::Testnet;

/// Plays rounds that must hold.
fn soak(arguments: &[&str]) -> Value {
    let testnet = Testnet::new();
    let mut all = vec!["soak", "--json"];
    all.extend(arguments);
    let run = testnet.run(&all);
    println!("{}{}", run.stderr, run.stdout);
    let report = run.assert_succeeds().json();
    assert_eq!(report["ok"], json!(true), "{report:#}");
    for name in ["lost_final", "double_votes", "conflicting_final_blocks", "late_recoveries"] {
        assert_eq!(report[name], json!(0), "{name}: {report:#}");
    }
    assert_eq!(report["contradictions"], json!([]));
    assert!(report["promises"].as_u64().is_some_and(|count| count > 100), "{report:#}");
    assert_eq!(report["final"], report["submitted"]);
    for name in ["p50", "p99", "max"] {
        assert!(report["recovery_ms"][name].as_f64().is_some_and(|ms| ms > 0.0), "{report:#}");
    }
    report
}

#[test]
fn killed_validators_come_back_and_lose_nothing() {
    let report = soak(&["--kills", "3", "--crashes", "13", "--pauses", "1", "--seed", "3"]);
    assert_eq!(report["kills"], json!(3));
    assert_eq!(report["all_at_once"], json!(1));
    assert!(report["final"].as_u64().is_some_and(|count| count > 200), "{report:#}");
    // Each point had its turn; a machine that is very slow may not come to one in time.
    assert!(report["points_missed"].as_u64().is_some_and(|count| count <= 2), "{report:#}");
    let points = report["faults"].as_object().expect("faults by name").keys();
    assert!(points.filter(|name| name.starts_with("crash at")).count() >= 11, "{report:#}");
}

#[test]
fn what_a_quorum_synced_survives_bad_disks_and_clocks() {
    let report = soak(&[
        "--power-cuts=5",
        "--sync-errors=1",
        "--full-disks=2",
        "--clock-changes=1",
        "--seed=2",
    ]);
    // Four of single validators and one of all four, and what the failed sync had not saved.
    assert_eq!(report["power"]["cuts"], json!(9));
    assert!(report["power"]["bytes"].as_u64().is_some_and(|count| count > 0), "{report:#}");
    assert_eq!(report["late_stops"], json!(0));
    assert_eq!(report["said_after_failed_sync"], json!(0));
}

#[test]
fn harmed_disks_and_second_processes_are_noticed() {
    let report = soak(&["--bit-flips=4", "--old-disks=1", "--twins=1", "--seed=2"]);
    let damage = &report["damage"];
    let count = |name: &str| damage[name].as_u64().expect("a count");
    assert_eq!(count("stopped") + count("went_on"), 4, "{report:#}");
    assert!(count("stopped") > 0, "{report:#}");
    assert_eq!((count("old_disks"), count("twins")), (1, 2), "{report:#}");
    assert_eq!((&damage["served"], &damage["unnoticed"]), (&json!([]), &json!([])));
}

/// Otherwise the checks above might be blind.
#[test]
fn disks_that_lie_are_noticed() {
    let testnet = Testnet::new();
    let run = testnet.run(&["soak", "--power-cuts", "3", "--lying-disks"]);
    println!("{}{}", run.stderr, run.stdout);
    assert_eq!(run.code, 1, "nothing was lost: {run:#?}");
}
