//! Arguments, keys and files: nothing here needs a node.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use crate::wallet::{Wallet, finish};

/// Some address.
fn recipient() -> String {
    crate::fake_node::address(2).to_string()
}

#[test]
fn bad_arguments_exit_with_2_and_one_line() {
    let wallet = Wallet::new(None);
    let good = recipient();
    let bech32_not_m = "cat1qqqsyqcyq5rqwzqfpg9scrgwpugpzysndqh8jh";
    let flipped =
        format!("{}{}", &good[..good.len() - 1], if good.ends_with('q') { 'p' } else { 'q' });
    let bitcoin = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0";
    let table: [(&[&str], &str); 19] = [
        (&["send", "--to", "nobody", "--amount", "1"], "expected an address like cat1"),
        (&["send", "--to", "", "--amount", "1"], "--to"),
        (&["send", "--to", &flipped, "--amount", "1"], "expected an address like cat1"),
        (&["send", "--to", &good[..good.len() - 3], "--amount", "1"], "expected an address"),
        (&["send", "--to", bech32_not_m, "--amount", "1"], "expected an address"),
        (&["send", "--to", bitcoin, "--amount", "1"], "expected an address"),
        (&["send", "--to", &good, "--amount", "1.5"], "expected a whole number"),
        (&["send", "--to", &good, "--amount", "1e6"], "expected a whole number"),
        (&["send", "--to", &good, "--amount", &"9".repeat(40)], "expected a whole number"),
        (&["send", "--to", &good], "--amount"),
        (&["send", "--to", &good, "--amount", "1", "--wait", "soon"], "invalid value 'soon'"),
        (&["send", "--to", &good, "--amount", "1", "--timeout", "-1"], "--timeout"),
        (&["tx", "status", "xyz"], "expected 32 bytes in hexadecimal"),
        (&["block", "show", "newest"], "expected a height, \"latest\" or a block hash"),
        (&["status", "--rpc", "127.0.0.1:26657"], "expected an address like http://"),
        (&["key", "new", "a/b"], "expected a name of 1 to 64"),
        (&["kv", "cas", "k", "v"], "--expected"),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["balance"], "there is no key yet"),
    ];
    for (arguments, expected) in table {
        wallet.run(arguments).assert_fails(2, expected);
        let mut with_json = arguments.to_vec();
        with_json.push("--json");
        let run = wallet.run(&with_json);
        assert_eq!((run.code, run.stderr.as_str()), (2, ""), "{arguments:?}");
        let error = &run.json()["error"];
        assert_eq!(error["kind"], "bad_arguments");
        assert!(error["message"].as_str().unwrap().contains(expected), "{error}");
    }
}

#[test]
fn help_and_version_are_no_errors() {
    let wallet = Wallet::new(None);
    let help = wallet.run(&["--help"]);
    assert!(help.assert_succeeds().stdout.contains("Exit codes: 0 done"), "{help:?}");
    wallet.run(&["--version"]).assert_succeeds();
    wallet.run(&["send", "--help"]).assert_succeeds();
    assert_eq!(wallet.run(&[]).code, 2);
}

