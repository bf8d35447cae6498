//! A new network: keys, genesis and one home directory per node.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use chain::access::{AccessMode, Role};
use chain::crypto::{Keypair, PublicKey};
use chain::types::{Address, Amount, Digest};
use consensus::registry::EngineName;
use serde::{Deserialize, Serialize};

use crate::accounts;
use crate::config::NodeConfig;
use crate::files::{self, FileError};
use crate::keyfile::{self, KeyFileError};
use crate::peer_id::peer_id;
use crate::spec::{
    ConsensusParameters, Genesis, GenesisBalance, GenesisRoles, GenesisValidator,
    GovernanceParameters, Limits,
};
use crate::validate::Problems;

/// Distance between the ports of two nodes.
const PORT_STEP: u16 = 10;
/// Where the search for free ports starts: the first node listens here for its peers, and one
/// above for clients.
pub const DEFAULT_P2P_PORT: u16 = 26656;
pub const DEFAULT_RPC_PORT: u16 = 26657;
/// Most account files.
const MAX_ACCOUNT_FILES: u32 = 1_000;
/// Most accounts derived from a phrase.
const MAX_DERIVED_ACCOUNTS: u32 = 100_000;

/// What network to make. All nodes are on this machine.
#[derive(Clone, Debug)]
pub struct Plan {
    pub chain: String,
    pub engine: EngineName,
    /// Unix milliseconds.
    pub time_ms: u64,
    pub consensus: ConsensusParameters,
    pub limits: Limits,
    pub access: AccessMode,
    /// Where each node listens: one entry per validator.
    pub ports: Vec<Ports>,
    /// Funded accounts with a key file each.
    pub accounts: u32,
    /// Funded accounts without files, derived from a phrase.
    pub derived: Option<DerivedAccounts>,
    /// What each account owns.
    pub balance: Amount,
}

/// Accounts [derived](accounts::derive) from a phrase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedAccounts {
    pub dev_seed: String,
    pub count: u32,
}

/// Where a node listens on the loopback address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ports {
    pub p2p: u16,
    pub rpc: u16,
}

/// What was made.
#[derive(Clone, Debug, Serialize)]
pub struct Network {
    #[serde(skip)]
    pub genesis: Genesis,
    pub chain_id: Digest,
    pub genesis_file: PathBuf,
    pub nodes: Vec<Node>,
    pub accounts: Vec<Account>,
    pub derived: Option<DerivedAccounts>,
}

/// A node's home.
#[derive(Clone, Debug, Serialize)]
pub struct Node {
    pub name: String,
    pub home: PathBuf,
    #[serde(flatten)]
    pub ports: Ports,
    pub peer_id: String,
    pub consensus_key: PublicKey,
}

/// A funded account with a key file.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    pub address: Address,
    pub key_file: PathBuf,
}

