//! The program as its users meet it: output and exit codes.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn genesis(arguments: &[&str]) -> Output {
    // Kills what hangs, and ends by a signal itself.
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60", env!("CARGO_BIN_EXE_genesis")]).args(arguments);
    let output = command.output().expect("it starts");
    assert!(output.status.code().is_some(), "{command:?} did not end in time: {output:?}");
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

fn json(output: &Output) -> Value {
    let text = text(&output.stdout);
    assert_eq!(text.lines().count(), 1, "one object on one line: {text}");
    serde_json::from_str(&text).expect("JSON")
}

fn make(directory: &Path, validators: &str) -> (String, Value) {
    let out = directory.join("net");
    let out = out.to_str().expect("text");
    let made = genesis(&["new", "--validators", validators, "--out", out, "--json"]);
    assert!(made.status.success(), "{}", text(&made.stdout));
    (format!("{out}/genesis.json"), json(&made))
}

#[test]
fn what_new_makes_check_finds_good_and_hash_agrees() {
    let directory = tempfile::tempdir().unwrap();
    let (file, made) = make(directory.path(), "4");
    assert_eq!(made["nodes"].as_array().unwrap().len(), 4);
    assert_eq!(made["accounts"].as_array().unwrap().len(), 3);

    let checked = json(&genesis(&["check", &file, "--json"]));
    assert_eq!(checked["chain_id"], made["chain_id"]);
    let tolerance = &checked["tolerance"];
    assert_eq!((&tolerance["max_faulty"], &tolerance["fast_quorum"]), (&1.into(), &3.into()));

    let hash = genesis(&["hash", &file]);
    assert_eq!(text(&hash.stdout).trim(), made["chain_id"]);
    assert_eq!(json(&genesis(&["hash", &file, "--json"]))["hash"], made["chain_id"]);
}

#[test]
fn small_networks_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    let (file, _) = make(directory.path(), "3");
    let output = genesis(&["check", &file]);
    assert!(output.status.success());
    let words = text(&output.stdout);
    assert!(words.contains("One dead leader halts the chain"), "{words}");
    assert!(words.contains("development only"), "{words}");
}

#[test]
fn faults_are_listed_and_exit_with_1() {
    let directory = tempfile::tempdir().unwrap();
    let (file, _) = make(directory.path(), "4");
    let changed = std::fs::read_to_string(&file)
        .unwrap()
        .replace("\"engine\": \"hybrid\"", "\"engine\": \"raft\"")
        .replace("\"consensus\": {", "\"consensus\": { \"max_faulty\": 1,")
        .replace("\"batch\": 256", "\"batch\": 0");
    let bad = directory.path().join("bad.json");
    std::fs::write(&bad, changed).unwrap();
    let bad = bad.to_str().unwrap();

    let output = genesis(&["check", bad]);
    assert_eq!(output.status.code(), Some(1));
    let lines = text(&output.stderr);
    assert!(lines.contains("the engine raft tolerates crashes alone"), "{lines}");
    assert!(lines.contains("consensus.batch is 0"), "{lines}");

    let output = genesis(&["check", bad, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(json(&output)["error"].as_str().unwrap().contains("raft"));
}

#[test]
fn misuse_exits_with_2_and_missing_files_with_1() {
    assert_eq!(genesis(&["new", "--validators", "x", "--out", "y"]).status.code(), Some(2));
    assert_eq!(genesis(&[]).status.code(), Some(2));
    let output = genesis(&["hash", "/nowhere/genesis.json"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr).lines().count(), 1);
}
