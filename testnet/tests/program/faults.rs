//! A network that is broken on purpose, by the commands that people use.

use serde_json::{Value, json};

use crate::testnet::{Testnet, nodes};

/// Sends one unit and asks for its fate within a time.
fn send(testnet: &Testnet, seconds: &str) -> (i32, Value) {
    let to = testnet.address(1);
    let run = testnet.wallet(0, &["send", "--to", &to, "--amount", "1", "--timeout", seconds]);
    (run.code, run.json())
}

#[test]
fn three_of_four_go_on_and_the_fourth_catches_up() {
    let testnet = Testnet::up();
    for stop in ["kill", "pause"] {
        testnet.run(&[stop, "3"]).assert_succeeds();
        let status = testnet.status();
        let node = &nodes(&status)[3];
        assert_eq!(
            (&node["alive"], &node["paused"]),
            match stop {
                "kill" => (&json!(false), &json!(false)),
                _ => (&json!(true), &json!(true)),
            }
        );
        let (code, sent) = send(&testnet, "20");
        assert_eq!(code, 0, "three of four: {sent:#}");
        let go_on = if stop == "kill" { "restart" } else { "resume" };
        testnet.run(&[go_on, "3"]).assert_succeeds();
        testnet.wait_until_equal();
    }
}

#[test]
fn two_halves_stand_still_until_healed() {
    let testnet = Testnet::up();
    testnet.run(&["partition", "0,1/0,3"]).assert_fails(1, "named twice");
    testnet.run(&["partition", "0,1/2,3"]).assert_succeeds();
    let (code, pending) = send(&testnet, "3");
    assert_eq!(code, 4, "no half has a quorum: {pending:#}");
    let hash = pending["error"]["hash"].as_str().expect("a hash").to_owned();
    testnet.run(&["heal"]).assert_succeeds();
    let found = testnet.wallet(0, &["tx", "wait", &hash, "--timeout", "60"]);
    assert_eq!(found.assert_succeeds().json()["status"], json!("final"));

    // One alone: the others go on without it.
    testnet.run(&["partition", "0/1,2,3"]).assert_succeeds();
    let load = ["load", "--rate", "50", "--duration", "3", "--json"];
    let report = testnet.run(&load).assert_succeeds().json();
    assert_eq!(report["submitted"], report["final"], "{report:#}");
    testnet.run(&["heal"]).assert_succeeds();
    testnet.wait_until_equal();
}

/// Those that leave the validator able to lead come first.
const BEHAVIOURS: [&str; 8] = [
    "silent",
    "delay",
    "censor",
    "lying-view-change",
    "flood",
    "withhold",
    "invalid-block",
    "double-vote",
];

/// Under load, one validator after the other way of being faulty: nothing forks, everything
/// submitted becomes final, who voted twice is jailed, and nobody else ever.
#[test]
fn every_behaviour_is_survived() {
    let testnet = Testnet::up();
    let liar = "1";
    testnet.run(&["delay", "2", "20"]).assert_succeeds();
    for behaviour in BEHAVIOURS {
        let load = testnet.spawn(&["load", "--rate", "50", "--duration", "8", "--json"]);
        testnet.run(&["byzantine", liar, behaviour]).assert_succeeds();
        let load = load.wait_with_output().expect("it ends");
        testnet.run(&["byzantine", liar, "off"]).assert_succeeds();
        let told = String::from_utf8_lossy(&load.stdout).into_owned();
        let said = String::from_utf8_lossy(&load.stderr).into_owned();
        assert!(load.status.success(), "{behaviour}: {told} {said}");
        let report: Value = serde_json::from_str(&told).expect("JSON");
        println!("{behaviour}: {report}");
        assert_eq!(report["submitted"], report["final"], "{behaviour}: {report:#}");
        assert_eq!(report["conflicting_final_blocks"], json!(0), "{behaviour}");
        testnet.wait_until_equal();

        let validators = testnet.wallet(0, &["validators"]).assert_succeeds().json();
        let jailed: Vec<u64> = validators["validators"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|validator| validator["jailed"] == json!(true))
            .filter_map(|validator| validator["index"].as_u64())
            .collect();
        // A false block beside one that it sent before is an equivocation too.
        assert!(jailed.iter().all(|index| *index == 1), "{behaviour}: {jailed:?}");
        assert!(behaviour != "double-vote" || jailed == [1], "{jailed:?}");
    }
    testnet.run(&["heal"]).assert_succeeds();
}
