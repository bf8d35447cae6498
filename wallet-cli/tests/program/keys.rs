//! The key-value store through the wallet: versions, levels, namespaces, tokens, watching.

use chain::access::{Access, Role};
use chain::namespace::NamespaceAction;
use chain::transaction::{Body, Expected};

use crate::fake_node::{FakeNode, address};
use crate::wallet::Wallet;

fn start() -> (FakeNode, Wallet) {
    let node = FakeNode::start();
    let wallet = Wallet::new(Some(&node.url));
    (node, wallet)
}

#[test]
fn a_swap_may_expect_a_version_and_exactly_one_thing() {
    let (node, wallet) = start();
    wallet.run_as(1, &["kv", "cas", "k", "v", "--version", "7"]).assert_succeeds();
    let body = &node.submitted()[0].payload.body;
    assert!(
        matches!(body, Body::CompareAndSwap { expected: Expected::Version(7), .. }),
        "{body:?}"
    );
    wallet
        .run_as(1, &["kv", "cas", "k", "v", "--version", "7", "--absent"])
        .assert_fails(2, "cannot be used with");
    wallet.run_as(1, &["kv", "cas", "k", "v"]).assert_fails(2, "--version");
}

#[test]
fn answers_say_how_new_and_how_sure_they_are() {
    let (node, wallet) = start();
    node.put("k", b"v");
    for (level, status) in [("final", "final"), ("ordered", "ordered"), ("linearizable", "final")] {
        let json = wallet.run(&["kv", "get", "k", "--read", level, "--json"]).json();
        assert_eq!((&json["status"], &json["version"]), (&status.into(), &1.into()), "{level}");
        let json = wallet.run(&["kv", "list", "--read", level, "--json"]).json();
        assert_eq!(json["status"], status, "{level}");
        assert_eq!(json["entries"][0]["version"], 1);
    }
    wallet.run(&["kv", "get", "k", "--read", "newest"]).assert_fails(2, "linearizable");
}

#[test]
fn a_namespace_is_created_changed_and_given_away() {
    let (node, wallet) = start();
    let two = address(2).to_string();
    let writers = format!("{two},{}", address(3));
    let create =
        ["kv", "namespace", "create", "shop", "--writers", "role:member", "--readers", &writers];
    wallet.run_as(1, &create).assert_succeeds();
    let shown = wallet.run(&["kv", "namespace", "show", "shop"]);
    assert!(shown.assert_succeeds().stdout.contains("role:member"), "{shown:?}");
    assert!(shown.stdout.contains(&writers), "{shown:?}");

    let set = ["kv", "namespace", "set-rules", "shop", "--readers", "anyone"];
    wallet.run_as(1, &set).assert_succeeds();
    let give = ["kv", "namespace", "transfer", "shop", "--to", &two];
    wallet.run_as(1, &give).assert_succeeds();
    let actions: Vec<NamespaceAction> = node
        .submitted()
        .into_iter()
        .map(|transaction| match transaction.payload.body {
            Body::Namespace(action) => action,
            other => panic!("{other:?}"),
        })
        .collect();
    let NamespaceAction::SetRules { rules, .. } = &actions[1] else { panic!("{actions:?}") };
    assert_eq!(rules.writers, Access::Role(Role::Member), "as it was");
    assert_eq!(rules.readers, Access::Anyone);
    let json = wallet.run(&["kv", "namespace", "show", "shop", "--json"]).json();
    assert_eq!(json["owner"], two);

    wallet.run_as(1, &["kv", "namespace", "create", "a/b"]).assert_fails(2, "a namespace's name");
    let nobody = ["kv", "namespace", "create", "n", "--writers", "role:king"];
    wallet.run_as(1, &nobody).assert_fails(2, "member, observer or reader");
    wallet.run(&["kv", "namespace", "show", "none"]).assert_fails(1, "no such namespace");
}

#[test]
fn a_token_is_made_where_the_node_wants_one() {
    let (node, wallet) = start();
    let create = ["kv", "namespace", "create", "n", "--readers", &address(2).to_string()];
    wallet.run_as(1, &create).assert_succeeds();
    node.put("n/1", b"secret");
    wallet.run(&["kv", "get", "n/1"]).assert_fails(1, "needs a token; name a key that may");
    wallet.run_as(3, &["kv", "get", "n/1"]).assert_fails(1, "do not let");
    for reader in [1, 2] {
        let read = wallet.run_as(reader, &["kv", "get", "n/1"]);
        assert_eq!(read.assert_succeeds().stdout, "secret\n");
        let listed = wallet.run_as(reader, &["kv", "list"]);
        assert!(listed.assert_succeeds().stdout.contains("secret"), "{listed:?}");
    }
}

#[test]
fn changes_are_shown_with_cursors_to_go_on_from() {
    let (_node, wallet) = start();
    wallet.run_as(1, &["kv", "put", "a/1", "one"]).assert_succeeds();
    wallet.run_as(1, &["kv", "put", "b/1", "elsewhere"]).assert_succeeds();
    wallet.run_as(1, &["kv", "put", "a/1", "two"]).assert_succeeds();
    wallet.run_as(1, &["kv", "delete", "a/1"]).assert_succeeds();
    let watched = wallet.run(&["kv", "watch", "a/", "--from", "0.0", "--count", "3"]);
    let lines: Vec<&str> = watched.assert_succeeds().stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "11.1  block 11  a/1 = one  (version 1)",
            "13.1  block 13  a/1 = two  (version 2)",
            "14.1  block 14  a/1 deleted",
        ]
    );
    let rest = wallet.run(&["kv", "watch", "a/", "--from", "13.1", "--count", "1", "--json"]);
    let change = rest.assert_succeeds().json();
    assert_eq!((&change["height"], &change["value"]), (&14.into(), &serde_json::Value::Null));
    // The node ends the rest, and wants a token that nobody can make.
    let ended = wallet.run(&["kv", "watch", "a/", "--from", "0.0"]);
    ended.assert_fails(1, "name a key that may");
    wallet.run(&["kv", "watch", "--from", "first"]).assert_fails(2, "like 120.3");
}
