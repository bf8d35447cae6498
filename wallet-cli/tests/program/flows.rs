//! Commands against a node: what they print, what they do, how they exit.

use std::net::TcpListener;

use crate::fake_node::{CHAIN, FakeNode, Fate, address};
use crate::wallet::{Wallet, finish};
use chain::transaction::{Body, Expected};
use chain::types::Amount;

fn start() -> (FakeNode, Wallet) {
    let node = FakeNode::start();
    let wallet = Wallet::new(Some(&node.url));
    (node, wallet)
}

#[test]
fn an_amount_is_sent_and_final() {
    let (node, wallet) = start();
    node.fund(1, 1000);
    let to = address(2).to_string();
    let run = wallet
        .run_as(1, &["send", "--to", &to, "--amount", "400", "--memo", "rent", "--wait", "final"]);
    run.assert_succeeds();
    assert_eq!((node.balance(address(1)), node.balance(address(2))), (600, 400));

    let lines: Vec<&str> = run.stdout.lines().collect();
    let sent = node.submitted();
    assert_eq!(lines.len(), 2, "{run:?}");
    assert!(lines[0].contains(&sent[0].hash().to_string()), "the hash comes first: {run:?}");
    assert!(lines[0].contains("fake") && lines[0].contains(&CHAIN.to_string()), "{run:?}");
    assert!(lines[1].starts_with("final in block 11 after "), "{run:?}");
    let payload = &sent[0].payload;
    assert_eq!((payload.nonce, payload.expiry.get()), (0, 1010));
    let body = Body::Transfer { to: address(2), amount: Amount::new(400), memo: b"rent".to_vec() };
    assert_eq!(payload.body, body);

    let balance = wallet.run(&["balance", &to, "--json"]);
    assert_eq!(balance.assert_succeeds().json()["balance"], "400");
    let own = wallet.run_as(1, &["balance"]);
    assert!(own.assert_succeeds().stdout.contains("600 units"), "{own:?}");
}

#[test]
fn json_is_one_object_and_the_hash_is_told_before() {
    let (node, wallet) = start();
    node.fund(1, 1000);
    let to = address(2).to_string();
    let run = wallet.run_as(1, &["send", "--to", &to, "--amount", "1", "--json"]);
    let sent = run.assert_succeeds().json();
    let hash = node.submitted()[0].hash().to_string();
    assert_eq!((&sent["status"], &sent["hash"]), (&"final".into(), &hash.clone().into()));
    assert_eq!(
        (&sent["nonce"], &sent["expiry"], &sent["height"]),
        (&0.into(), &1010.into(), &11.into())
    );
    assert_eq!(sent["chain_id"], CHAIN.to_string());
    assert!(run.stderr.contains(&hash), "{run:?}");

    let status = wallet.run(&["tx", "status", &hash, "--json"]).assert_succeeds().json();
    assert_eq!(status["status"], "final");
    let text = wallet.run(&["tx", "wait", &hash]);
    assert!(text.assert_succeeds().stdout.contains("final"), "{text:?}");
}

#[test]
fn the_chain_refuses_with_exit_code_1() {
    let (node, wallet) = start();
    node.fund(1, 1000);
    let to = address(2).to_string();
    let send = |amount: &str, more: &[&str]| {
        let mut arguments = vec!["send", "--to", &to, "--amount", amount];
        arguments.extend(more);
        wallet.run_as(1, &arguments)
    };
    send("1001", &[]).assert_fails(1, "the balance is too small");
    send("5", &[]).assert_succeeds();
    send("5", &["--nonce", "0"]).assert_fails(1, "the nonce was used before");

    send("5", &["--expires-after", "100001"])
        .assert_fails(1, "too far ahead; give fewer blocks for --expires-after");
    send("5", &["--expires-after", "100000"]).assert_succeeds();

    let error = &send("1001", &["--json"]);
    assert_eq!(error.code, 1);
    let error = &error.json()["error"];
    assert_eq!((&error["code"], &error["kind"]), (&1.into(), &"refused".into()));
    assert_eq!(error["reason"], "insufficient_balance");
    assert_eq!(error["hash"].as_str().map(str::len), Some(64));

    node.set_fate(Fate::Failed);
    send("5", &[]).assert_fails(1, "in block 13 failed: the sender owns less");
    node.set_fate(Fate::Expired);
    send("5", &[]).assert_fails(1, "expired without taking effect");

    wallet.run(&["block", "show", "99999"]).assert_fails(1, "no block 99999");
    wallet.run(&["kv", "get", "nothing"]).assert_fails(1, "there is no key nothing");
}

