//! Liars, forks, broken networks, floods, odd transactions, starts on a chain: a little of what
//! `make soak` does for hours.

use serde_json::{Value, json};

use crate::testnet::Testnet;

/// Runs a gate that must hold.
fn gate(arguments: &[&str]) -> Value {
    let testnet = Testnet::new();
    let run = testnet.run(&[arguments, &["--json"]].concat());
    println!("{}{}", run.stderr, run.stdout);
    let report = run.assert_succeeds().json();
    assert_eq!(report["ok"], json!(true), "{report:#}");
    report
}

/// Runs one with a planted fault, which it must find. What it said of it.
fn planted(arguments: &[&str]) -> String {
    let testnet = Testnet::new();
    let run = testnet.run(arguments);
    println!("{}{}", run.stderr, run.stdout);
    assert_eq!(run.code, 1, "the planted fault goes unnoticed: {run:#?}");
    run.stderr
}

#[test]
fn honest_validators_go_on_beside_liars() {
    let report = gate(&["liars", "--seconds", "3", "--behaviours", "silent,double-vote"]);
    let phases = report["phases"].as_array().expect("a list");
    assert_eq!(phases.len(), 2);
    assert_eq!(phases[1]["convicted"], phases[1]["liars"], "{report:#}");
    assert!(phases[0]["acts"][0].as_u64() > Some(0), "{report:#}");
}

/// Otherwise the check above might be blind.
#[test]
fn one_liar_too_many_is_noticed() {
    let said = planted(&["liars", "--one-too-many", "--seconds", "2", "--behaviours", "silent"]);
    assert!(said.contains("of the fault-free goodput"), "{said}");
}

#[test]
fn a_fork_is_proven_from_two_disks_and_crashes_nobody() {
    let report = gate(&["fork"]);
    assert_eq!(report["signers_of_both"], json!([0, 1]), "{report:#}");
    assert!(report["statement"].as_str().is_some_and(|says| says.contains("Two blocks are final")));
}

#[test]
fn broken_networks_decide_nothing_without_a_quorum() {
    let report = gate(&[
        "network",
        "--seconds",
        "2",
        "--shapes",
        "halves,partial,deaf-follower,lossy,narrow",
    ]);
    let shapes = report["shapes"].as_array().expect("a list");
    assert_eq!(shapes.len(), 5);
    assert!(shapes[1..].iter().all(|shape| shape["finalized"].as_u64() > Some(0)), "{report:#}");
}

/// Otherwise the check above might be blind.
#[test]
fn a_cut_that_cuts_nothing_is_noticed() {
    let said = planted(&["network", "--seconds", "2", "--shapes", "halves", "--leaky"]);
    assert!(said.contains("without a quorum"), "{said}");
}

#[test]
fn a_long_chain_votes_again_soon() {
    let report = gate(&["reopen", "--blocks", "200"]);
    assert!(report["blocks"].as_u64() >= Some(200), "{report:#}");
    assert_eq!(report["starts"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_flood_takes_little_from_those_who_ask_for_little() {
    let report = gate(&["flood", "--seconds", "4"]);
    assert_eq!(report["modest_missing"], json!(0), "{report:#}");
    assert!(report["offered_times"].as_f64() > Some(8.0), "{report:#}");
}

#[test]
fn odd_transactions_leave_one_state_everywhere() {
    let report = gate(&["determinism", "--transactions", "2000"]);
    assert!(report["final"].as_u64() >= Some(2000), "{report:#}");
    assert!(report["failed"].as_u64() > Some(0), "{report:#}");
    assert_eq!(report["executed_again"].as_array().map(Vec::len), Some(2));
}
