//! A chain that is copied by file into another home.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::home::Home;
use crate::running::make_block;

#[test]
fn a_chain_moves_to_another_home_by_file() {
    let home = Home::new();
    let file = home.file("chain.snapshot");
    let file = file.to_str().unwrap();
    let export = ["snapshot", "export", "--out", file];
    home.run(&export).assert_fails(1, "there is no store");
    let mut node = home.spawn();
    make_block(&home, &node.rpc_url());
    home.run(&export).assert_fails(1, "in use by");
    assert_eq!(node.end(Signal::SIGTERM).0, 0);

    let exported = home.run(&[&export[..], &["--json"]].concat()).assert_succeeds().json();
    assert_eq!(exported["height"], json!(1));
    home.run(&export).assert_fails(1, "exists: it is not overwritten");
    let shown = home.run(&["snapshot", "show", file, "--json"]).assert_succeeds().json();
    for field in ["chain_id", "height", "hash", "bytes", "chunks"] {
        assert_eq!(shown[field], exported[field], "{field}");
    }
    assert_eq!(shown["certified"], json!(true));
    let text = home.run(&["snapshot", "show", file]);
    assert!(text.assert_succeeds().stdout.contains("undamaged"), "{text:?}");

    // Not over blocks that are there; in place of those that were deleted.
    let import = ["snapshot", "import", file];
    home.run(&import).assert_fails(2, "already holds the chain up to height 1");
    home.run(&["reset", "--yes"]).assert_succeeds();
    let wrong = format!("1:{}", "ab".repeat(32));
    let checkpoint = [&import[..], &["--checkpoint", &wrong]].concat();
    home.run(&checkpoint).assert_fails(1, "the checkpoint says");
    let promised = home.run(&["inspect", "--json"]).assert_succeeds().json()["promised"].clone();
    let text = home.run(&import);
    assert!(text.assert_succeeds().stdout.contains("every proof checked from genesis on"));
    let found = home.run(&["inspect", "--json"]).assert_succeeds().json();
    assert_eq!((&found["final_height"], &found["base"]), (&json!(1), &json!(2)));
    assert_eq!(found["promised"], promised, "the votes stay");
    let mut node = home.spawn();
    node.rpc_url();
    let (code, log) = node.end(Signal::SIGTERM);
    assert!(code == 0 && log.contains("resuming at height 1"), "{code}: {log}");
}

#[test]
fn a_file_of_another_chain_or_no_file_is_refused_in_one_line() {
    let (home, other) = (Home::new(), Home::new());
    let mut node = home.spawn();
    make_block(&home, &node.rpc_url());
    assert_eq!(node.end(Signal::SIGTERM).0, 0);
    let file = home.file("chain.snapshot");
    let file = file.to_str().unwrap();
    home.run(&["snapshot", "export", "--out", file]).assert_succeeds();
    other.run(&["snapshot", "import", file]).assert_fails(1, "it is of chain");
    let genesis = other.file("genesis.json");
    let genesis = genesis.to_str().unwrap();
    other.run(&["snapshot", "import", genesis]).assert_fails(1, "is not a snapshot file");
    other.run(&["snapshot", "show", "nothing"]).assert_fails(1, "nothing: No such file");
    let refused = other.run(&["snapshot", "import", file, "--json"]);
    assert_eq!(refused.json()["error"]["code"], json!(1));
    other.run(&["inspect"]).assert_fails(1, "there is no store");
    let help = other.run(&["snapshot", "import", "--help"]);
    assert!(help.assert_succeeds().stdout.contains("Everything is checked against the genesis"));
    other.run(&["snapshot", "import", file, "--checkpoint", "7"]).assert_fails(2, "HEIGHT:HASH");
}
