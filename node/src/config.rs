//! The settings of a node: the file, the environment over it, flags over both.
//!
//! The file's form and its defaults are [`genesis::config`]'s, which writes it as well. Every
//! setting has an environment variable: `NODE_`, the section, the name, all in capitals with
//! underscores, like `NODE_RPC_LISTEN` for `listen` in `[rpc]`. Lists are separated by commas.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chain::snapshot::Checkpoint;
use genesis::config::NodeConfig;
pub use genesis::config::{
    LogConfig, LogFormat, MempoolConfig, P2pConfig, RpcConfig, StorageConfig, SyncMode,
};
use genesis::files::{self, FileError};
use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use toml::{Table, Value};
use tracing_subscriber::EnvFilter;

use crate::network;
use crate::storage::MIN_RETAINED;

/// More than any configuration has.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// First part of the names of environment variables.
const PREFIX: &str = "NODE_";
/// Most connections that may be asked for.
const MAX_CONNECTIONS: u32 = 4096;

/// Settings given on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    pub moniker: Option<String>,
    pub p2p_listen: Option<String>,
    pub rpc_listen: Option<SocketAddr>,
    pub log_level: Option<String>,
    pub log_format: Option<LogFormat>,
    pub sync: Option<SyncMode>,
    pub checkpoint: Option<Checkpoint>,
}

/// Settings that cannot be used, with what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{path} is not text in UTF-8")]
    NotText { path: PathBuf },
    #[error("{path}: {error}")]
    Malformed { path: PathBuf, error: toml::de::Error },
    #[error("environment variable {name}: {problem}")]
    Environment { name: String, problem: String },
    #[error("{key}: {problem}")]
    Invalid { key: &'static str, problem: String },
}

/// Reads the settings of a node and checks them.
///
/// # Errors
/// [`ConfigError`] naming the setting and what to change.
pub fn load(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &Overrides,
) -> Result<NodeConfig, ConfigError> {
    let text = String::from_utf8(files::read(path, MAX_FILE_BYTES)?)
        .map_err(|_| ConfigError::NotText { path: path.to_owned() })?;
    let config = NodeConfig::from_toml(&text)
        .map_err(|error| ConfigError::Malformed { path: path.to_owned(), error })?;
    let config = flags.apply(with_environment(config, environment)?);
    check(&config)?;
    Ok(config)
}

impl Overrides {
    fn apply(&self, mut config: NodeConfig) -> NodeConfig {
        fn replace<T: Clone>(setting: &mut T, flag: Option<&T>) {
            if let Some(value) = flag {
                setting.clone_from(value);
            }
        }
        replace(&mut config.moniker, self.moniker.as_ref());
        replace(&mut config.p2p.listen, self.p2p_listen.as_ref());
        replace(&mut config.rpc.listen, self.rpc_listen.as_ref());
        replace(&mut config.log.level, self.log_level.as_ref());
        replace(&mut config.log.format, self.log_format.as_ref());
        replace(&mut config.sync.mode, self.sync.as_ref());
        config.sync.checkpoint = self.checkpoint.or(config.sync.checkpoint);
        config
    }
}

/// Lays environment variables over a configuration, one by one, so that an error names its
/// variable.
fn with_environment(
    config: NodeConfig,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<NodeConfig, ConfigError> {
    let mut config = config;
    for (name, text) in environment {
        let Some(setting) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let failed = |problem: String| ConfigError::Environment { name: name.clone(), problem };
        let mut table = Table::try_from(&config).map_err(|error| failed(error.to_string()))?;
        match find(&mut table, setting) {
            Place::Setting(value) => *value = parse(&text, value).map_err(failed)?,
            Place::UnknownIn(section) => {
                return Err(failed(format!("there is no such setting in [{section}]")));
            }
            // Other programs use this prefix too.
            Place::Elsewhere => continue,
        }
        config = table.try_into().map_err(|error| failed(error.to_string().trim().into()))?;
    }
    Ok(config)
}

/// What an environment variable means.
enum Place<'a> {
    Setting(&'a mut Value),
    UnknownIn(String),
    Elsewhere,
}

fn find<'a>(table: &'a mut Table, name: &str) -> Place<'a> {
    let name = name.to_lowercase();
    for (key, value) in table {
        match value {
            Value::Table(section) => {
                let Some(rest) = name.strip_prefix(key.as_str()).and_then(|r| r.strip_prefix('_'))
                else {
                    continue;
                };
                return match section.get_mut(rest) {
                    Some(value) => Place::Setting(value),
                    None => Place::UnknownIn(key.clone()),
                };
            }
            value if *key == name => return Place::Setting(value),
            _ => {}
        }
    }
    Place::Elsewhere
}