#[test]
fn a_key_is_made_backed_up_and_restored() {
    let wallet = Wallet::new(None);
    let run = |arguments: &[&str]| finish(wallet.command(arguments).env("WALLET_PASSWORD", "pw"));
    let made = run(&["key", "new", "first", "--json"]);
    let report = made.assert_succeeds().json();
    let words = made
        .stderr
        .lines()
        .find(|line| line.split(' ').count() == 24 && !line.contains(','))
        .expect("the words are shown once");
    for word in words.split(' ').filter(|word| word.len() > 5) {
        assert!(!made.stdout.contains(word), "{made:?}");
    }
    let key_file = wallet.path().join(".catamaran/keys/first.json");
    assert_eq!(report["file"], key_file.to_str().unwrap());
    assert_eq!(fs::metadata(&key_file).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(key_file.parent().unwrap()).unwrap().mode() & 0o777, 0o700);

    // Restored from the words on stdin, into another home.
    let other = wallet.path().join("other");
    let other = other.to_str().unwrap();
    let words_file = wallet.path().join("words");
    fs::write(&words_file, words).unwrap();
    let restored = finish(
        wallet
            .command(&["key", "import", "copy", "--home", other, "--json"])
            .env("WALLET_PASSWORD", "other")
            .stdin(fs::File::open(&words_file).unwrap()),
    );
    assert_eq!(restored.assert_succeeds().json()["address"], report["address"]);

    let to_file = wallet.path().join("backup");
    let made = run(&["key", "new", "second", "--mnemonic-file", to_file.to_str().unwrap()]);
    made.assert_succeeds();
    assert_eq!(fs::metadata(&to_file).unwrap().mode() & 0o777, 0o600);
    let backup = fs::read_to_string(&to_file).unwrap();
    assert!(!made.stdout.contains(&backup) && !made.stderr.contains(&backup), "{made:?}");

    let list = wallet.run(&["key", "list", "--json"]).assert_succeeds().json();
    assert_eq!(list["keys"].as_array().unwrap().len(), 2);
    let shown = wallet.run(&["key", "show", "first", "--json"]).assert_succeeds().json();
    assert_eq!(shown["address"], report["address"]);
    wallet.run(&["balance"]).assert_fails(2, "name one with --key");
    run(&["key", "new", "first"]).assert_fails(2, "there is a key first already");
}

#[test]
fn export_is_explicit_and_the_file_imports_again() {
    let wallet = Wallet::new(None);
    let plain = wallet.plain_key(1);
    let password = wallet.path().join("password");
    fs::write(&password, "hunter2\n").unwrap();
    fs::set_permissions(&password, Permissions::from_mode(0o600)).unwrap();
    let run = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["--password-file", password.to_str().unwrap()]);
        wallet.run(&all)
    };
    run(&["key", "import", "main", "--file", plain.to_str().unwrap()]).assert_succeeds();
    let out = wallet.path().join("out.json");
    let exported = run(&["key", "export", "main", "--out", out.to_str().unwrap(), "--json"]);
    exported.assert_succeeds();
    assert!(exported.stderr.contains("unencrypted"), "{exported:?}");
    let secret = hex::encode([1; 32]);
    assert!(!exported.stdout.contains(&secret) && !exported.stderr.contains(&secret));
    assert!(fs::read_to_string(&out).unwrap().contains(&secret));
    assert_eq!(genesis::keyfile::read(&out).unwrap().seed(), [1; 32]);
    run(&["key", "export", "main", "--out", out.to_str().unwrap()])
        .assert_fails(2, "already exists");
}

#[test]
fn bad_key_files_exit_with_2() {
    let wallet = Wallet::new(None);
    let to = recipient();
    let send = |file: &str| wallet.run(&["send", "--to", &to, "--amount", "1", "--key-file", file]);
    send("/nowhere/key.json").assert_fails(2, "No such file");

    let key = wallet.plain_key(1);
    let path = key.to_str().unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    send(path).assert_fails(2, "may be read by others");
    fs::write(&key, "{").unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    send(path).assert_fails(2, "is not a key file");
    wallet.run(&["balance", "--key", "none"]).assert_fails(2, "there is no key none");
}

#[test]
fn without_a_terminal_the_password_must_be_given() {
    let wallet = Wallet::new(None);
    // In a session of its own the program has no terminal to ask at.
    finish(&mut wallet.command_within(&["setsid"], &["key", "new", "k"]))
        .assert_fails(2, "give --password-file or set WALLET_PASSWORD");
    let empty = finish(wallet.command(&["key", "new", "k"]).env("WALLET_PASSWORD", ""));
    empty.assert_fails(2, "an empty password protects nothing");
    assert!(!wallet.path().join(".catamaran/keys/k.json").exists());
}
