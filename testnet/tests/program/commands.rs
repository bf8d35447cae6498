//! Starting, looking at, loading and ending a network; and what cannot be done.

use serde_json::json;

use crate::testnet::{Testnet, nodes};

#[test]
fn a_network_starts_takes_transfers_and_resumes() {
    let testnet = Testnet::up();
    let status = testnet.status();
    assert_eq!(status["engine"], json!("hybrid"));
    assert!(status["dashboard"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")));
    assert_eq!(nodes(&status).len(), 4);
    for node in nodes(&status) {
        assert_eq!(node["alive"], json!(true), "{node:#}");
        assert_eq!(node["mode"], json!("fast"), "{node:#}");
        for number in ["id", "pid", "view"] {
            assert!(node[number].is_u64(), "{number}: {node:#}");
        }
        assert!(node["rpc"].is_string(), "{node:#}");
    }
    let leaders = nodes(&status).iter().filter(|node| node["role"] == "leader").count();
    assert_eq!(leaders, 1, "{status:#}");
    testnet.run(&["up", "--detach"]).assert_fails(1, "runs already");

    let to = testnet.address(1);
    let sent = testnet.wallet(0, &["send", "--to", &to, "--amount", "7", "--wait", "final"]);
    let sent = sent.assert_succeeds().json();
    assert_eq!(sent["status"], json!("final"));
    assert!(sent["elapsed_ms"].as_u64().is_some_and(|ms| ms < 1_000), "{sent:#}");

    let before = testnet.wait_until_equal();
    testnet.run(&["down"]).assert_succeeds();
    let down = testnet.status();
    assert!(nodes(&down).iter().all(|node| node["alive"] == json!(false)), "{down:#}");
    testnet.run(&["kill", "0"]).assert_fails(1, "does not run");

    let run = testnet.run(&["up", "--detach"]);
    assert!(run.assert_succeeds().stderr.contains("resuming the 4 validators"), "{run:#?}");
    let after = testnet.wait_until_equal();
    let height = |status: &serde_json::Value| nodes(status)[0]["height_final"].as_u64();
    assert!(height(&after) > height(&before), "{before:#} {after:#}");
    let hash = sent["hash"].as_str().expect("a hash");
    let found = testnet.wallet(0, &["tx", "status", hash]);
    assert_eq!(found.assert_succeeds().json()["status"], json!("final"));
}

#[test]
fn a_used_nonce_and_an_empty_purse_are_refused_by_the_chain() {
    let testnet = Testnet::up();
    let to = testnet.address(1);
    let send = ["send", "--to", &to, "--amount", "1", "--nonce", "0"];
    testnet.wallet(0, &send).assert_succeeds();
    let replayed = testnet.wallet(0, &send);
    assert_eq!(replayed.code, 1, "{replayed:#?}");
    assert_eq!(replayed.json()["error"]["kind"], json!("refused"));

    let too_much = testnet.wallet(0, &["send", "--to", &to, "--amount", "9000000000000000"]);
    assert_eq!(too_much.code, 1, "{too_much:#?}");
    assert_eq!(too_much.json()["error"]["reason"], json!("insufficient_balance"));
}

#[test]
fn load_is_measured_and_everything_becomes_final() {
    let testnet = Testnet::up();
    for payload in ["transfer", "put"] {
        let load = ["load", "--rate", "200", "--duration", "3", "--payload", payload, "--json"];
        let report = testnet.run(&load).assert_succeeds().json();
        println!("{report}");
        assert_eq!(report["submitted"], report["final"], "{report:#}");
        assert_eq!(report["failed"], json!(0), "{report:#}");
        for name in ["tps", "verify_bound_tps", "fraction_of_bound"] {
            assert!(report[name].as_f64().is_some_and(|number| number > 0.0), "{name}: {report:#}");
        }
        for name in ["p50", "p95", "p99"] {
            assert!(report["latency_ms"][name].as_f64().is_some_and(|ms| ms > 0.0), "{report:#}");
        }
    }
    testnet.wait_until_equal();
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let testnet = Testnet::new();
    testnet.run(&["status"]).assert_fails(1, "testnet up");
    testnet.run(&["load"]).assert_fails(1, "testnet up");
    let nowhere = testnet.dir().join("nowhere");
    let nowhere = nowhere.to_str().expect("text");
    testnet.run(&["down", "--dir", nowhere]).assert_fails(1, "no testnet in");
    for wrong in [
        &["byzantine", "0", "evil"][..],
        &["load", "--rate", "fast"],
        &["up", "--validators", "0"],
        &["delay", "0", "soon"],
        &["kill"],
    ] {
        assert_eq!(testnet.run(wrong).code, 2, "{wrong:?}");
    }
}
