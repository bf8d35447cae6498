//! Validators come and go while the network runs.

use consensus::registry::EngineName;
use serde_json::{Value, json};

use crate::testnet::{Testnet, nodes};

/// Seats of the nodes, in the order of their numbers.
fn seats(status: &Value) -> Vec<Option<u64>> {
    nodes(status).iter().map(|node| node["validator"].as_u64()).collect()
}

#[test]
fn a_node_joins_votes_and_retires_under_load() {
    let testnet = Testnet::up();
    let load = testnet.spawn(&["load", "--rate", "50", "--duration", "20", "--json"]);
    let joined = testnet.run(&["join", "--json"]);
    println!("{}", joined.stderr);
    let joined = joined.assert_succeeds().json();
    assert_eq!((&joined["id"], &joined["validators"]), (&json!(4), &json!(5)), "{joined:#}");
    let steps: Vec<&str> = joined["steps"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|s| s["name"].as_str())
        .collect();
    assert_eq!(steps, ["made", "runs", "at the tip", "approved", "admitted", "votes"]);

    let left = testnet.run(&["leave", "1", "--json"]).assert_succeeds().json();
    assert_eq!((&left["validator"], &left["validators"]), (&Value::Null, &json!(4)), "{left:#}");
    let status = testnet.wait_for("an observer", |status| seats(status)[1].is_none());
    assert_eq!(nodes(&status)[1]["role"], json!("observer"), "{status:#}");
    assert_eq!(seats(&status).iter().flatten().count(), 4, "{status:#}");
    testnet.run(&["leave", "1"]).assert_fails(1, "no validator has this key");

    let load = load.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&load.stdout).into_owned();
    assert!(load.status.success(), "{told} {}", String::from_utf8_lossy(&load.stderr));
    let report: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(report["submitted"], report["final"], "{report:#}");
    assert_eq!(report["failed"], json!(0), "{report:#}");
    testnet.wait_until_equal();

    // The one that retired comes back with the keys that it has.
    testnet.run(&["join", "1", "--json"]).assert_succeeds();
    testnet.run(&["kill", "4"]).assert_succeeds();
    testnet.run(&["restart", "4"]).assert_succeeds();
    testnet.wait_until_equal();
}

#[test]
fn a_change_without_slack_is_refused_with_the_reason() {
    let testnet = Testnet::up();
    testnet.run(&["kill", "3"]).assert_succeeds();
    // Until the one that is dead is in none of the certificates that count.
    let load = ["load", "--rate", "100", "--duration", "5", "--json"];
    testnet.run(&load).assert_succeeds();
    testnet.run(&["leave", "0"]).assert_fails(1, "slack");
    testnet.run(&["restart", "3"]).assert_succeeds();
    testnet.wait_until_equal();
}

/// Everything that must hold of a run of `churn`. Pauses are printed: on a busy machine they say more
/// of the machine.
fn check(report: &Value, changes: u64) {
    let made: u64 =
        report["changes"].as_object().expect("kinds").values().filter_map(Value::as_u64).sum();
    assert_eq!(made, changes, "{report:#}");
    for none in ["failed", "lost_final", "conflicting_final_blocks", "double_votes"] {
        assert_eq!(report[none], json!(0), "{none}: {report:#}");
    }
    assert_eq!(report["submitted"], report["final"], "{report:#}");
    assert_eq!(report["state_roots_equal"], json!(true), "{report:#}");
}

#[test]
fn changes_in_a_row_lose_nothing() {
    let testnet = Testnet::new();
    for engine in EngineName::ALL {
        let changes = if *engine == EngineName::Hybrid { "6" } else { "1" };
        let run =
            testnet.run(&["churn", "--changes", changes, "--engine", engine.as_str(), "--json"]);
        println!("{engine}: {}{}", run.stderr, run.stdout);
        check(&run.json(), changes.parse().expect("a number"));
    }
}
