use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

#[test]
fn names_are_safe_as_file_names() {
    for text in ["a", "main-2", "UPPER_case", &"x".repeat(64)] {
        assert_eq!(text.parse::<KeyName>().unwrap().to_string(), text);
    }
    for text in ["", ".", "..", "a/b", "a.json", "a b", "ä", "a\0", &"x".repeat(65)] {
        assert!(text.parse::<KeyName>().is_err(), "{text:?}");
    }
}

/// Stores the key of a seed, for its own account.
fn add(store: &Keystore, called: &str, seed: u8) -> Result<PathBuf, KeystoreError> {
    let key = Keypair::from_seed(&[seed; 32]);
    store.add(&name(called), &key, key.public().address(), "pw")
}

#[test]
fn a_key_makes_room_for_its_successor_and_is_kept_aside() {
    let home = tempfile::tempdir().unwrap();
    let store = Keystore::below(home.path());
    let public = |called| store.get(&name(called)).unwrap().public();
    let of = |seed| Keypair::from_seed(&[seed; 32]).public();
    add(&store, "a", 7).unwrap();
    for seed in [8, 9] {
        add(&store, "a-next", seed).unwrap();
        let retired = store.succeed(&name("a"), &name("a-next")).unwrap();
        assert!(retired.exists());
        assert_eq!((public("a"), store.names().unwrap()), (of(seed), vec![name("a")]));
    }
    let retired = store.retire(&name("a")).unwrap();
    assert!(retired.ends_with("a.json.retired-3"), "{}", retired.display());
    assert!(store.names().unwrap().is_empty());
}

#[test]
fn keys_are_kept_apart_and_never_replaced() {
    let home = tempfile::tempdir().unwrap();
    let store = Keystore::below(&home.path().join("new"));
    assert!(store.names().unwrap().is_empty(), "no directory yet");
    let key = Keypair::from_seed(&[7; 32]);
    let path = add(&store, "b", 7).unwrap();
    assert!(matches!(store.check_free(&name("b")), Err(KeystoreError::NameTaken(_))));
    let taken = add(&store, "b", 8).unwrap_err();
    assert!(matches!(taken, KeystoreError::NameTaken(_)), "{taken}");

    let locked = store.get(&name("b")).unwrap();
    assert_eq!(locked.public(), key.public());
    assert_eq!(locked.open("pw").unwrap().seed(), key.seed());
    let wrong = locked.open("other").unwrap_err().to_string();
    assert!(wrong.contains("wrong password") && wrong.contains("b.json"), "{wrong}");

    fs::write(path.with_file_name("notes.txt"), "x").unwrap();
    fs::write(path.with_file_name("not a name.json"), "x").unwrap();
    fs::write(path.with_file_name("a.json"), "x").unwrap();
    assert_eq!(store.names().unwrap(), [name("a"), name("b")]);
}

#[test]
fn missing_damaged_and_open_files_are_named() {
    let home = tempfile::tempdir().unwrap();
    let store = Keystore::below(home.path());
    let missing = store.get(&name("none")).unwrap_err().to_string();
    assert!(missing.contains("no key none"), "{missing}");

    let path = add(&store, "k", 7).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let wide = store.get(&name("k")).unwrap_err().to_string();
    assert!(wide.contains("may be read by others") && wide.contains("chmod 600"), "{wide}");

    let text = fs::read(&path).unwrap();
    fs::write(&path, &text[..text.len() / 2]).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let torn = store.get(&name("k")).unwrap_err().to_string();
    assert!(torn.contains("not an encrypted key") && torn.lines().count() == 1, "{torn}");
}
