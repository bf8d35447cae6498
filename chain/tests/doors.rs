//! The doors of docs/ARCHITECTURE.md: which package may use which, and what pure code never uses.

mod workspace;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::workspace::{files_with, packages, read};

/// Every package of the workspace, and the packages of the workspace that it uses. `fuzz` is for tests.
const DOORS: [(&str, &[&str]); 10] = [
    ("chain", &["fuzz"]),
    ("consensus", &["chain"]),
    ("consensus-sim", &["chain", "consensus", "fuzz"]),
    ("fuzz", &[]),
    ("genesis", &["chain", "consensus", "fuzz"]),
    ("node-api", &["chain"]),
    ("node", &["chain", "consensus", "fuzz", "genesis", "node-api"]),
    ("wallet-cli", &["chain", "fuzz", "genesis", "node-api"]),
    ("testnet", &["chain", "consensus", "consensus-sim", "fuzz", "genesis", "node", "node-api"]),
    ("report", &["chain", "consensus", "consensus-sim", "testnet"]),
];

/// The only packages from elsewhere that pure code uses. All compute; none reaches outside.
const PURE_DEPENDENCIES: [&str; 14] = [
    "bech32",
    "bincode",
    "ct-merkle",
    "ed25519-dalek",
    "ed25519-zebra",
    "hex",
    "imbl",
    "rand",
    "rand_chacha",
    "serde",
    "serde_json",
    "sha2",
    "slab",
    "thiserror",
];

/// What reaches outside, and what makes two runs differ.
const IMPURE: [&str; 18] = [
    "Instant",
    "SystemTime",
    "HashMap",
    "HashSet",
    "RandomState",
    "OsRng",
    "getrandom",
    "rand::random",
    "rand::rng",
    "std::env",
    "std::fs",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "libp2p",
    "rocksdb",
    "tokio",
];

/// Names of what a package uses. Tests may use more from elsewhere, but not from the workspace.
fn dependencies(package: &Value, with_tests: bool) -> BTreeSet<&str> {
    let dependencies = package["dependencies"].as_array().expect("a list");
    dependencies
        .iter()
        .filter(|dependency| with_tests || dependency["kind"] != "dev")
        .map(|dependency| dependency["name"].as_str().expect("a name"))
        .collect()
}

#[test]
fn packages_use_each_other_only_through_the_doors() {
    let packages = packages();
    let names: BTreeSet<&str> =
        packages.iter().map(|package| package["name"].as_str().expect("a name")).collect();
    let used: BTreeMap<&str, BTreeSet<&str>> = packages
        .iter()
        .map(|package| {
            let name = package["name"].as_str().expect("a name");
            (name, dependencies(package, true).intersection(&names).copied().collect())
        })
        .collect();
    let allowed = DOORS.map(|(name, doors)| (name, doors.iter().copied().collect()));
    assert_eq!(used, BTreeMap::from(allowed));
}

#[test]
fn pure_packages_depend_on_nothing_that_reaches_outside() {
    for package in packages() {
        if package["name"] == "chain" || package["name"] == "consensus" {
            for name in dependencies(&package, false) {
                let known = PURE_DEPENDENCIES.contains(&name) || name == "chain";
                assert!(known, "{} depends on {name}", package["name"]);
            }
        }
    }
}

/// What a line uses of the list, comments aside.
fn impurity(line: &str) -> Option<&'static str> {
    let code = line.split("//").next().unwrap_or_default();
    IMPURE.into_iter().find(|word| code.contains(word))
}

#[test]
fn pure_code_uses_no_clock_thread_socket_file_or_ambient_randomness() {
    let paths = [files_with("chain/src", "rs"), files_with("consensus/src", "rs")].concat();
    for path in &paths {
        for (number, line) in (1..).zip(read(path).lines()) {
            let found = impurity(line);
            assert_eq!(found, None, "{}:{number}: {line}", path.display());
        }
    }
    println!("{} files of pure code", paths.len());
}

#[test]
fn impure_code_would_be_seen() {
    for line in [
        "use std::time::{Duration, SystemTime};",
        "let now = std::time::Instant::now();",
        "std::thread::spawn(|| ());",
        "let mut dice = rand::rng();",
        "use tokio::sync::mpsc;",
        "let seen: HashMap<u8, u8> = HashMap::new();",
    ] {
        assert!(impurity(line).is_some(), "{line}");
    }
    assert_eq!(impurity("let wait = Duration::from_millis(1); // not an Instant"), None);
}

#[test]
fn byzantine_behaviour_lives_in_the_testnet_and_the_simulator() {
    for folder in ["chain/src", "consensus/src", "genesis/src", "node/src", "node/api/src"] {
        for path in files_with(folder, "rs") {
            assert!(!path.to_string_lossy().contains("byzantine"), "{}", path.display());
        }
    }
}
