//! What this workspace is built from: no version with a known hole, nothing from elsewhere than the
//! registry. Advisory databases are asked by `cargo deny`; the holes listed here were in none of them when
//! they were found, so the minimum stands here.

use std::path::Path;

use crate::workspace::{cargo, packages as own, read};

/// The lowest version without a hole, and which hole.
const MINIMUM: [(&str, &str, &str); 9] = [
    ("libp2p-gossipsub", "0.49.4", "CVE-2026-33040 and CVE-2026-34219: a PRUNE backoff panics"),
    ("yamux", "0.13.10", "CVE-2026-31814 and CVE-2026-32314: frames that panic"),
    ("libp2p-rendezvous", "0.17.1", "CVE-2026-35405: memory without limit"),
    ("quinn-proto", "0.11.15", "RUSTSEC-2026-0185"),
    ("h2", "0.4.16", "floods of reset streams"),
    ("bytes", "1.11.1", "an overflow in reserve"),
    ("ed25519-dalek", "2.0.0", "RUSTSEC-2022-0093: signing with a foreign public key"),
    ("rustls", "0.23.18", "RUSTSEC-2024-0399: a fragmented hello panics"),
    ("tokio", "1.44.2", "RUSTSEC-2025-0023: broadcast clones in parallel"),
];

/// Packages that must not be there at all: what they do is a way in that nobody needs.
const ABSENT: [&str; 7] = [
    "libp2p-kad",
    "libp2p-mdns",
    "libp2p-rendezvous",
    "libp2p-relay",
    "libp2p-upnp",
    "libp2p-quic",
    "openssl-sys",
];

/// A package of the lock file.
#[derive(Debug, Default)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
}

fn packages(lock: &str) -> Vec<Package> {
    let sections = lock.split("[[package]]").skip(1);
    let value = |section: &str, key: &str| {
        let start = format!("{key} = \"");
        let line = section.lines().find_map(|line| line.strip_prefix(start.as_str()))?;
        Some(line.trim_end_matches('"').to_owned())
    };
    sections
        .map(|section| Package {
            name: value(section, "name").expect("a package has a name"),
            version: value(section, "version").expect("a package has a version"),
            source: value(section, "source"),
        })
        .collect()
}

/// The numbers of a version, without what marks it as not finished.
fn numbers(version: &str) -> Vec<u64> {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    plain.split('.').map(|part| part.parse().expect("a number")).collect()
}

fn holes(packages: &[Package]) -> Vec<String> {
    let mut found = Vec::new();
    for Package { name, version, source } in packages {
        for (_, least, hole) in MINIMUM.iter().filter(|(listed, ..)| listed == name) {
            if numbers(version) < numbers(least) {
                found.push(format!("{name} {version}, below {least}: {hole}"));
            }
        }
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        if source.as_deref().is_some_and(|source| source != registry) {
            found.push(format!("{name} {version} is from {source:?}"));
        }
    }
    found
}

#[test]
fn no_dependency_has_a_known_hole() {
    let packages = packages(&read(Path::new("Cargo.lock")));
    assert!(packages.len() > 300, "the lock file is read: {}", packages.len());
    assert_eq!(holes(&packages), [] as [String; 0]);
    let listed = MINIMUM.iter().filter(|(name, ..)| packages.iter().any(|it| it.name == *name));
    println!("{} packages, {} of them with a minimum", packages.len(), listed.count());
}

#[test]
fn an_old_version_or_another_source_would_be_seen() {
    let package = |name: &str, version: &str, source: Option<&str>| Package {
        name: name.into(),
        version: version.into(),
        source: source.map(Into::into),
    };
    let old = [package("yamux", "0.13.9", None), package("yamux", "0.14.1-alpha", None)];
    assert_eq!(holes(&old).len(), 1);
    let strange = [package("x", "1.0.0", Some("git+https://example.org/x"))];
    assert!(holes(&strange)[0].contains("git+https"));
    assert!(holes(&[package("h2", "0.4.9", None)])[0].contains("0.4.16"));
}

/// What the program is linked with, not what some feature of some package might want.
#[test]
fn nothing_discovers_peers_or_brings_another_tls() {
    let tree = ["tree", "--workspace", "--locked", "--edges=normal,build", "--prefix=none"];
    let tree = cargo(&tree);
    let used = |name: &str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    assert!(used("libp2p-gossipsub"), "the list is that of what is used");
    let unwanted: Vec<_> = ABSENT.iter().filter(|name| used(name)).collect();
    assert_eq!(unwanted, [] as [&&str; 0]);
}

/// Nobody can be made to fetch a package of ours from the registry instead.
#[test]
fn no_package_of_ours_is_published() {
    for package in own() {
        assert_eq!(package["publish"], serde_json::json!([]), "{}", package["name"]);
    }
}