/// A network that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("{0} is not empty: choose another directory, or remove it")]
    NotEmpty(PathBuf),
    #[error("{what}: {count} where at most {max} are supported")]
    TooMany { what: &'static str, count: u32, max: u32 },
    #[error("ports past 65535: choose lower ones or fewer validators")]
    NoPorts,
    #[error("two listeners on port {0}")]
    SharedPort(u16),
    #[error(transparent)]
    Invalid(#[from] Problems),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Key(#[from] KeyFileError),
}

/// Consecutive ports from the given ones.
///
/// # Errors
/// [`NetworkError::NoPorts`] where they pass the last port.
pub fn ports_from(p2p: u16, rpc: u16, nodes: u16) -> Result<Vec<Ports>, NetworkError> {
    let at = |base: u16, place: u16| {
        PORT_STEP
            .checked_mul(place)
            .and_then(|distance| base.checked_add(distance))
            .ok_or(NetworkError::NoPorts)
    };
    (0..nodes).map(|place| Ok(Ports { p2p: at(p2p, place)?, rpc: at(rpc, place)? })).collect()
}

/// Ports that nobody listens on now, upwards from the default ones. Whoever comes next may take
/// them before the nodes do.
///
/// # Errors
/// [`NetworkError::NoPorts`] where there are not enough.
pub fn free_ports(nodes: u16) -> Result<Vec<Ports>, NetworkError> {
    let is_free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let candidates = (0..u16::MAX).map_while(|place| {
        let distance = PORT_STEP.checked_mul(place)?;
        Some(Ports {
            p2p: DEFAULT_P2P_PORT.checked_add(distance)?,
            rpc: DEFAULT_RPC_PORT.checked_add(distance)?,
        })
    });
    let free: Vec<Ports> = candidates
        .filter(|ports| is_free(ports.p2p) && is_free(ports.rpc))
        .take(usize::from(nodes))
        .collect();
    if free.len() < usize::from(nodes) { Err(NetworkError::NoPorts) } else { Ok(free) }
}

/// Makes the network in a directory that is empty or does not exist yet: `genesis.json`, a home
/// `node0`, `node1`, … per validator, and `accounts/`.
///
/// # Errors
/// [`NetworkError`] saying what stands in the way. What was written by then stays.
pub fn create(plan: &Plan, out: &Path) -> Result<Network, NetworkError> {
    check(plan)?;
    let keys = plan.ports.iter().map(|_| NodeKeys::generate()).collect::<Result<Vec<_>, _>>()?;
    let accounts =
        (0..plan.accounts).map(|_| keyfile::generate()).collect::<Result<Vec<_>, _>>()?;
    let genesis = genesis_of(plan, &keys, &accounts);
    genesis.validate()?;

    files::create_private_directory(out)?;
    if !files::is_empty_directory(out)? {
        return Err(NetworkError::NotEmpty(out.to_owned()));
    }
    let text = genesis.to_json();
    let mut nodes = Vec::new();
    for (place, keys) in keys.iter().enumerate() {
        let home = out.join(node_name(place));
        let config = config_of(plan, place, &genesis);
        keys.write_home(&home, &config, &text)?;
        nodes.push(Node {
            name: node_name(place),
            home,
            ports: plan.ports[place],
            peer_id: peer_id(&keys.network.public()),
            consensus_key: keys.validator.public(),
        });
    }
    let accounts = write_accounts(plan, &accounts, &out.join("accounts"))?;
    // Last: where it is, the rest is complete.
    let genesis_file = out.join("genesis.json");
    files::create(&genesis_file, text.as_bytes(), files::PUBLIC)?;
    Ok(Network {
        chain_id: genesis.hash(),
        genesis,
        genesis_file,
        nodes,
        accounts,
        derived: plan.derived.clone(),
    })
}

/// What one more node of a network needs to know.
#[derive(Clone, Debug)]
pub struct Newcomer<'a> {
    pub name: &'a str,
    pub genesis: &'a Genesis,
    pub ports: Ports,
    /// Multiaddresses of nodes to meet, each ending in `/p2p/` and the peer id.
    pub peers: Vec<String>,
}

/// Makes a home with new keys for a node that no genesis names.
///
/// # Errors
/// [`NetworkError`] saying what stands in the way. What was written by then stays.
pub fn add_node(newcomer: Newcomer<'_>, home: &Path) -> Result<(), NetworkError> {
    let keys = NodeKeys::generate()?;
    files::create_private_directory(home)?;
    if !files::is_empty_directory(home)? {
        return Err(NetworkError::NotEmpty(home.to_owned()));
    }
    let config = local_config(newcomer.name, &newcomer.ports, newcomer.peers);
    keys.write_home(home, &config, &newcomer.genesis.to_json())
}

/// Where a node on this machine listens for its peers.
pub fn listen_address(ports: &Ports) -> String {
    format!("/ip4/127.0.0.1/tcp/{}", ports.p2p)
}

fn check(plan: &Plan) -> Result<(), NetworkError> {
    let derived = plan.derived.as_ref().map_or(0, |derived| derived.count);
    for (what, count, max) in [
        ("accounts", plan.accounts, MAX_ACCOUNT_FILES),
        ("accounts of the seed", derived, MAX_DERIVED_ACCOUNTS),
    ] {
        if count > max {
            return Err(NetworkError::TooMany { what, count, max });
        }
    }
    let mut taken = std::collections::BTreeSet::new();
    for port in plan.ports.iter().flat_map(|ports| [ports.p2p, ports.rpc]) {
        if !taken.insert(port) {
            return Err(NetworkError::SharedPort(port));
        }
    }
    Ok(())
}

fn node_name(place: usize) -> String {
    format!("node{place}")
}

