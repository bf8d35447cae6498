//! The settings of one node: `config.toml` in its home directory.
//!
//! What all validators must agree on is in the genesis instead.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use chain::snapshot::Checkpoint;
use consensus::policy::Policy;
use serde::{Deserialize, Serialize};

/// Settings of one node. Everything but the name has a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Name of the node in logs and status.
    pub moniker: String,
    /// What the node does once it is no validator any more.
    #[serde(default)]
    pub on_retire: OnRetire,
    #[serde(default)]
    pub p2p: P2pConfig,
    #[serde(default)]
    pub rpc: RpcConfig,
    #[serde(default)]
    pub log: LogConfig,
    #[serde(default)]
    pub storage: StorageConfig,
    #[serde(default)]
    pub sync: SyncConfig,
    #[serde(default)]
    pub mempool: MempoolConfig,
    #[serde(default)]
    pub consensus: ConsensusConfig,
}

/// What a node does once the chain does without its vote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRetire {
    /// Goes on as an observer: follows the chain and serves reads.
    #[default]
    Observe,
    /// Stops.
    Stop,
}

/// How the node meets others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct P2pConfig {
    /// Multiaddress to listen on, like `/ip4/0.0.0.0/tcp/26656`.
    pub listen: String,
    /// Multiaddresses of the others, each ending in `/p2p/` and the peer id.
    pub peers: Vec<String>,
    /// Multiaddresses under which others reach the node; empty: those it listens on.
    pub announce: Vec<String>,
}

impl Default for P2pConfig {
    fn default() -> Self {
        Self { listen: "/ip4/127.0.0.1/tcp/26656".into(), peers: Vec::new(), announce: Vec::new() }
    }
}

/// JSON-RPC, health and metrics: one port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RpcConfig {
    pub listen: SocketAddr,
    /// Must be set to listen on an address that other machines can reach.
    pub allow_remote: bool,
    /// Host names, besides addresses and `localhost`, by which clients may call this node.
    pub allowed_hosts: Vec<String>,
    /// Most connections at one time.
    pub max_connections: u32,
    /// Most calls of one client in a second; what is faster waits.
    pub calls_per_second: u32,
    /// PEM files of a certificate chain and its key, from the home on; empty: no TLS.
    pub tls_certificate: String,
    pub tls_key: String,
    /// File with a token a line, one of which every request must show; empty: none.
    pub token_file: String,
}

impl Default for RpcConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 26657)),
            allow_remote: false,
            allowed_hosts: Vec::new(),
            max_connections: 256,
            calls_per_second: 5000,
            tls_certificate: String::new(),
            tls_key: String::new(),
            token_file: String::new(),
        }
    }
}

/// What the node says on stderr.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// A `tracing` filter, like `info` or `info,node::network=debug`.
    pub level: String,
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: "info".into(), format: LogFormat::Text }
    }
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// Final blocks between two copies of the state on disk. More: less writing, a longer restart.
    pub checkpoint_blocks: u64,
    /// Final blocks between two snapshots that others may begin with; 0: none are taken.
    pub snapshot_interval: u64,
    /// Final blocks that stay; older ones are deleted. 0: all stay.
    pub retain_blocks: u64,
    /// Below so much free space, in mebibytes, the node takes no part in consensus; 0: it always does.
    pub min_free_mib: u64,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            checkpoint_blocks: 1024,
            snapshot_interval: 1000,
            retain_blocks: 0,
            min_free_mib: 256,
        }
    }
}

/// Catching up with the chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SyncConfig {
    pub mode: SyncMode,
    /// A block that the chain must have, from somebody the operator trusts. Empty in the file where
    /// there is none.
    #[serde(with = "checkpoint")]
    pub checkpoint: Option<Checkpoint>,
}

/// How a node that lacks much of the chain gets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncMode {
    /// Every block from the genesis on, executed again.
    #[default]
    Blocks,
    /// The state of a late block, and the blocks above.
    Snapshot,
}

/// In the file a checkpoint is text, and none is empty text: so that every setting has a place.
mod checkpoint {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use chain::snapshot::Checkpoint;

    pub(super) fn serialize<S: Serializer>(
        checkpoint: &Option<Checkpoint>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = checkpoint.as_ref().map(ToString::to_string).unwrap_or_default();
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Checkpoint>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(D::Error::custom)
    }
}

/// Transactions that wait for a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MempoolConfig {
    /// Most transactions in all.
    pub max_transactions: usize,
    /// Most bytes in all.
    pub max_bytes: usize,
    /// Most transactions of one sender.
    pub max_per_sender: usize,
}

impl Default for MempoolConfig {
    fn default() -> Self {
        Self { max_transactions: 100_000, max_bytes: 128 * 1024 * 1024, max_per_sender: 4096 }
    }
}

/// What this node does where it leads, and no other node depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsensusConfig {
    /// How it chooses its mode, in an engine that has two.
    pub policy: Policy,
}

impl NodeConfig {
    /// The defaults, under a name.
    pub fn new(moniker: &str) -> Self {
        Self {
            moniker: moniker.into(),
            on_retire: OnRetire::default(),
            p2p: P2pConfig::default(),
            rpc: RpcConfig::default(),
            log: LogConfig::default(),
            storage: StorageConfig::default(),
            sync: SyncConfig::default(),
            mempool: MempoolConfig::default(),
            consensus: ConsensusConfig::default(),
        }
    }

