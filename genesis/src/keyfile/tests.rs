use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn write_text(path: &Path, text: &str) {
    files::create(path, text.as_bytes(), files::PRIVATE).unwrap();
}

#[test]
fn a_key_is_read_back_and_never_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("validator.json");
    let key = generate().unwrap();
    write(&path, &key).unwrap();
    assert_eq!(read(&path).unwrap().seed(), key.seed());
    let again = write(&path, &generate().unwrap()).unwrap_err().to_string();
    assert!(again.contains("already exists"), "{again}");
    assert_eq!(read(&path).unwrap().public(), key.public());
}

/// Other programs read these files: the text must not change.
#[test]
fn golden_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("network.json");
    write(&path, &Keypair::from_seed(&[7; 32])).unwrap();
    let text: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let expected = serde_json::json!({
        "type": "ed25519",
        "public": "ea4a6c63e29c520abef5507b132ec5f9954776aebebe7b92421eea691446d22c",
        "secret": "07".repeat(32),
    });
    assert_eq!(text, expected);
}

#[test]
fn accounts_are_marked_unsafe() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("account0.json");
    let key = generate().unwrap();
    write_unsafe_account(&path, &key).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("UNSAFE") && text.contains(&key.public().address().to_string()));
    assert_eq!(read(&path).unwrap().public(), key.public());
}

#[test]
fn files_that_are_no_good_key_are_refused_in_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let public = Keypair::from_seed(&[7; 32]).public();
    let file = |kind: &str, public: &str, secret: &str| {
        format!("{{\"type\":\"{kind}\",\"public\":\"{public}\",\"secret\":\"{secret}\"}}")
    };
    let (public, other) = (public.to_string(), "00".repeat(32));
    let seed = "07".repeat(32);
    let table = [
        (String::new(), "not a key file"),
        ("{\"type\":\"ed2".to_owned(), "not a key file"),
        ("[1]".to_owned(), "not a key file"),
        (file("rsa", &public, &seed), "unknown variant `rsa`"),
        (file("ed25519", &other, &seed), "damaged"),
        (file("ed25519", &public, &seed[2..]), "32 bytes in hexadecimal"),
        (file("ed25519", &public, &seed.replace('7', "x")), "32 bytes in hexadecimal"),
        (file("ed25519", &public, &seed).replace('{', "{\"more\":1,"), "unknown field"),
        (" ".repeat(5000), "more than 4096 bytes"),
    ];
    for (number, (text, expected)) in table.into_iter().enumerate() {
        let path = directory.path().join(format!("{number}.json"));
        write_text(&path, &text);
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains(expected) && error.lines().count() == 1, "{expected}: {error}");
        assert!(!error.contains("0707"), "no secrets in errors: {error}");
    }
}

#[test]
fn files_that_others_may_read_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("validator.json");
    write(&path, &generate().unwrap()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(read(&path), Err(KeyFileError::File(FileError::WideMode { .. }))));
}

/// What is not a key file is refused, and no other key than that of a good file ever comes out.
#[test]
fn fuzz_key_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.json");
    let key = Keypair::from_seed(&[7; 32]);
    write_unsafe_account(&path, &key).unwrap();
    let text = fs::read(&path).unwrap();
    let target = fuzz::Target::new("key-file", fuzz::corpus::Form::Json, [text], |bytes| {
        let Ok(read) = parse(bytes, &path) else { return false };
        assert_eq!(read.public(), key.public());
        true
    });
    target.check();
}