/// The keys of one validator.
struct NodeKeys {
    validator: Keypair,
    network: Keypair,
    governance: Keypair,
}

impl NodeKeys {
    fn generate() -> Result<Self, KeyFileError> {
        Ok(Self {
            validator: keyfile::generate()?,
            network: keyfile::generate()?,
            governance: keyfile::generate()?,
        })
    }

    fn write_home(
        &self,
        home: &Path,
        config: &NodeConfig,
        genesis: &str,
    ) -> Result<(), NetworkError> {
        let keys = home.join("keys");
        files::create_private_directory(&keys)?;
        files::create_private_directory(&home.join("data"))?;
        keyfile::write(&keys.join("validator.json"), &self.validator)?;
        keyfile::write(&keys.join("network.json"), &self.network)?;
        // Its owner signs governance changes with it; the node never reads it.
        keyfile::write(&keys.join("governance.json"), &self.governance)?;
        files::create(&home.join("genesis.json"), genesis.as_bytes(), files::PUBLIC)?;
        let text = config.to_commented_toml();
        files::create(&home.join("config.toml"), text.as_bytes(), files::PUBLIC)?;
        Ok(())
    }
}

fn genesis_of(plan: &Plan, keys: &[NodeKeys], accounts: &[Keypair]) -> Genesis {
    let validators = keys
        .iter()
        .enumerate()
        .map(|(place, keys)| GenesisValidator {
            name: node_name(place),
            consensus_key: keys.validator.public(),
            network_key: keys.network.public(),
            governance_key: keys.governance.public(),
        })
        .collect();
    let derived = plan.derived.iter().flat_map(|derived| {
        (0..derived.count).map(|index| accounts::derive(&derived.dev_seed, index).public())
    });
    let funded: Vec<Address> =
        accounts.iter().map(Keypair::public).chain(derived).map(|key| key.address()).collect();
    let roles = match plan.access {
        AccessMode::Open => Vec::new(),
        AccessMode::Members => funded
            .iter()
            .map(|address| GenesisRoles { address: *address, roles: vec![Role::Member] })
            .collect(),
    };
    let balances = funded
        .into_iter()
        .map(|address| GenesisBalance { address, amount: plan.balance })
        .collect();
    Genesis {
        format_version: Genesis::FORMAT_VERSION,
        chain: plan.chain.clone(),
        time_ms: plan.time_ms,
        engine: plan.engine,
        consensus: plan.consensus.clone(),
        limits: plan.limits.clone(),
        access: plan.access,
        governance: GovernanceParameters::default(),
        validators,
        balances,
        roles,
    }
}

fn config_of(plan: &Plan, place: usize, genesis: &Genesis) -> NodeConfig {
    let peers = plan
        .ports
        .iter()
        .zip(&genesis.validators)
        .enumerate()
        .filter(|(other, _)| *other != place)
        .map(|(_, (ports, validator))| {
            format!("{}/p2p/{}", listen_address(ports), peer_id(&validator.network_key))
        })
        .collect();
    local_config(&node_name(place), &plan.ports[place], peers)
}

/// The settings of a node that listens on the loopback address.
fn local_config(name: &str, ports: &Ports, peers: Vec<String>) -> NodeConfig {
    let mut config = NodeConfig::new(name);
    config.p2p.listen = listen_address(ports);
    config.p2p.peers = peers;
    config.rpc.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.rpc));
    config
}

fn write_accounts(
    plan: &Plan,
    accounts: &[Keypair],
    directory: &Path,
) -> Result<Vec<Account>, NetworkError> {
    if accounts.is_empty() && plan.derived.is_none() {
        return Ok(Vec::new());
    }
    files::create_private_directory(directory)?;
    if let Some(derived) = &plan.derived {
        let text = serde_json::to_string_pretty(derived)
            .expect("a phrase and a number are JSON already")
            + "\n";
        files::create(&directory.join("dev-seed.json"), text.as_bytes(), files::PRIVATE)?;
    }
    let mut written = Vec::new();
    for (number, key) in accounts.iter().enumerate() {
        let key_file = directory.join(format!("account{number}.json"));
        keyfile::write_unsafe_account(&key_file, key)?;
        written.push(Account { address: key.public().address(), key_file });
    }
    Ok(written)
}

#[cfg(test)]
mod tests;
