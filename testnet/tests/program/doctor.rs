//! `node doctor` on networks that are broken in ways that operators meet.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::testnet::Testnet;

/// How long a finding may take to show up.
const PATIENCE: Duration = Duration::from_secs(60);

fn home(testnet: &Testnet, node: usize) -> PathBuf {
    testnet.dir().join(format!("node{node}"))
}

/// The diagnosis of one node, and the exit code that came with it.
fn diagnose(testnet: &Testnet, node: usize) -> (i32, Value) {
    let home = home(testnet, node);
    let run =
        testnet.program("node", &["doctor", "--json", "--home", home.to_str().expect("text")]);
    (run.code, run.json())
}

fn findings<'a>(diagnosis: &'a Value, topic: &str) -> Vec<&'a Value> {
    let all = diagnosis["findings"].as_array().expect("a list");
    all.iter().filter(|finding| finding["topic"] == topic).collect()
}

/// Asks again and again until something was found on a topic that says this.
fn wait_for(testnet: &Testnet, node: usize, topic: &str, says: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (code, diagnosis) = diagnose(testnet, node);
        let found = findings(&diagnosis, topic);
        let said = |finding: &&&Value| finding["says"].as_str().is_some_and(|it| it.contains(says));
        if let Some(finding) = found.iter().find(said) {
            assert_eq!(code == 1, diagnosis["ok"] == false, "{diagnosis:#}");
            assert!(finding["advice"].as_str().is_some_and(|advice| !advice.is_empty()));
            return diagnosis;
        }
        assert!(Instant::now() < deadline, "{topic}, {says:?}: {diagnosis:#}");
    }
}

#[test]
fn dead_paused_and_foreign_validators_are_named_with_the_reason() {
    let testnet = Testnet::up();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (code, diagnosis) = diagnose(&testnet, 0);
        let validators = diagnosis["validators"].as_array().expect("a list");
        let heard = validators.iter().all(|seen| seen["view"].is_u64() && seen["height"].is_u64());
        if heard && code == 0 {
            assert_eq!((validators.len(), &diagnosis["ok"]), (4, &Value::Bool(true)));
            assert!(findings(&diagnosis, "quorum").is_empty(), "{diagnosis:#}");
            break;
        }
        assert!(Instant::now() < deadline, "a healthy network: {diagnosis:#}");
    }

    // One dead: the rest is exactly a quorum. Its port is closed.
    testnet.run(&["kill", "3"]).assert_succeeds();
    let one_dead = wait_for(&testnet, 0, "peer", "node3: connection refused");
    assert_eq!(one_dead["ok"], true, "{one_dead:#}");
    assert!(
        findings(&one_dead, "quorum")[0]["says"].as_str().unwrap().contains("exactly the quorum")
    );

    // The dead one itself: it does not run, and its peers could be reached.
    let (code, own) = diagnose(&testnet, 3);
    assert_eq!(code, 1);
    assert_eq!(findings(&own, "process")[0]["says"], "the node does not run");
    assert!(findings(&own, "peer").is_empty(), "{own:#}");

    // A second one paused: connected for a while yet, but silent. No quorum is left.
    testnet.run(&["pause", "2"]).assert_succeeds();
    let stalled = wait_for(&testnet, 0, "quorum", "2 of 4 validators answer this node");
    assert_eq!(stalled["ok"], false);
    let says = findings(&stalled, "quorum")[0]["says"].as_str().unwrap();
    assert!(says.contains("missing: node2, node3"), "{says}");
    let run = testnet.program("node", &["doctor", "--home", home(&testnet, 0).to_str().unwrap()]);
    assert!(run.code == 1 && run.stdout.contains("BROKEN  no block can become final"), "{run:#?}");
    println!("{}", run.stdout);
    testnet.run(&["resume", "2"]).assert_succeeds();

    // The third comes back with another genesis.
    let stranger = Stranger::start(&testnet, 3);
    let foreign = wait_for(&testnet, 0, "other_chain", "node3: it is on another chain");
    assert_eq!(foreign["ok"], false);
    let also = wait_for(&testnet, 3, "other_chain", "it is on another chain");
    assert_eq!(also["ok"], false);
    drop(stranger);
}

/// A node whose genesis differs from that of the others.
struct Stranger(Child);

impl Stranger {
    fn start(testnet: &Testnet, node: usize) -> Self {
        let home = home(testnet, node);
        let genesis = home.join("genesis.json");
        let text = std::fs::read_to_string(&genesis).expect("a genesis");
        let other = text.replacen("\"testnet\"", "\"testnet2\"", 1);
        assert_ne!(text, other);
        std::fs::write(&genesis, other).expect("it can be written");
        std::fs::remove_dir_all(home.join("data")).expect("the data of its old chain");
        std::fs::create_dir(home.join("data")).expect("room for the new one");
        Self(testnet.spawn_program("node", &["run", "--home", home.to_str().expect("text")]))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        // `timeout` passes the signal on.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(self.0.id().cast_signed()),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.0.wait();
    }
}

#[test]
fn what_is_wrong_with_a_home_is_said_before_the_node_is_started() {
    let testnet = Testnet::new();
    let empty = testnet.dir();
    let run = testnet.program("node", &["doctor", "--home", empty.to_str().unwrap(), "--json"]);
    assert_eq!(run.code, 1);
    let diagnosis = run.json();
    let says = findings(&diagnosis, "home")[0]["says"].as_str().unwrap().to_owned();
    assert!(says.contains("is not the home of a node: make one with `node init"), "{says}");
}
