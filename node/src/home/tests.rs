use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_new_home_is_complete_and_private() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::new(directory.path().join("deep/node"));
    let keys = home.create("one", None).unwrap();
    assert_eq!(mode(home.directory()), 0o700);
    assert_eq!(mode(&home.validator_key_path()), 0o600);
    assert_eq!(mode(&home.network_key_path()), 0o600);
    assert_ne!(keys.validator.public(), keys.network.public());
    let read = home.keys().unwrap();
    assert_eq!(read.validator.public(), keys.validator.public());
    assert_eq!(read.network.public(), keys.network.public());
    assert_eq!(home.config(&Overrides::default()).unwrap().moniker, "one");
    let error = home.genesis().unwrap_err().to_string();
    assert!(error.contains("genesis.json is missing"), "{error}");
}

#[test]
fn a_home_is_never_made_twice() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::new(directory.path());
    let first = home.create("one", None).unwrap();
    assert!(matches!(home.create("two", None), Err(HomeError::Exists(_))));
    assert_eq!(home.keys().unwrap().validator.public(), first.validator.public());
}

#[test]
fn an_interrupted_attempt_is_completed_with_the_same_keys() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::new(directory.path());
    let first = home.create("one", None).unwrap();
    fs::remove_file(home.config_path()).unwrap();
    fs::remove_file(home.network_key_path()).unwrap();
    let second = home.create("one", None).unwrap();
    assert_eq!(second.validator.public(), first.validator.public());
    assert_ne!(second.network.public(), first.network.public());
}

#[test]
fn keys_that_others_may_read_are_refused_with_the_remedy() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::new(directory.path());
    home.create("one", None).unwrap();
    for wide in [0o640, 0o604, 0o644, 0o660] {
        fs::set_permissions(home.validator_key_path(), Permissions::from_mode(wide)).unwrap();
        let error = home.keys().unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{wide:o}: {error}");
        assert!(error.contains("validator.json"), "{wide:o}: {error}");
    }
    fs::set_permissions(home.validator_key_path(), Permissions::from_mode(0o600)).unwrap();
    home.keys().unwrap();
}

#[test]
fn a_directory_without_a_node_says_how_to_make_one() {
    let directory = tempfile::tempdir().unwrap();
    let error = Home::new(directory.path()).config(&Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("node init --home"), "{error}");
}

#[test]
fn a_genesis_that_makes_no_chain_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let home = Home::new(directory.path());
    fs::write(home.genesis_path(), "{\"chain\": 7}").unwrap();
    let error = home.genesis().unwrap_err().to_string();
    assert!(error.contains("genesis.json"), "{error}");
}