#[test]
fn waiting_ends_with_exit_code_4_and_tells_how_to_go_on() {
    let (node, wallet) = start();
    node.fund(1, 1000);
    let to = address(2).to_string();
    let send = ["send", "--to", &to, "--amount", "5", "--timeout", "0.1"];
    node.set_fate(Fate::Pending);
    let run = wallet.run_as(1, &send);
    let hash = node.submitted()[0].hash().to_string();
    run.assert_fails(4, &format!("ask with `wallet-cli tx status {hash}`"));
    assert!(run.stdout.contains(&hash), "told before waiting: {run:?}");
    assert!(run.stderr.contains("may still be pending"), "{run:?}");

    let waited = wallet.run(&["tx", "wait", &hash, "--timeout", "0.1", "--json"]);
    assert_eq!(waited.code, 4);
    let error = &waited.json()["error"];
    assert_eq!((&error["kind"], &error["hash"]), (&"timed_out".into(), &hash.into()));

    // Without waiting a pending transaction is a success.
    let mut quick = send.to_vec();
    quick.extend(["--wait", "none"]);
    let run = wallet.run_as(1, &quick);
    assert!(run.assert_succeeds().stdout.contains("pending"), "{run:?}");

    node.set_fate(Fate::Ordered);
    let mut ordered = send.to_vec();
    ordered.extend(["--wait", "ordered"]);
    let run = wallet.run_as(1, &ordered);
    assert!(run.assert_succeeds().stdout.contains("ordered in block"), "{run:?}");
    wallet.run_as(1, &send).assert_fails(4, "is ordered after 0.1 s");
}

#[test]
fn the_key_value_store_is_written_and_read() {
    let (node, wallet) = start();
    wallet.run_as(1, &["kv", "put", "colour", "blue"]).assert_succeeds();
    assert_eq!(wallet.run(&["kv", "get", "colour"]).assert_succeeds().stdout, "blue\n");
    let json = wallet.run(&["kv", "get", "colour", "--json"]).json();
    assert_eq!((&json["value"], &json["text"]), (&"626c7565".into(), &"blue".into()));

    wallet.run_as(1, &["kv", "cas", "colour", "red", "--expected", "blue"]).assert_succeeds();
    wallet.run_as(1, &["kv", "cas", "00ff", "01", "--absent", "--hex"]).assert_succeeds();
    wallet.run_as(1, &["kv", "delete", "colour"]).assert_succeeds();
    let bodies: Vec<Body> =
        node.submitted().into_iter().map(|transaction| transaction.payload.body).collect();
    assert_eq!(
        bodies[1..],
        [
            Body::CompareAndSwap {
                key: b"colour".to_vec(),
                expected: Expected::Value(b"blue".to_vec()),
                value: b"red".to_vec()
            },
            Body::CompareAndSwap { key: vec![0, 0xff], expected: Expected::Absent, value: vec![1] },
            Body::Delete { key: b"colour".to_vec() },
        ]
    );

    for number in 0..5 {
        node.put(&format!("k{number}"), b"\x1b[31mred");
    }
    let list = wallet.run(&["kv", "list", "k", "--json"]).assert_succeeds().json();
    assert_eq!(list["entries"].as_array().unwrap().len(), 5, "over several pages");
    assert_eq!(list["next"], serde_json::Value::Null);
    let some = wallet.run(&["kv", "list", "k", "--limit", "3"]);
    assert!(some.assert_succeeds().stdout.contains("more from k3"), "{some:?}");
    assert!(!some.stdout.contains('\x1b'), "nothing steers the terminal: {some:?}");
    let rest = wallet.run(&["kv", "list", "k", "--start", "k3", "--json"]).json();
    assert_eq!(rest["entries"].as_array().unwrap().len(), 2);
}

