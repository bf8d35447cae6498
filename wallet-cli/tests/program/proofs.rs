//! Proof files, and answers that are believed only with proof.

use std::path::PathBuf;

use crate::fake_node::address;
use crate::proving_node::{Lie, ProvingNode};
use crate::wallet::{Run, Wallet};

fn start() -> (ProvingNode, Wallet) {
    let node = ProvingNode::start();
    let wallet = Wallet::new(Some(&node.url));
    (node, wallet)
}

/// Runs with proof demanded.
fn verified(node: &ProvingNode, wallet: &Wallet, arguments: &[&str]) -> Run {
    let genesis = node.genesis().to_str().expect("text");
    let mut all = arguments.to_vec();
    all.extend(["--verify", "--genesis", genesis]);
    wallet.run_as(1, &all)
}

#[test]
fn a_proof_is_kept_in_a_file_and_checked_without_a_node() {
    let (node, wallet) = start();
    let genesis = node.genesis().to_str().expect("text").to_owned();
    let path = |name: &str| wallet.path().join(name).to_str().expect("text").to_owned();
    let owner = address(1).to_string();
    let (first, failed) = (node.transaction(1).to_string(), node.transaction(4).to_string());
    let table: [(&[&str], &str); 7] = [
        (&["tx", &first], "is final in block 1 of chain"),
        (&["tx", &failed], "without effect because balance 1000 is below 5000"),
        (&["account", &owner], "owns 1000 and has sent 3 transactions"),
        (&["key", "colour"], "the key \"colour\" holds \"red\" in version 2"),
        (&["key", "636f6c6f72", "--hex"], "the key \"color\" does not exist"),
        (&["validators", "1"], "the validators of epoch 1 are "),
        (
            &["evidence", &first],
            "equivocated: it voted for two different blocks at view 0, height 2",
        ),
    ];
    for (number, (subject, says)) in table.into_iter().enumerate() {
        let file = path(&format!("proof{number}.json"));
        let mut get = vec!["proof", "get"];
        get.extend(subject);
        let printed = wallet.run(&get);
        assert!(printed.assert_succeeds().stdout.contains("catamaran-proof/1"), "{printed:?}");
        get.extend(["--out", &file]);
        let run = wallet.run(&get);
        assert!(run.assert_succeeds().stdout.contains("It claims: "), "{run:?}");
        assert_eq!(std::fs::read_to_string(&file).expect("written"), printed.stdout);
        wallet.run(&get).assert_fails(2, "already exists");

        let offline = Wallet::new(Some("http://127.0.0.1:1"));
        let verify = ["proof", "verify", &file, "--genesis", &genesis];
        let run = offline.run(&verify);
        let line = &run.assert_succeeds().stdout;
        assert!(line.starts_with("Proven: ") && line.contains(says), "{line}");
        let mut json = verify.to_vec();
        json.push("--json");
        let object = offline.run(&json).assert_succeeds().json();
        assert_eq!(object["proven"], true);
        assert!(object["statement"].as_str().is_some_and(|text| text.contains(says)));
    }
}

#[test]
fn a_file_that_proves_nothing_says_why() {
    let (node, wallet) = start();
    let genesis = node.genesis().to_str().expect("text").to_owned();
    let file: PathBuf = wallet.path().join("proof.json");
    let name = file.to_str().expect("text").to_owned();
    let verify = ["proof", "verify", &name, "--genesis", &genesis];
    wallet.run(&verify).assert_fails(2, "No such file");
    let proof = wallet.run(&["proof", "get", "key", "colour"]).assert_succeeds().stdout.clone();

    let refuse = |text: &str, expected: &str| {
        std::fs::write(&file, text).expect("written");
        wallet.run(&verify).assert_fails(1, expected);
        let mut json = verify.to_vec();
        json.push("--json");
        let error = wallet.run(&json).json()["error"].clone();
        assert_eq!((&error["code"], &error["reason"]), (&1.into(), &"unproven".into()));
    };
    refuse("", "not a proof file");
    refuse(&proof.replace("\"red\\\"", "\"rod\\\""), "canonical");
    refuse(&proof.replace("proof/1", "proof/9"), "format");

    std::fs::write(&file, &proof).expect("written");
    wallet.run(&verify).assert_succeeds();
    wallet.run(&verify[..3]).assert_fails(2, "give --genesis FILE");
    let other = ProvingNode::start();
    node.tell(Lie::OtherChain);
    let proof = wallet.run(&["proof", "get", "key", "colour"]).assert_succeeds().stdout.clone();
    refuse(&proof, "the proof is of chain");
    drop(other);
}