    /// # Errors
    /// What is wrong, with its line.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// The file with an explanation of every setting.
    pub fn to_commented_toml(&self) -> String {
        let Self { moniker, on_retire, p2p, rpc, log, storage, sync, mempool, consensus } = self;
        let mut page = Page::default();
        page.text("Settings of one Catamaran node. NODE_* variables override this file,");
        page.text("flags override both. What all validators share is in genesis.json.");
        page.setting("Name of this node in logs and status.", "moniker", moniker);

        page.setting(
            "Once it is no validator any more: observe (follow the chain, serve reads) or stop.",
            "on_retire",
            on_retire,
        );

        page.section("p2p", "The network of nodes: TCP, encrypted.");
        page.setting("Multiaddress to listen on.", "listen", &p2p.listen);
        page.setting(
            "Multiaddresses of other nodes, each ending in /p2p/ and its peer id.",
            "peers",
            &p2p.peers,
        );
        page.setting(
            "Multiaddresses under which other validators reach this node, where they differ from \
             `listen`.",
            "announce",
            &p2p.announce,
        );

        page.section("rpc", "JSON-RPC over HTTP and WebSocket, /health and /metrics.");
        page.setting("Address to listen on.", "listen", &rpc.listen);
        page.setting(
            "true: lets `listen` be an address that other machines can reach. Needs TLS and tokens.",
            "allow_remote",
            &rpc.allow_remote,
        );
        page.setting(
            "Host names besides addresses and localhost by which clients may call this node.",
            "allowed_hosts",
            &rpc.allowed_hosts,
        );
        page.setting("Most connections at one time.", "max_connections", &rpc.max_connections);
        page.setting(
            "Most calls of one client in a second: what is faster waits.",
            "calls_per_second",
            &rpc.calls_per_second,
        );
        page.setting(
            "PEM file of the certificate chain, like \"tls/rpc.pem\" in the home; empty: no TLS.",
            "tls_certificate",
            &rpc.tls_certificate,
        );
        page.setting("PEM file of its key, mode 0600.", "tls_key", &rpc.tls_key);
        page.setting(
            "File with one token a line, mode 0600: requests show one as a bearer token.",
            "token_file",
            &rpc.token_file,
        );

        page.section("log", "What the node says on stderr.");
        page.setting(
            "error, warn, info, debug, trace, or a filter like \"info,node::network=debug\".",
            "level",
            &log.level,
        );
        page.setting("text or json.", "format", &log.format);

        page.section("storage", "The database in data/.");
        page.setting(
            "Final blocks between two copies of the state on disk: a restart executes the rest.",
            "checkpoint_blocks",
            &storage.checkpoint_blocks,
        );
        page.setting(
            "Final blocks between two snapshots for nodes that join; 0: none are taken.",
            "snapshot_interval",
            &storage.snapshot_interval,
        );
        page.setting(
            "Final blocks that stay, at least 1000; older ones are deleted. 0: all stay.",
            "retain_blocks",
            &storage.retain_blocks,
        );
        page.setting(
            "Free MiB of the disk below which it takes no part in consensus, until there is more.",
            "min_free_mib",
            &storage.min_free_mib,
        );

        page.section("sync", "Catching up with the chain.");
        page.setting(
            "blocks: all of them, executed again; snapshot: begin with the state of a late block.",
            "mode",
            &sync.mode,
        );
        page.setting(
            "A block that the chain must have, as HEIGHT:HASH from somebody you trust; may be empty.",
            "checkpoint",
            &sync.checkpoint.as_ref().map(ToString::to_string).unwrap_or_default(),
        );

        page.section("mempool", "Transactions that wait for a block, held in memory.");
        page.setting("Most in all.", "max_transactions", &mempool.max_transactions);
        page.setting("Most bytes in all.", "max_bytes", &mempool.max_bytes);
        page.setting("Most of one sender.", "max_per_sender", &mempool.max_per_sender);

        page.section(
            "consensus",
            "What this node does where it leads. Safety does not depend on it.",
        );
        page.setting(
            "Mode of its blocks, in an engine with two: adaptive, static-fast or static-pbft.",
            "policy",
            &consensus.policy,
        );
        page.text
    }
}

/// A configuration file that is being written.
#[derive(Default)]
struct Page {
    text: String,
    /// The last line opened a section.
    opened: bool,
}

impl Page {
    fn text(&mut self, line: &str) {
        let _ = writeln!(self.text, "# {line}");
    }

    fn section(&mut self, name: &str, about: &str) {
        self.text.push('\n');
        self.text(about);
        let _ = writeln!(self.text, "[{name}]");
        self.opened = true;
    }

    fn setting<T: Serialize>(&mut self, about: &str, name: &str, value: &T) {
        let line = toml::to_string_pretty(&BTreeMap::from([(name, value)]))
            .expect("settings are text, numbers, switches and lists of text, which TOML can hold");
        if !self.opened {
            self.text.push('\n');
        }
        self.opened = false;
        self.text(about);
        self.text.push_str(&line);
    }
}

#[cfg(test)]
mod tests;
