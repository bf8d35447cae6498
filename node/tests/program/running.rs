//! A node that runs: one at a time, ended by signals, looked into and reset afterwards.

use chain::codec;
use chain::transaction::{Body, Payload};
use chain::types::Height;
use jsonrpsee::http_client::HttpClientBuilder;
use nix::sys::signal::Signal;
use node_api::tx::Wait;
use node_api::{HexBytes, TxApiClient as _};
use serde_json::json;

use crate::home::{Home, SEED};

/// Hands in the first transaction of the funded account and waits until it is final.
pub(crate) fn make_block(home: &Home, url: &str) {
    let key = genesis::accounts::derive(SEED, 0);
    let body = Body::Put { key: b"k".to_vec(), value: b"v".to_vec() };
    let (chain_id, sender, expiry) = (home.chain_id, key.public(), Height::new(1000));
    let transaction =
        Payload { chain_id, account: None, sender, nonce: 0, expiry, body }.sign(&key);
    let client = HttpClientBuilder::default().build(url).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        client.submit(HexBytes(codec::encode(&transaction))).await.unwrap();
        let status = client.status(transaction.hash(), Some(Wait::Final), Some(30_000)).await;
        assert_eq!(status.unwrap().height, Some(Height::new(1)));
    });
}

#[test]
fn a_node_runs_alone_ends_with_its_signal_and_leaves_what_inspect_and_reset_need() {
    let home = Home::new();
    let mut node = home.spawn();
    let url = node.rpc_url();
    make_block(&home, &url);
    let holder = format!("in use by process {}", node.pid);
    crate::home::finish(&mut home.node()).assert_fails(1, &holder);
    home.run(&["inspect"]).assert_fails(1, &holder);
    home.run(&["reset", "--yes"]).assert_fails(1, &holder);
    home.run(&["reset", "--yes", "--forget-votes"]).assert_fails(1, &holder);
    let (code, log) = node.end(Signal::SIGTERM);
    assert_eq!(code, 0, "{log}");
    assert!(!home.file("admin.sock").exists());

    let found = home.run(&["inspect", "--json"]).assert_succeeds().json();
    assert_eq!(found["chain_id"], json!(home.chain_id));
    assert_eq!((&found["final_height"], &found["epoch"]), (&json!(1), &json!(0)));
    assert_eq!(found["promised"]["voted"]["height"], json!(1));
    assert_eq!(found["promised"]["voted"]["block"], found["final_hash"]);
    let text = home.run(&["inspect"]);
    assert!(text.assert_succeeds().stdout.contains("voted for block"), "{text:?}");

    // It resumes there, and SIGINT ends it as well.
    let mut node = home.spawn();
    node.rpc_url();
    let (code, log) = node.end(Signal::SIGINT);
    assert!(code == 0 && log.contains("resuming at height 1"), "{code}: {log}");
    // As a leader that restarts it gave its view up.
    let resumed = home.run(&["inspect", "--json"]).assert_succeeds().json();
    assert_eq!(resumed["promised"]["voted"], found["promised"]["voted"]);

    let reset = home.run(&["reset", "--yes", "--json"]).assert_succeeds().json();
    assert_eq!(reset["votes_kept"], json!(true));
    let after = home.run(&["inspect", "--json"]).assert_succeeds().json();
    assert_eq!(after["final_height"], json!(0));
    assert_eq!(after["promised"], resumed["promised"]);

    let reset = home.run(&["reset", "--yes", "--forget-votes", "--json"]).assert_succeeds().json();
    assert_eq!(reset["votes_kept"], json!(false));
    home.run(&["inspect"]).assert_fails(1, "there is no store");
    let mut node = home.spawn();
    make_block(&home, &node.rpc_url());
    assert_eq!(node.end(Signal::SIGTERM).0, 0);
}

#[test]
fn a_signal_during_the_start_ends_it_too() {
    let home = Home::new();
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (code, log) = home.spawn().end(signal);
        assert_eq!(code, 0, "{log}");
    }
    let mut node = home.spawn();
    node.rpc_url();
    assert_eq!(node.end(Signal::SIGTERM).0, 0);
}
