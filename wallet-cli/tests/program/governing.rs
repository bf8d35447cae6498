//! Proposals and approvals, and another key for an account.

use chain::access::Role;
use chain::crypto::Keypair;
use chain::governance::{Change, GovernanceAction, KeyKind, Parameter};
use chain::transaction::Body;
use serde_json::json;

use crate::fake_node::{FakeNode, Fate, address, validator};
use crate::wallet::{Run, Wallet, finish};

fn start() -> (FakeNode, Wallet) {
    let node = FakeNode::start();
    let wallet = Wallet::new(Some(&node.url));
    (node, wallet)
}

fn changes(node: &FakeNode) -> Vec<Change> {
    let actions = node.submitted().into_iter().filter_map(|sent| match sent.payload.body {
        Body::Governance(GovernanceAction::Propose { change }) => Some(change),
        _ => None,
    });
    actions.collect()
}

#[test]
fn a_role_is_proposed_approved_by_a_quorum_and_held() {
    let (_node, wallet) = start();
    let to = address(1).to_string();
    let grant = ["govern", "propose", "grant", &to, "member"];
    let proposed = wallet.run_as(validator(0), &grant);
    proposed.assert_succeeds();
    let said = &proposed.stdout;
    let sentence = format!("Propose to grant the role member to {to}. It passes after 2 more");
    assert!(said.starts_with(&sentence), "{said}");
    for part in ["final in block 11", "proposal     1", "approvals    1 of 3", "2 more approvals"] {
        assert!(said.contains(part), "{part}: {said}");
    }

    let listed = wallet.run(&["govern", "list"]);
    assert!(listed.assert_succeeds().stdout.contains("1 of 3"), "{listed:?}");
    let second = wallet.run_as(validator(1), &["govern", "approve", "1"]);
    assert!(second.assert_succeeds().stdout.contains("It passes after 1 more"), "{second:?}");
    let third = wallet.run_as(validator(2), &["govern", "approve", "1", "--json"]);
    let acted = third.assert_succeeds().json();
    assert!(third.stderr.contains("It passes with this."), "{third:?}");
    assert_eq!(acted["proposal"]["status"], "executed");
    assert_eq!(acted["proposal"]["waits_for"], json!({ "for": "nothing" }));

    assert_eq!(wallet.run(&["govern", "list"]).assert_succeeds().stdout, "no proposals\n");
    let all = wallet.run(&["govern", "list", "--all", "--json"]).json();
    assert_eq!(all["proposals"][0]["counted"], 3);
    let shown = wallet.run(&["govern", "show", "1"]);
    assert!(shown.assert_succeeds().stdout.contains("node0, node1, node2"), "{shown:?}");
    let account = wallet.run(&["account", "show", &to]);
    assert!(account.assert_succeeds().stdout.contains("roles        member"), "{account:?}");
    let governor = wallet.run_as(validator(3), &["account", "show", "--json"]).json();
    assert_eq!((&governor["validator"], &governor["roles"]), (&3.into(), &json!([])));
}

#[test]
fn every_change_is_proposed_as_it_was_asked_for() {
    let (node, wallet) = start();
    let key = |seed| Keypair::from_seed(&[seed; 32]).public();
    let (one, three, new) = (key(validator(1)), key(validator(3)), key(7));
    let (account, new_text, three_text) = (address(1), new.to_string(), three.to_string());
    let propose = |arguments: &[&str]| {
        let run = wallet.run_as(validator(0), &[&["govern", "propose"], arguments].concat());
        run.assert_succeeds();
        run.stdout
    };
    let said = propose(&["remove-validator", "node1"]);
    assert!(said.starts_with("Propose to remove node1 (validator 1)."), "{said}");
    propose(&["remove-validator", &three_text]);
    propose(&["rotate-key", "1", "--kind", "network", "--new-key", &new_text]);
    propose(&["jail", "3"]);
    propose(&["pardon", "node3"]);
    propose(&["set-parameter", "block_transactions", "500"]);
    propose(&["revoke", &account.to_string(), "reader"]);
    let file = wallet.path().join("candidate.json");
    let keys = json!({ "consensus_key": new, "network_key": key(8), "governance_key": key(9) });
    std::fs::write(&file, json!({ "peer_id": "x", "candidate": keys }).to_string()).unwrap();
    let said = propose(&["add-validator", "--candidate", file.to_str().unwrap()]);
    assert!(said.contains("once its node has shown that it is at the tip"), "{said}");

    let candidate = serde_json::from_value(keys).unwrap();
    let parameter = Parameter::BlockTransactions(500);
    let rotation = Change::RotateKey { validator: one, key: KeyKind::Network, new_key: new };
    let expected = [
        Change::RemoveValidator { validator: one },
        Change::RemoveValidator { validator: three },
        rotation,
        Change::Jail { validator: three },
        Change::Pardon { validator: three },
        Change::SetParameter { parameter },
        Change::Revoke { account, role: Role::Reader },
        Change::AddValidator { candidate },
    ];
    assert_eq!(changes(&node), expected);

    for index in [1, 2] {
        wallet.run_as(validator(index), &["govern", "approve", "8"]).assert_succeeds();
    }
    let shown = wallet.run(&["govern", "show", "8"]).stdout;
    assert!(shown.contains("awaits ready") && shown.contains(&new_text), "{shown}");
}

