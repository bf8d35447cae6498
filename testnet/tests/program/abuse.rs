//! `testnet abuse`: a little of what `make soak` does by the million.

use serde_json::json;

use crate::testnet::Testnet;

#[test]
fn strangers_do_their_worst_and_honest_clients_hardly_notice() {
    let testnet = Testnet::new();
    let few = ["--requests", "4000", "--sockets", "300", "--identities", "40", "--megabytes", "24"];
    let run = testnet.run(&[["abuse", "--seed", "5", "--json"].as_slice(), &few].concat());
    println!("{}", run.stdout);
    let report = run.assert_succeeds().json();
    assert_eq!(report["ok"], json!(true), "{report:#}");
    assert_eq!((&report["crashed"], &report["final"]), (&json!(0), &report["submitted"]));
    let phases = report["phases"].as_array().expect("a list");
    let phase = |name: &str| phases.iter().find(|it| it["name"] == name).expect("a phase").clone();
    assert_eq!(phases.len(), 5);
    assert!(phases.iter().all(|it| it["calls"].as_u64() > Some(0) && it["failed"] == json!(0)));
    let malformed = phase("malformed requests");
    assert_eq!(malformed["done"]["requests"], json!(4000));
    assert!(malformed["done"]["refused"].as_u64() > Some(1000), "{malformed}");
    // A node gives one client half of its places, and honest ones the rest.
    assert!(phase("slow sockets")["done"]["held_at_the_end"].as_u64() <= Some(128));
    assert_eq!(phase("strangers")["done"]["identities"], json!(40));
    for port in phase("garbage")["done"].as_array().expect("two ports") {
        assert!(port["offered"].as_u64() >= Some(24 << 20), "{port}");
    }
}
