use super::*;

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn error_of(text: &str, pairs: &[(&str, &str)]) -> String {
    let (_directory, path) = file(text);
    load(&path, environment(pairs), &Overrides::default()).unwrap_err().to_string()
}

#[test]
fn the_written_file_loads_as_the_defaults() {
    let defaults = NodeConfig::new("node0");
    let (_directory, path) = file(&defaults.to_commented_toml());
    assert_eq!(load(&path, [], &Overrides::default()).unwrap(), defaults);
}

#[test]
fn the_environment_overrides_the_file_and_flags_override_both() {
    let (_directory, path) =
        file("moniker = \"from-file\"\n[rpc]\nlisten = \"127.0.0.1:1\"\n[log]\nlevel = \"warn\"\n");
    let from_file = load(&path, [], &Overrides::default()).unwrap();
    assert_eq!((from_file.moniker.as_str(), from_file.rpc.listen.port()), ("from-file", 1));
    assert_eq!(from_file.log.level, "warn");

    let variables = environment(&[
        ("NODE_MONIKER", "from-environment"),
        ("NODE_RPC_LISTEN", "127.0.0.1:2"),
        ("NODE_RPC_ALLOW_REMOTE", "true"),
        ("NODE_RPC_ALLOWED_HOSTS", "one.example, two.example"),
        ("NODE_STORAGE_CHECKPOINT_BLOCKS", "7"),
        ("NODE_LOG_FORMAT", "json"),
        ("HOME", "/root"),
        ("NODE_PATH", "/usr/lib/node_modules"),
    ]);
    let overridden = load(&path, variables.clone(), &Overrides::default()).unwrap();
    assert_eq!(overridden.moniker, "from-environment");
    assert_eq!(overridden.rpc.listen.port(), 2);
    assert!(overridden.rpc.allow_remote);
    assert_eq!(overridden.rpc.allowed_hosts, ["one.example", "two.example"]);
    assert_eq!(overridden.storage.checkpoint_blocks, 7);
    assert_eq!(overridden.log, LogConfig { level: "warn".into(), format: LogFormat::Json });

    let flags = Overrides {
        moniker: Some("from-flag".into()),
        p2p_listen: Some("/ip4/127.0.0.1/tcp/9".into()),
        rpc_listen: Some("127.0.0.1:3".parse().unwrap()),
        log_level: Some("debug".into()),
        log_format: Some(LogFormat::Text),
        sync: Some(SyncMode::Snapshot),
        checkpoint: Some(format!("7:{}", "ab".repeat(32)).parse().unwrap()),
    };
    let flagged = load(&path, variables, &flags).unwrap();
    assert_eq!((flagged.moniker.as_str(), flagged.rpc.listen.port()), ("from-flag", 3));
    assert_eq!(flagged.p2p.listen, "/ip4/127.0.0.1/tcp/9");
    assert_eq!(flagged.sync.checkpoint, flags.checkpoint);
    assert_eq!(flagged.sync.mode, SyncMode::Snapshot);
    assert_eq!(flagged.log, LogConfig { level: "debug".into(), format: LogFormat::Text });
    assert_eq!(flagged.storage.checkpoint_blocks, 7, "not touched by a flag");
}

/// A file, environment variables, and what the error must say.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static [&'static str]);

#[test]
fn errors_name_the_setting_and_the_fix() {
    let table: [Case; 16] = [
        ("moniker = 3", &[], &["config.toml", "moniker"]),
        ("moniker = \"a\"\n[rpc]\nlisen = \"127.0.0.1:1\"", &[], &["line 3", "lisen", "listen"]),
        ("", &[], &["moniker"]),
        ("moniker = \"\"", &[], &["moniker", "give the node a name"]),
        (
            "moniker = \"a\"\n[rpc]\nlisten = \"0.0.0.0:1\"",
            &[],
            &["rpc.listen", "0.0.0.0:1", "allow_remote = true"],
        ),
        (
            "moniker = \"a\"\n[rpc]\nlisten = \"0.0.0.0:1\"\nallow_remote = true",
            &[],
            &["rpc.allow_remote", "TLS and tokens", "token_file"],
        ),
        (
            "moniker = \"a\"\n[rpc]\ntls_certificate = \"tls/rpc.pem\"",
            &[],
            &["rpc.tls_key", "both"],
        ),
        ("moniker = \"a\"\n[p2p]\nlisten = \"nowhere\"", &[], &["p2p.listen", "/ip4/"]),
        (
            "moniker = \"a\"\n[p2p]\npeers = [\"/ip4/10.0.0.2/tcp/1\"]",
            &[],
            &["p2p.peers", "/p2p/12D3KooW"],
        ),
        ("moniker = \"a\"\n[log]\nlevel = \"a=b=c\"", &[], &["log.level", "debug"]),
        ("moniker = \"a\"\n[storage]\ncheckpoint_blocks = 0", &[], &["storage.checkpoint_blocks"]),
        ("moniker = \"a\"\n[mempool]\nmax_bytes = 0", &[], &["mempool.max_bytes", "at least 1"]),
        (
            "moniker = \"a\"\n[rpc]\nallowed_hosts = [\"http://x\"]",
            &[],
            &["rpc.allowed_hosts", "without scheme"],
        ),
        (
            "moniker = \"a\"\n[rpc]\ncalls_per_second = 0",
            &[],
            &["rpc.calls_per_second", "at least 1"],
        ),
        ("moniker = \"a\"", &[("NODE_RPC_LISTN", "x")], &["NODE_RPC_LISTN", "[rpc]"]),
        (
            "moniker = \"a\"",
            &[("NODE_RPC_MAX_CONNECTIONS", "many")],
            &["MAX_CONNECTIONS", "number"],
        ),
    ];
    for (text, variables, parts) in table {
        let error = error_of(text, variables);
        for part in parts {
            assert!(error.contains(part), "{text:?}: {error:?} says nothing of {part:?}");
        }
    }
    let error = error_of("moniker = \"a\"", &[("NODE_RPC_LISTEN", "here")]);
    assert!(error.contains("NODE_RPC_LISTEN") && error.contains("socket address"), "{error}");
}

#[test]
fn every_setting_has_a_variable() {
    let config = NodeConfig::new("node0");
    let mut table = Table::try_from(&config).unwrap();
    let mut names = Vec::new();
    for (key, value) in &table {
        match value {
            Value::Table(section) => {
                names.extend(section.keys().map(|name| format!("{key}_{name}").to_uppercase()));
            }
            _ => names.push(key.to_uppercase()),
        }
    }
    assert!(names.len() >= 13, "{names:?}");
    for name in names {
        assert!(matches!(find(&mut table, &name), Place::Setting(_)), "{name}");
    }
}