#[test]
fn what_governance_refuses_is_told_with_its_reason() {
    let (node, wallet) = start();
    let jail = ["govern", "propose", "jail", "node3"];
    let run = wallet.run_as(1, &jail);
    run.assert_fails(1, "the sender is not the governance key of a current validator");
    let run = wallet.run_as(1, &[&jail[..], &["--json"]].concat());
    assert_eq!((run.code, &run.json()["error"]["reason"]), (1, &"not_a_governor".into()));

    wallet.run_as(validator(0), &jail).assert_succeeds();
    let again = wallet.run_as(validator(0), &["govern", "approve", "1"]);
    again.assert_fails(1, "this validator approved it already");
    let other = wallet.run_as(validator(1), &["govern", "withdraw", "1"]);
    other.assert_fails(1, "only the validator that proposed it may withdraw it");
    wallet.run_as(validator(0), &["govern", "withdraw", "1"]).assert_succeeds();
    wallet
        .run_as(validator(1), &["govern", "approve", "1"])
        .assert_fails(1, "there is no such proposal, or it is not open any more");
    wallet.run(&["govern", "show", "9"]).assert_fails(1, "there is no proposal 9");

    let bad = |arguments: &[&str], expected: &str| {
        let run = wallet.run_as(validator(0), &[&["govern", "propose"], arguments].concat());
        run.assert_fails(2, expected);
    };
    bad(&["jail", "node9"], "there is no validator node9: see `wallet-cli validators`");
    bad(&["jail", "9"], "there is no validator 9");
    bad(&["set-parameter", "colour", "blue"], "there is no rule \"colour\"");
    bad(&["set-parameter", "access", "closed"], "expected open or members");
    bad(&["set-parameter", "block_bytes", "-1"], "");
    bad(&["grant", &address(1).to_string(), "king"], "member, observer or reader");
    bad(&["add-validator", "--consensus-key", &"7".repeat(64)], "required");
    let file = wallet.path().join("not-a-candidate.json");
    std::fs::write(&file, "{}").unwrap();
    bad(&["add-validator", "--candidate", file.to_str().unwrap()], "names no candidate");
    assert_eq!(changes(&node).len(), 3, "what cannot be meant is not sent");
}

/// Runs with the password of all keys.
fn with_password(wallet: &Wallet, arguments: &[&str]) -> Run {
    finish(wallet.command(arguments).env("WALLET_PASSWORD", "pw"))
}

#[test]
fn an_account_gets_another_key_and_goes_on_under_its_name() {
    let (node, wallet) = start();
    let account = node.fund(1, 100);
    let file = wallet.plain_key(1);
    let run = |arguments: &[&str]| with_password(&wallet, arguments);
    run(&["key", "import", "main", "--file", file.to_str().unwrap()]).assert_succeeds();
    let rotated = run(&["key", "rotate"]);
    rotated.assert_succeeds();
    assert!(rotated.stdout.contains("signs for this address"), "{rotated:?}");
    assert!(rotated.stdout.contains("main.json.retired-1"), "{rotated:?}");

    let shown = run(&["key", "show", "--json"]).assert_succeeds().json();
    assert_eq!((&shown["name"], &shown["address"]), (&"main".into(), &account.to_string().into()));
    let public = node.key_of(account).expect("it was rotated").to_string();
    assert_eq!(shown["public"], public);
    assert!(run(&["account", "show"]).assert_succeeds().stdout.contains(&public));

    let to = address(2).to_string();
    run(&["send", "--to", &to, "--amount", "40"]).assert_succeeds();
    assert_eq!(node.balance(account), 60, "the account is the same");
    assert_eq!(node.submitted()[1].payload.account, Some(account));
    let old = wallet.run_as(1, &["send", "--to", &to, "--amount", "1"]);
    old.assert_fails(1, "this key does not sign for the account");

    // The key in an unencrypted file, for the account that it signs for.
    let out = wallet.path().join("out.json");
    run(&["key", "export", "main", "--out", out.to_str().unwrap()]).assert_succeeds();
    let (out, account) = (out.to_str().unwrap(), account.to_string());
    wallet
        .run(&["send", "--to", &to, "--amount", "1", "--key-file", out, "--account", &account])
        .assert_succeeds();
}

#[test]
fn an_interrupted_rotation_goes_on_where_it_was() {
    let (node, wallet) = start();
    let account = node.fund(1, 100);
    let file = wallet.plain_key(1);
    let run = |arguments: &[&str]| with_password(&wallet, arguments);
    run(&["key", "import", "main", "--file", file.to_str().unwrap()]).assert_succeeds();
    node.set_fate(Fate::Pending);
    let cut = run(&["key", "rotate", "--timeout", "0.1"]);
    assert_eq!(cut.code, 4, "{cut:?}");
    assert!(cut.stderr.contains("give the command again to go on"), "{cut:?}");
    let names = |run: Run| run.json()["keys"].as_array().unwrap().len();
    assert_eq!(names(run(&["key", "list", "--json"])), 2);

    node.set_fate(Fate::Final);
    let again = run(&["key", "rotate", "--key", "main"]);
    assert!(!again.assert_succeeds().stdout.contains("Write down"), "the same key: {again:?}");
    assert_eq!(names(run(&["key", "list", "--json"])), 1);
    run(&["send", "--to", &address(2).to_string(), "--amount", "40"]).assert_succeeds();
    assert_eq!(node.balance(account), 60);

    // A key of its own name, and one from a file.
    let named = run(&["key", "rotate", "--new", "second"]);
    assert!(named.assert_succeeds().stdout.contains("second.json"), "{named:?}");
    let missing = wallet.run_as(2, &["key", "rotate"]);
    missing.assert_fails(2, "name the new one with --new");
}
