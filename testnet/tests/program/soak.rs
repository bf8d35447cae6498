//! `testnet soak`: a few rounds of what `make soak` does a hundred times.

use serde_json::json;

use crate::testnet::Testnet;

#[test]
fn killed_validators_come_back_and_lose_nothing() {
    let testnet = Testnet::new();
    let run = testnet.run(&["soak", "--kills", "8", "--seed", "3", "--json"]);
    println!("{}", run.stdout);
    let report = run.assert_succeeds().json();
    assert_eq!(report["ok"], json!(true), "{report:#}");
    assert_eq!(report["kills"], json!(8));
    assert_eq!(report["all_at_once"], json!(1));
    assert_eq!(report["lost_final"], json!(0));
    assert_eq!(report["double_votes"], json!(0));
    assert_eq!(report["conflicting_final_blocks"], json!(0));
    assert!(report["final"].as_u64().is_some_and(|count| count > 200), "{report:#}");
    assert_eq!(report["final"], report["submitted"]);
    for name in ["p50", "p99", "max"] {
        assert!(report["recovery_ms"][name].as_f64().is_some_and(|ms| ms > 0.0), "{report:#}");
    }
}
