//! `testnet linearize`: a few of the histories that `make soak` runs fifty of.

use serde_json::json;

use crate::testnet::Testnet;

#[test]
fn clients_of_a_broken_network_see_one_history() {
    let testnet = Testnet::new();
    let run = testnet.run(&["linearize", "--histories", "2", "--operations", "1000", "--json"]);
    println!("{}{}", run.stderr, run.stdout);
    let report = run.assert_succeeds().json();
    assert_eq!(report["ok"], json!(true), "{report:#}");
    assert_eq!(report["linearizable"], json!(2));
    assert_eq!(report["violations"], json!([]));
    assert_eq!(report["undecided"], json!(0));
    assert_eq!((&report["wrong_nonces"], &report["chain"]), (&json!(0), &json!([])));
    assert!(report["accounts"].as_u64() >= Some(20), "{report:#}");
    // Otherwise the check might be blind.
    assert_eq!(report["stale_reads_noticed"], json!(true));
    for name in ["reads", "writes", "swaps", "mismatches"] {
        assert!(report[name].as_u64().is_some_and(|count| count > 20), "{name}: {report:#}");
    }
    assert!(report["recorded"].as_u64().is_some_and(|count| count >= 2_000), "{report:#}");
}

#[test]
fn unknown_faults_are_refused() {
    let testnet = Testnet::new();
    let run = testnet.run(&["linearize", "--faults", "fire"]);
    assert!(run.code == 2 && run.stderr.contains("kill, pause, partition"), "{run:#?}");
}
