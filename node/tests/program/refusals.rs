//! What is asked the wrong way ends with 2 and one line that says what to do.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::home::{Home, command, finish};

#[test]
fn help_is_no_error_and_says_what_exit_codes_mean() {
    let help = finish(&mut command(&["--help"]));
    assert!(help.assert_succeeds().stdout.contains("2  it was asked the wrong way"), "{help:?}");
    for name in ["init", "run", "keys", "reset", "inspect", "snapshot"] {
        assert!(help.stdout.contains(name), "{name}: {help:?}");
        let help = finish(&mut command(&[name, "--help"]));
        assert!(help.assert_succeeds().stdout.contains("Usage: node"), "{help:?}");
    }
    finish(&mut command(&["--version"])).assert_succeeds();
    for wrong in [&[][..], &["frobnicate"], &["run"], &["run", "--home", "x", "--rpc-listen", "y"]]
    {
        assert_eq!(finish(&mut command(wrong)).code, 2, "{wrong:?}");
    }
}

#[test]
fn init_makes_a_home_once() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().join("node");
    let path = home.to_str().unwrap();
    let init = || finish(&mut command(&["init", "--home", path, "--moniker", "alice", "--json"]));
    let made = init().assert_succeeds().json();
    let shown = finish(&mut command(&["keys", "show", "--home", path, "--json"]));
    let shown = shown.assert_succeeds().json();
    for name in ["validator_key", "network_key", "peer_id"] {
        assert_eq!(made[name], shown[name]);
    }
    assert_eq!(shown["genesis_validator"], json!(null));
    let again = init();
    assert_eq!(again.code, 2);
    let error = again.json();
    assert_eq!(error["error"]["code"], json!(2));
    assert!(error["error"]["message"].as_str().unwrap().contains("choose another directory"));
    finish(&mut command(&["init", "--home", path])).assert_fails(2, "choose another directory");
    // It has no genesis yet.
    let run = finish(&mut command(&["run", "--home", path]));
    run.assert_fails(2, "put the genesis file of your chain there");

    let other = directory.path().join("other");
    let genesis = directory.path().join("genesis.json");
    fs::write(&genesis, "{}").unwrap();
    let (other, genesis) = (other.to_str().unwrap(), genesis.to_str().unwrap());
    let init = finish(&mut command(&["init", "--home", other, "--genesis", genesis]));
    init.assert_fails(2, "genesis.json");
}

#[test]
fn a_home_that_cannot_be_used_ends_a_run_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = directory.path().join("nowhere");
    let run = finish(&mut command(&["run", "--home", nowhere.to_str().unwrap()]));
    run.assert_fails(2, "make one with `node init --home");

    let home = Home::new();
    // What is written to a file for one run, and what the program must say of it.
    let table = [
        ("config.toml", "moniker = 7", "config.toml: TOML parse error at line 1"),
        ("config.toml", "moniker = \"a\"\n[rpc]\nport = 7", "parse error at line 3"),
        ("config.toml", "moniker = \"a\"\n[storage]\ncheckpoint_blocks = 0", "checkpoint_blocks"),
        ("config.toml", "moniker = \"a\"\n[rpc]\nlisten = \"0.0.0.0:1\"", "allow_remote"),
        ("config.toml", "moniker = \"a\"\n[log]\nlevel = \"a=b=c\"", "log.level"),
        ("genesis.json", "{\"chain\": 7}", "genesis.json"),
        ("genesis.json", "", "genesis.json"),
        ("keys/validator.json", "{}", "validator.json is not a key file"),
        ("keys/network.json", "{}", "network.json is not a key file"),
    ];
    for (name, text, expected) in table {
        let path = home.file(name);
        let good = fs::read(&path).unwrap();
        fs::write(&path, text).unwrap();
        // Without flags: they would hide what the file says.
        home.run(&["run"]).assert_fails(2, expected);
        fs::write(&path, good).unwrap();
    }
    assert!(!home.file("data/db").exists(), "refused before anything is made");
}

#[test]
fn keys_must_be_private_there_and_those_of_the_chain() {
    let home = Home::new();
    let key = home.file("keys/validator.json");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    finish(&mut home.node()).assert_fails(2, "chmod 600");
    home.run(&["keys", "show"]).assert_fails(2, "chmod 600");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();

    let network = home.file("keys/network.json");
    let good = fs::read(&network).unwrap();
    fs::write(&network, fs::read(home.file("keys/governance.json")).unwrap()).unwrap();
    finish(&mut home.node()).assert_fails(2, "not the network key that the chain knows");
    fs::write(&network, good).unwrap();

    fs::remove_file(&key).unwrap();
    finish(&mut home.node()).assert_fails(2, "validator.json");
}

#[test]
fn the_environment_is_checked_like_the_file() {
    let home = Home::new();
    for (name, value, expected) in [
        ("NODE_RPC_PORT", "7", "environment variable NODE_RPC_PORT: there is no such setting"),
        ("NODE_STORAGE_CHECKPOINT_BLOCKS", "many", "expected a number"),
        ("NODE_P2P_PEERS", "10.0.0.2:1", "no address of a peer"),
    ] {
        finish(home.node().env(name, value)).assert_fails(2, expected);
    }
}

#[test]
fn a_taken_port_is_a_failure_and_lets_go_of_the_home() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let p2p = "/ip4/127.0.0.1/tcp/0";
    let run = home.run(&["run", "--p2p-listen", p2p, "--rpc-listen", &address]);
    run.assert_fails(1, "cannot listen on");
    home.run(&["inspect"]).assert_succeeds();
}

#[test]
fn inspect_and_reset_need_a_store_or_a_word() {
    let home = Home::new();
    home.run(&["inspect"]).assert_fails(1, "there is no store");
    let run = home.run(&["inspect", "--json"]);
    assert_eq!((run.code, &run.json()["error"]["code"]), (1, &json!(1)));
    home.run(&["reset"]).assert_fails(2, "say so with --yes");
    let reset = home.run(&["reset", "--yes", "--json"]).assert_succeeds().json();
    assert_eq!((&reset["votes_kept"], &reset["blocks_kept"]), (&json!(false), &json!(0)));
    fs::write(home.file("genesis.json"), "{}").unwrap();
    home.run(&["inspect"]).assert_fails(2, "genesis.json");
    home.run(&["reset", "--yes"]).assert_fails(2, "genesis.json");
}