#[test]
fn an_honest_node_is_believed_with_the_block_that_proves_it() {
    let (node, wallet) = start();
    let run = |arguments: &[&str]| verified(&node, &wallet, arguments);
    let balance = run(&["balance"]);
    assert!(balance.assert_succeeds().stdout.contains("1000 units"), "{balance:?}");
    assert!(balance.stdout.contains("by block 4, "), "{balance:?}");
    let json = run(&["balance", "--json"]).assert_succeeds().json();
    assert_eq!((&json["balance"], &json["proven"]["height"]), (&"1000".into(), &4.into()));
    let unused = run(&["balance", &address(7).to_string(), "--json"]).assert_succeeds().json();
    assert_eq!(unused["balance"], "0");

    assert_eq!(run(&["kv", "get", "colour"]).assert_succeeds().stdout, "red\n");
    run(&["kv", "get", "color"]).assert_fails(1, "there is no key color");
    let list = run(&["kv", "list"]);
    assert!(list.assert_succeeds().stdout.contains("red"), "{list:?}");
    assert!(list.stderr.contains("not proven: that no other key"), "{list:?}");

    let first = node.transaction(1).to_string();
    let status = run(&["tx", "status", &first]);
    assert!(status.assert_succeeds().stdout.contains("by block 1, "), "{status:?}");
    run(&["tx", "wait", &node.transaction(4).to_string()])
        .assert_fails(1, "balance 1000 is below 5000");
    let unknown = run(&["tx", "status", &"0".repeat(64)]);
    assert!(unknown.assert_succeeds().stderr.contains("not proven: unknown"), "{unknown:?}");

    let validators = run(&["validators"]);
    assert!(validators.assert_succeeds().stdout.contains("proven by block 4"), "{validators:?}");

    let to = address(2).to_string();
    let sent = run(&["send", "--to", &to, "--amount", "40"]);
    assert!(sent.assert_succeeds().stdout.contains(", proven (certified"), "{sent:?}");
    assert!(run(&["balance"]).stdout.contains("960 units"));
}

#[test]
fn every_lie_is_caught() {
    let (node, wallet) = start();
    let failed = node.transaction(4).to_string();
    let first = node.transaction(1).to_string();
    let to = address(2).to_string();
    let balance: &[&str] = &["balance"];
    let get: &[&str] = &["kv", "get", "colour"];
    let status: &[&str] = &["tx", "status", &failed];
    let wait: &[&str] = &["tx", "wait", &first];
    let send: &[&str] = &["send", "--to", &to, "--amount", "1"];
    let everything = [balance, get, status, wait, &["validators"], send];
    let differs = "the node's answer is not what it proves";
    let table: [(Lie, &[&[&str]], &str); 13] = [
        (Lie::Balance, &[balance], differs),
        (Lie::OtherAccount, &[balance], "something else than it was asked"),
        (Lie::Value, &[get, &["kv", "list"]], differs),
        (Lie::Absence, &[get], "something else than it was asked for"),
        (Lie::Receipt, &[status, &["tx", "wait", &failed]], differs),
        (Lie::Place, &[status, wait], differs),
        (Lie::Validators, &[&["validators"]], differs),
        (Lie::BelowQuorum, &everything, "2 validators signed the certificate where 3 must"),
        (Lie::OtherChain, &[balance, get, &["validators"]], "the proof is of chain"),
        (Lie::OtherChain, &[send], "the node is of chain"),
        (Lie::NoProof, &everything, "raft has no certificates"),
        (Lie::Rewritten, &[balance], "canonical"),
        (Lie::None, &[], ""),
    ];
    let mut caught = 0;
    for (lie, commands, expected) in table {
        for command in commands {
            // Who sends, sends as often as is asked: a lie about it is no second payment.
            node.tell(lie);
            let run = verified(&node, &wallet, command);
            assert_eq!(run.code, 1, "{lie:?} {command:?}: {run:?}");
            assert!(run.stderr.contains(expected), "{lie:?} {command:?}: {run:?}");
            caught += 1;
            node.tell(Lie::None);
        }
    }
    println!("{caught} lies caught");
    // Without --verify they pass: the flag is what makes the difference.
    node.tell(Lie::Value);
    assert_eq!(wallet.run(get).assert_succeeds().stdout, "green\n");
}

#[test]
fn an_old_state_is_not_shown_once_a_newer_one_was_seen() {
    let (node, wallet) = start();
    node.tell(Lie::Stale);
    let old = verified(&node, &wallet, &["kv", "get", "colour"]);
    assert_eq!(old.assert_succeeds().stdout, "blue\n", "genuine, and nothing newer was seen");
    node.tell(Lie::None);
    node.grow();
    assert_eq!(
        verified(&node, &wallet, &["kv", "get", "colour"]).assert_succeeds().stdout,
        "red\n"
    );
    node.tell(Lie::Stale);
    for command in [&["kv", "get", "colour"][..], &["balance"]] {
        let run = verified(&node, &wallet, command);
        run.assert_fails(1, "after block 1, but this wallet saw block 5 of the chain");
    }
}

#[test]
fn proof_needs_a_genesis_that_is_one() {
    let (node, wallet) = start();
    wallet.run_as(1, &["balance", "--verify"]).assert_fails(2, "give --genesis FILE");
    let file = wallet.path().join("genesis.json");
    std::fs::write(&file, "{}").expect("written");
    let name = file.to_str().expect("text");
    wallet
        .run_as(1, &["balance", "--verify", "--genesis", name])
        .assert_fails(2, "not a genesis file");
    let mut command = wallet.command(&["kv", "get", "colour", "--verify"]);
    command.env("WALLET_GENESIS", node.genesis());
    assert_eq!(crate::wallet::finish(&mut command).assert_succeeds().stdout, "red\n");
}
