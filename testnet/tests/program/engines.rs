//! Every engine runs the real node: a leader dies, the others go on, it comes back with the same state.

use std::time::Instant;

use consensus::engine::FaultModel;
use consensus::registry::EngineName;
use serde_json::{Value, json};

use crate::testnet::{Testnet, nodes};

/// What its finality is worth.
fn worth(engine: EngineName) -> &'static str {
    match engine.fault_model() {
        FaultModel::Crash => "crash-final",
        FaultModel::Byzantine => "certified",
    }
}

/// The validator that leads in the newest view, asked of those that run.
fn leader(status: &Value) -> Option<u64> {
    let leads = |node: &&Value| node["role"] == "leader";
    nodes(status).iter().filter(leads).max_by_key(|node| node["view"].as_u64())?["id"].as_u64()
}

/// Has a transfer made final through a validator; answers with what the wallet says.
fn transfer(testnet: &Testnet, through: &Value) -> Value {
    let (to, rpc) = (testnet.address(1), through["rpc"].as_str().expect("an address"));
    let send = ["send", "--to", &to, "--amount", "1", "--wait", "final", "--timeout", "60"];
    let sent = testnet.wallet(0, &[&send[..], &["--rpc", rpc]].concat());
    sent.assert_succeeds().json()
}

/// What a validator's chain says of finality, and of how its last block became final.
fn check_words(testnet: &Testnet, engine: EngineName, status: &Value, sent: &Value) {
    assert_eq!(status["engine"], json!(engine.as_str()));
    for node in nodes(status) {
        assert_eq!(node["mode"].is_null(), !engine.switches_modes(), "{engine}: {node:#}");
        assert!(node["view"].is_u64() && node["role"].is_string(), "{engine}: {node:#}");
    }
    assert_eq!((&sent["status"], &sent["finality"]), (&json!("final"), &json!(worth(engine))));
    let said = testnet.wallet(0, &["status"]).assert_succeeds().json();
    assert_eq!(said["finality"], json!(worth(engine)), "{said:#}");
    let height = sent["height"].to_string();
    let block = testnet.wallet(0, &["block", "show", &height]).assert_succeeds().json();
    let certified = engine.fault_model() == FaultModel::Byzantine;
    assert_eq!(block["certificate"].is_object(), certified, "{engine}: {block:#}");
}

fn lives_through_the_death_of_its_leader(engine: EngineName) {
    let testnet = Testnet::new();
    testnet.run(&["up", "--detach", "--engine", engine.as_str()]).assert_succeeds();
    let status = testnet.wait_for("a leader", |status| leader(status).is_some());
    let first = transfer(&testnet, &nodes(&status)[0]);
    check_words(&testnet, engine, &status, &first);

    let status = testnet.wait_for("a leader", |status| leader(status).is_some());
    let victim = leader(&status).expect("it was waited for");
    testnet.run(&["kill", &victim.to_string()]).assert_succeeds();
    let dead = Instant::now();
    let survivor = nodes(&status).iter().find(|node| node["id"] != victim).expect("others");
    let second = transfer(&testnet, survivor);
    let replaced = dead.elapsed();
    assert!(second["height"].as_u64() > first["height"].as_u64(), "{first:#} {second:#}");

    let start = Instant::now();
    testnet.run(&["restart", &victim.to_string()]).assert_succeeds();
    testnet.wait_until_equal();
    println!(
        "{engine}: final after {} ms, {} ms after the leader died, equal {} ms after its restart",
        first["elapsed_ms"],
        replaced.as_millis(),
        start.elapsed().as_millis()
    );
}

#[test]
fn every_engine_lives_through_the_death_of_its_leader() {
    assert!(EngineName::ALL.len() >= 4, "{}", EngineName::list());
    for engine in EngineName::ALL {
        lives_through_the_death_of_its_leader(*engine);
    }
}

#[test]
fn a_demo_or_a_resumed_network_of_another_engine_is_refused_in_words() {
    let testnet = Testnet::new();
    for engine in EngineName::ALL.iter().filter(|engine| !engine.switches_modes()) {
        let run = testnet.run(&["demo", "--engine", engine.as_str()]);
        run.assert_fails(1, "from one mode to the other");
    }
    let unknown = testnet.run(&["up", "--engine", "hotstuff"]);
    assert!(unknown.code == 2 && unknown.stderr.contains(&EngineName::list()), "{unknown:#?}");

    let [first, .., second] = EngineName::ALL else { panic!("two engines at least") };
    let (first, second) = (first.as_str(), second.as_str());
    testnet.run(&["up", "--detach", "--engine", first]).assert_succeeds();
    testnet.run(&["up", "--engine", second]).assert_fails(1, "is one of");
}