#[test]
fn status_and_validators_tell_who_leads_and_why() {
    let (_node, wallet) = start();
    let status = wallet.run(&["status", "--json"]).assert_succeeds().json();
    assert_eq!((&status["leader"], &status["leader_name"]), (&3.into(), &"node3".into()));
    assert_eq!((&status["mode"], &status["height_final"]), (&"pbft".into(), &10.into()));
    assert_eq!(status["mode_reason"], "view 2 timed out");
    assert_eq!(status["finality"], "certified");
    let text = wallet.run(&["status"]).stdout;
    assert!(
        text.contains("node3 (validator 3)")
            && text.contains("view 2 timed out")
            && text.contains("certified: proven by"),
        "{text}"
    );

    let list = wallet.run(&["validators", "--json"]).assert_succeeds().json();
    assert_eq!((&list["leader_name"], &list["mode"]), (&"node3".into(), &"pbft".into()));
    assert_eq!(list["validators"][2]["jailed"], true);
    let text = wallet.run(&["validators"]).stdout;
    assert!(text.contains("SIGNED LAST") && text.lines().count() == 6, "{text}");
}

#[test]
fn blocks_are_shown_and_watched() {
    let (node, wallet) = start();
    node.fund(1, 1000);
    let to = address(2).to_string();
    wallet.run_as(1, &["send", "--to", &to, "--amount", "7"]).assert_succeeds();
    let shown = wallet.run(&["block", "show", "latest"]);
    assert!(shown.assert_succeeds().stdout.contains("sends 7 units to"), "{shown:?}");
    let block = wallet.run(&["block", "show", "11", "--json"]).json();
    assert_eq!((&block["height"], &block["transaction_count"]), (&11.into(), &1.into()));

    let watched = wallet.run(&["watch", "--count", "3", "--json"]);
    let lines: Vec<serde_json::Value> = watched
        .assert_succeeds()
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[0]["missed"], 2);
    let heights: Vec<_> = lines[1..].iter().map(|line| line["height"].as_u64()).collect();
    assert_eq!(heights, [Some(11), Some(12), Some(13)]);
    node.stop_after_watch();
    wallet.run(&["watch", "--count", "4"]).assert_fails(3, "closed the connection");
}

#[test]
fn an_unreachable_node_exits_with_3() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let wallet = Wallet::new(Some(&url));
    let to = address(2).to_string();
    let send = wallet.run_as(1, &["send", "--to", &to, "--amount", "1"]);
    send.assert_fails(3, &format!("cannot reach a node at {url}: Connection refused"));
    wallet.run(&["status"]).assert_fails(3, "cannot reach a node");
    wallet.run(&["watch"]).assert_fails(3, "cannot reach a node");
    let json = wallet.run(&["status", "--json"]);
    assert_eq!((json.code, &json.json()["error"]["code"]), (3, &3.into()));
}

#[test]
fn the_testnet_started_last_is_found() {
    let (node, _) = start();
    let wallet = Wallet::new(None);
    let testnet = wallet.path().join("net");
    std::fs::create_dir_all(wallet.path().join(".catamaran")).unwrap();
    std::fs::create_dir_all(&testnet).unwrap();
    std::fs::write(wallet.path().join(".catamaran/last-testnet"), testnet.to_str().unwrap())
        .unwrap();
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let manifest = serde_json::json!({
        "version": 1,
        "nodes": [{ "id": 0, "rpc_port": dead }, { "id": 1, "rpc_port": node.port }],
    });
    std::fs::write(testnet.join("testnet.json"), manifest.to_string()).unwrap();
    let status = wallet.run(&["status", "--json"]).assert_succeeds().json();
    assert_eq!(status["rpc"], node.url, "the first node that listens");
}

#[test]
fn an_encrypted_key_sends() {
    let (node, wallet) = start();
    let file = wallet.plain_key(1);
    node.fund(1, 100);
    let run = |arguments: &[&str]| finish(wallet.command(arguments).env("WALLET_PASSWORD", "pw"));
    run(&["key", "import", "main", "--file", file.to_str().unwrap()]).assert_succeeds();
    let to = address(2).to_string();
    // The only key there is needs no name, and looking at its balance no password.
    let balance = wallet.run(&["balance", "--json"]).assert_succeeds().json();
    assert_eq!(balance["address"], address(1).to_string());
    run(&["send", "--to", &to, "--amount", "60"]).assert_succeeds();
    assert_eq!(node.balance(address(2)), 60);
    let wrong = finish(
        wallet.command(&["send", "--to", &to, "--amount", "1"]).env("WALLET_PASSWORD", "no"),
    );
    wrong.assert_fails(2, "wrong password");
    assert_eq!(node.submitted().len(), 1);
}
