use super::*;

#[test]
fn the_commented_file_is_read_back() {
    let mut config = NodeConfig::new("node \"0\"");
    config.p2p.peers = vec!["/ip4/127.0.0.1/tcp/26666/p2p/12D3KooWexample".into()];
    config.rpc.allowed_hosts = vec!["node.example".into(), "other".into()];
    config.rpc.listen = "[::1]:7".parse().unwrap();
    config.log.format = LogFormat::Json;
    config.sync.mode = SyncMode::Snapshot;
    config.sync.checkpoint = Some(format!("12:{}", "0f".repeat(32)).parse().unwrap());
    let text = config.to_commented_toml();
    assert_eq!(NodeConfig::from_toml(&text).unwrap(), config, "{text}");
}

#[test]
fn every_setting_has_a_comment() {
    let text = NodeConfig::new("node0").to_commented_toml();
    let lines: Vec<&str> = text.lines().collect();
    let mut settings = 0;
    for (place, line) in lines.iter().enumerate() {
        if line.contains(" = ") && !line.starts_with('#') || line.starts_with('[') {
            assert!(lines[place - 1].starts_with("# "), "{line} in\n{text}");
            settings += 1;
        }
    }
    assert!(settings > 12, "{text}");
}

#[test]
fn a_short_file_gets_the_defaults() {
    let config = NodeConfig::from_toml("moniker = \"node0\"").unwrap();
    assert_eq!(config, NodeConfig::new("node0"));
    assert!(config.rpc.listen.ip().is_loopback() && !config.rpc.allow_remote);
}

#[test]
fn wrong_files_are_refused() {
    for (text, expected) in [
        ("", "moniker"),
        ("moniker = 1", "string"),
        ("moniker = \"a\"\nport = 1", "unknown field `port`"),
        ("moniker = \"a\"\n[rpc]\nlisten = \"nowhere\"", "socket address"),
        ("moniker = \"a\"\n[sync]\ncheckpoint = \"12\"", "HEIGHT:HASH"),
        ("moniker = \"a\"\n[sync]\ncheckpoint = \"12:34\"", "32 bytes"),
        (
            "moniker = \"a\"\n[sync]\ncheckpoint = \"0:0000000000000000000000000000000000000000000000000000000000000000\"",
            "genesis",
        ),
        ("moniker = \"a\"\n[log]\nformat = \"xml\"", "unknown variant `xml`"),
    ] {
        let error = NodeConfig::from_toml(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
    }
}

/// Any text is refused, or is settings that are written as they are read.
#[test]
fn fuzz_config() {
    let mut full = NodeConfig::new("alice");
    full.p2p.peers = vec!["/ip4/10.0.0.2/tcp/26656/p2p/12D3KooW".into()];
    full.rpc.allowed_hosts = vec!["node.example".into()];
    let samples = [NodeConfig::new("bob"), full].map(|it| it.to_commented_toml().into_bytes());
    let target = fuzz::Target::new("config", fuzz::corpus::Form::Toml, samples, |bytes| {
        let Ok(text) = std::str::from_utf8(bytes) else { return false };
        let Ok(config) = NodeConfig::from_toml(text) else { return false };
        let again = NodeConfig::from_toml(&config.to_commented_toml()).expect("what it wrote");
        assert_eq!(again, config);
        true
    });
    target.check();
}