/// Reads a value of the same type as the present one.
fn parse(text: &str, present: &Value) -> Result<Value, String> {
    let text = text.trim();
    let wrong = |expected: &str| format!("expected {expected}, found {text:?}");
    match present {
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| wrong("true or false")),
        Value::Integer(_) => text.parse().map(Value::Integer).map_err(|_| wrong("a number")),
        Value::Array(_) => Ok(text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| Value::String(item.to_owned()))
            .collect::<Vec<_>>()
            .into()),
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Checks what the types of the settings do not.
fn check(config: &NodeConfig) -> Result<(), ConfigError> {
    let invalid = |key, problem: String| Err(ConfigError::Invalid { key, problem });
    if config.moniker.is_empty() || config.moniker.len() > 64 {
        return invalid("moniker", "give the node a name of 1 to 64 bytes".into());
    }
    if let Err(error) = config.p2p.listen.parse::<Multiaddr>() {
        let example = "write it like \"/ip4/127.0.0.1/tcp/26656\"";
        return invalid("p2p.listen", format!("not a multiaddress ({error}): {example}"));
    }
    for peer in &config.p2p.peers {
        let last = peer.parse::<Multiaddr>().ok().and_then(|mut address| address.pop());
        if !matches!(last, Some(Protocol::P2p(_))) {
            let example = "write it like \"/ip4/10.0.0.2/tcp/26656/p2p/12D3KooW…\"";
            return invalid("p2p.peers", format!("{peer:?} is no address of a peer: {example}"));
        }
    }
    for address in &config.p2p.announce {
        if !address.parse::<Multiaddr>().is_ok_and(|address| network::is_tcp(&address)) {
            let example =
                "write it like \"/ip4/203.0.113.7/tcp/26656\" or \"/dns4/node.example/tcp/26656\"";
            return invalid(
                "p2p.announce",
                format!("{address:?} is no address to dial: {example}"),
            );
        }
    }
    check_rpc(&config.rpc)?;
    if let Err(error) = EnvFilter::try_new(&config.log.level) {
        let example = "use error, warn, info, debug, trace or a filter like \"info,node=debug\"";
        return invalid("log.level", format!("{error}: {example}"));
    }
    if config.storage.checkpoint_blocks == 0 {
        return invalid("storage.checkpoint_blocks", "must be at least 1".into());
    }
    let retained = config.storage.retain_blocks;
    if (1..MIN_RETAINED).contains(&retained) {
        let reason = "a node that was away for a little while catches up from them block by block";
        let problem = format!("{retained} is too few: keep at least {MIN_RETAINED}, {reason}");
        return invalid("storage.retain_blocks", format!("{problem}; or 0 to keep all"));
    }
    let mempool = &config.mempool;
    for (key, value) in [
        ("mempool.max_transactions", mempool.max_transactions),
        ("mempool.max_bytes", mempool.max_bytes),
        ("mempool.max_per_sender", mempool.max_per_sender),
    ] {
        if value == 0 {
            return invalid(key, "must be at least 1, or no transaction is ever taken".into());
        }
    }
    Ok(())
}

fn check_rpc(rpc: &RpcConfig) -> Result<(), ConfigError> {
    let invalid = |key, problem: String| Err(ConfigError::Invalid { key, problem });
    if !rpc.listen.ip().is_loopback() && !rpc.allow_remote {
        return invalid(
            "rpc.listen",
            format!(
                "other machines can reach {}: listen on 127.0.0.1, or set allow_remote = true in \
                 [rpc] if that is meant",
                rpc.listen
            ),
        );
    }
    if rpc.tls_certificate.is_empty() != rpc.tls_key.is_empty() {
        return invalid("rpc.tls_key", "give both tls_certificate and tls_key, or neither".into());
    }
    let protected = !rpc.tls_certificate.is_empty() && !rpc.token_file.is_empty();
    if !rpc.listen.ip().is_loopback() && !protected {
        return invalid(
            "rpc.allow_remote",
            "a port that other machines can reach needs TLS and tokens: set tls_certificate, tls_key \
             and token_file in [rpc] (docs/security.md says how)"
                .into(),
        );
    }
    if !(1..=MAX_CONNECTIONS).contains(&rpc.max_connections) {
        let problem = format!("{} is not 1 to {MAX_CONNECTIONS}", rpc.max_connections);
        return invalid("rpc.max_connections", problem);
    }
    if rpc.calls_per_second == 0 {
        let problem = "0 would answer nobody: allow at least 1".into();
        return invalid("rpc.calls_per_second", problem);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    match rpc.allowed_hosts.iter().find(|name| name.is_empty() || !name.bytes().all(plain)) {
        None => Ok(()),
        Some(name) => invalid(
            "rpc.allowed_hosts",
            format!("{name:?} is no host name: write it without scheme and port"),
        ),
    }
}

#[cfg(test)]
mod tests;
