//! A node whose client port wants TLS and a token, and the wallet that brings both.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::testnet::{Testnet, finish};

const TOKEN: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const PATIENCE: Duration = Duration::from_secs(60);

fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).expect("it can be written");
}

#[test]
fn the_wallet_reaches_a_protected_port_with_its_token_and_not_without() {
    let testnet = Testnet::new();
    let net = testnet.dir();
    let out = net.to_str().expect("text");
    testnet.program("genesis", &["new", "--validators", "1", "--out", out]).assert_succeeds();
    let home = net.join("node0");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a key");
    let certificate = home.join("rpc.pem");
    write(&certificate, &made.cert.pem());
    write(&home.join("rpc.key"), &made.key_pair.serialize_pem());
    write(&home.join("tokens"), TOKEN);
    let path = home.join("config.toml");
    let text = std::fs::read_to_string(&path).expect("settings");
    let port =
        text.lines().find_map(|line| line.strip_prefix("listen = \"127.0.0.1:")).expect("a port");
    let url = format!("https://localhost:{}", port.trim_end_matches('"'));
    let protected = text
        .replace("tls_certificate = \"\"", "tls_certificate = \"rpc.pem\"")
        .replace("tls_key = \"\"", "tls_key = \"rpc.key\"")
        .replace("token_file = \"\"", "token_file = \"tokens\"");
    std::fs::write(&path, protected).expect("it can be written");
    let node = testnet.spawn_program("node", &["run", "--home", home.to_str().expect("text")]);
    let node = Ended(node);

    let token = home.join("tokens");
    let wallet = |more: &[&str]| {
        let mut command = testnet.command("wallet-cli", &["status", "--json", "--rpc", &url]);
        finish(command.args(more).env("SSL_CERT_FILE", &certificate))
    };
    let with_token = ["--rpc-token-file", token.to_str().expect("text")];
    let deadline = Instant::now() + PATIENCE;
    let run = loop {
        let run = wallet(&with_token);
        if run.code == 0 || Instant::now() > deadline {
            break run;
        }
    };
    let status = run.assert_succeeds().json();
    assert_eq!(status["validators"], 1, "{status:#}");
    let without = wallet(&[]);
    assert_ne!(without.code, 0, "{without:#?}");
    assert!(without.stdout.contains("401"), "{without:#?}");
    drop(node);

    // A token never leaves the machine in the clear.
    let elsewhere = ["status", "--rpc", "http://192.0.2.1:1", "--rpc-token-file"];
    let elsewhere = [elsewhere.as_slice(), &with_token[1..]].concat();
    testnet.program("wallet-cli", &elsewhere).assert_fails(2, "over https:// only");
}

/// A node that ends with the test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // The watch over it passes the signal on.
        let watch = nix::unistd::Pid::from_raw(self.0.id().cast_signed());
        let _ = nix::sys::signal::kill(watch, nix::sys::signal::Signal::SIGTERM);
        let _ = self.0.wait();
    }
}
