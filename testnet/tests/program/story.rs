//! `testnet demo`: the whole story holds, and its JSON says so.

use serde_json::{Value, json};

use crate::testnet::Testnet;

#[test]
fn the_liar_is_caught_nothing_is_lost_and_calm_returns() {
    let testnet = Testnet::new();
    let run = testnet.run(&["demo", "--json"]);
    let story = run.assert_succeeds().json();
    assert_eq!(story["ok"], json!(true), "{story:#}");
    assert_eq!(story["conflicting_final_blocks"], json!(0));
    assert_eq!(story["lost_final"], json!(0));
    assert_eq!(story["state_roots_equal"], json!(true));
    assert!(story["blocks_final"].as_u64().is_some_and(|blocks| blocks > 50), "{story:#}");

    let steps = story["steps"].as_array().expect("a list");
    assert!(steps.len() >= 12, "{steps:#?}");
    for step in steps {
        assert_eq!(step["ok"], json!(true), "{step:#}");
        assert!(step["name"].is_string() && step["detail"].is_string(), "{step:#}");
    }

    let changes = story["mode_changes"].as_array().expect("a list");
    let has = |from: &str, to: &str, reason: &str| {
        let wanted = [("from", from), ("to", to), ("reason", reason)];
        changes.iter().any(|change: &Value| wanted.iter().all(|(name, is)| change[name] == *is))
    };
    assert!(has("fast", "pbft", "equivocation"), "{changes:#?}");
    assert!(has("pbft", "fast", "calm"), "{changes:#?}");
    assert!(changes.iter().all(|change| change["height"].is_u64()), "{changes:#?}");
    assert_eq!(story["evidence"].as_array().map(Vec::len), Some(1), "{story:#}");

    // A person reads along on stderr.
    assert!(run.stderr.contains("Every step held."), "{}", run.stderr);
}
