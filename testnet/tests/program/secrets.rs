//! No key material in what programs say, however much they are asked to say.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::testnet::Testnet;

/// Fewer bytes of a secret than this may occur by chance.
const PART: usize = 8;

/// A key file's secret, and every form in which it could be printed.
struct Secret {
    file: PathBuf,
    forms: Vec<Vec<u8>>,
}

fn secret(file: &Path) -> Option<Secret> {
    let text = std::fs::read(file).ok()?;
    let key: Value = serde_json::from_slice(&text).ok()?;
    let bytes = hex::decode(key["secret"].as_str()?).expect("hexadecimal");
    let part = &bytes[..PART];
    let listed = |separator: &str| {
        part.iter().map(u8::to_string).collect::<Vec<_>>().join(separator).into_bytes()
    };
    let escaped: String =
        part.iter().flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
    let forms = vec![
        hex::encode(part).into_bytes(),
        hex::encode_upper(part).into_bytes(),
        listed(", "),
        listed(","),
        escaped.into_bytes(),
        part.to_vec(),
    ];
    Some(Secret { file: file.to_owned(), forms })
}

/// All files below a directory.
fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("a directory").flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files(&path, found),
            Ok(kind) if kind.is_file() => found.push(path),
            _ => {}
        }
    }
}

/// The secrets that stand somewhere in these bytes.
fn spilled<'a>(secrets: &'a [Secret], bytes: &[u8]) -> Vec<&'a Path> {
    let stands = |form: &Vec<u8>| bytes.windows(form.len()).any(|window| window == form);
    let spilled = secrets.iter().filter(|secret| secret.forms.iter().any(stands));
    spilled.map(|secret| secret.file.as_path()).collect()
}

#[test]
fn no_log_holds_key_material_even_at_trace() {
    let testnet = Testnet::up();
    testnet.run(&["down"]).assert_succeeds();
    for node in 0..4 {
        let path = testnet.dir().join(format!("node{node}/config.toml"));
        let text = std::fs::read_to_string(&path).expect("settings");
        let louder = text.replace("level = \"info\"", "level = \"trace\"");
        assert_ne!(text, louder);
        std::fs::write(&path, louder).expect("they can be written");
    }
    testnet.run(&["up", "--detach"]).assert_succeeds();
    let load = ["load", "--rate", "50", "--duration", "2", "--json"];
    testnet.run(&load).assert_succeeds();
    let sent = testnet.wallet(0, &["send", "--to", &testnet.address(1), "--amount", "1"]);
    let status = testnet.wallet(0, &["validators"]);
    testnet.run(&["restart", "1"]);
    let doctor = testnet
        .program("node", &["doctor", "--home", testnet.dir().join("node0").to_str().unwrap()]);
    testnet.run(&["down"]).assert_succeeds();

    let mut all = Vec::new();
    files(&testnet.dir(), &mut all);
    let secrets: Vec<Secret> = all.iter().filter_map(|file| secret(file)).collect();
    assert!(
        secrets.len() >= 4 * 3 + 3,
        "three keys of every node, and accounts: {}",
        secrets.len()
    );
    // The search finds what is there.
    let planted = std::fs::read(&secrets[0].file).expect("a key file");
    assert_eq!(spilled(&secrets, &planted), [secrets[0].file.as_path()]);

    let mut logs = 0;
    for file in all.iter().filter(|file| file.extension().is_some_and(|it| it == "log")) {
        let text = std::fs::read(file).expect("a log");
        if file.ends_with("node.log") {
            logs += 1;
            assert!(text.windows(5).any(|word| word == b"TRACE"), "{}: no trace", file.display());
        }
        assert_eq!(spilled(&secrets, &text), [] as [&Path; 0], "in {}", file.display());
    }
    assert_eq!(logs, 4);
    for run in [sent, status, doctor] {
        assert_eq!(spilled(&secrets, run.stdout.as_bytes()), [] as [&Path; 0]);
        assert_eq!(spilled(&secrets, run.stderr.as_bytes()), [] as [&Path; 0]);
    }
    println!("{} secrets in {logs} logs: none", secrets.len());
}
