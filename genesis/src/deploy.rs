//! What runs the validators of a genesis on several machines: systemd units, containers, Kubernetes.
//!
//! Everything comes from the genesis and the addresses of the machines. A validator's keys never do:
//! they stay in the home that its operator made, and the files say where that has to be.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::Genesis;
use crate::files::{self, FileError};
use crate::peer_id::peer_id;

/// Port for peers on every machine.
pub const P2P_PORT: u16 = 26656;
/// Port for clients of the same machine.
pub const RPC_PORT: u16 = 26657;

/// The machine of one validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Name of the validator in the genesis; part of file names.
    pub name: String,
    /// Address or DNS name under which the others reach it.
    pub host: String,
    /// libp2p peer id of its network key.
    pub peer_id: String,
}

/// A deployment that makes no sense.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    #[error("the genesis has {validators} validators, and {hosts} hosts are given: give one each")]
    Hosts { validators: usize, hosts: usize },
    #[error("{0:?} is no host: give an IP address or a DNS name")]
    NoHost(String),
    #[error(
        "{0:?} cannot be part of the name of a file and of a service: name validators with lower-case \
         letters, digits and '-'"
    )]
    Name(String),
    #[error(transparent)]
    File(#[from] FileError),
}

/// The files, and what is on every machine.
const FILES: [(&str, &str); 4] = [
    ("README.md", include_str!("deploy/templates/README.md")),
    ("container/Containerfile", include_str!("deploy/templates/Containerfile")),
    ("container/Containerfile.dockerignore", "target\n.git\n"),
    ("kubernetes/catamaran.yaml", include_str!("deploy/templates/kubernetes.yaml")),
];
/// The files for one machine each, `NODE` in their names being the validator's.
const FILES_PER_MACHINE: [(&str, &str); 2] = [
    ("systemd/catamaran-NODE.service", include_str!("deploy/templates/node.service")),
    ("compose/NODE.yaml", include_str!("deploy/templates/compose.yaml")),
];

/// The machines of a genesis, in the order of its validators.
///
/// # Errors
/// [`DeployError`] where there are too few hosts, or one is none.
pub fn machines(genesis: &Genesis, hosts: &[String]) -> Result<Vec<Machine>, DeployError> {
    let validators = &genesis.validators;
    if validators.len() != hosts.len() {
        return Err(DeployError::Hosts { validators: validators.len(), hosts: hosts.len() });
    }
    if let Some(host) = hosts.iter().find(|host| !is_host(host)) {
        return Err(DeployError::NoHost(host.clone()));
    }
    if let Some(validator) = validators.iter().find(|validator| !is_label(&validator.name)) {
        return Err(DeployError::Name(validator.name.clone()));
    }
    let machine = |(validator, host): (&crate::spec::GenesisValidator, &String)| Machine {
        name: validator.name.clone(),
        host: host.clone(),
        peer_id: peer_id(&validator.network_key),
    };
    Ok(validators.iter().zip(hosts).map(machine).collect())
}

fn is_host(text: &str) -> bool {
    let name = !text.is_empty() && text.len() <= 253 && text.split('.').all(is_label);
    name || text.parse::<IpAddr>().is_ok()
}

/// A label of a DNS name, as Kubernetes wants its names too.
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len())
        && text.bytes().all(plain)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// The multiaddress of a machine's node.
fn address(host: &str) -> String {
    let kind = match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => "ip4",
        Ok(IpAddr::V6(_)) => "ip6",
        Err(_) => "dns4",
    };
    format!("/{kind}/{host}/tcp/{P2P_PORT}")
}

/// The peers of one machine, as `NODE_P2P_PEERS` takes them.
fn peers(machines: &[Machine], of: &Machine, host: impl Fn(&Machine) -> String) -> String {
    let others = machines.iter().filter(|machine| *machine != of);
    let addresses: Vec<String> =
        others.map(|it| format!("{}/p2p/{}", address(&host(it)), it.peer_id)).collect();
    addresses.join(",")
}

/// What every template may use.
#[derive(Clone, Serialize)]
struct Values<'a> {
    chain: &'a str,
    chain_id: String,
    genesis: String,
    p2p_port: u16,
    rpc_port: u16,
    machines: &'a [Machine],
    /// In one cluster, which has names of its own for them.
    services: &'a [Node],
    /// In a file for one machine.
    node: Option<&'a Node>,
}

/// One node as the others reach it.
#[derive(Serialize)]
struct Node {
    name: String,
    host: String,
    /// Its own multiaddress.
    announce: String,
    /// Those of the others.
    peers: String,
}

impl Node {
    /// `host` says under which name the others reach a machine.
    fn new(machine: &Machine, machines: &[Machine], host: impl Fn(&Machine) -> String) -> Self {
        Self {
            name: machine.name.clone(),
            host: machine.host.clone(),
            announce: address(&host(machine)),
            peers: peers(machines, machine, host),
        }
    }
}

/// All files by their place below the directory.
pub fn files(genesis: &Genesis, machines: &[Machine]) -> Vec<(PathBuf, String)> {
    let nodes = |host: fn(&Machine) -> String| -> Vec<Node> {
        machines.iter().map(|machine| Node::new(machine, machines, host)).collect()
    };
    let services = nodes(|machine| format!("catamaran-{}", machine.name));
    let values = Values {
        chain: &genesis.chain,
        chain_id: genesis.hash().to_string(),
        genesis: genesis.to_json(),
        p2p_port: P2P_PORT,
        rpc_port: RPC_PORT,
        machines,
        services: &services,
        node: None,
    };
    let mut all = Vec::new();
    for (path, template) in FILES {
        all.push((PathBuf::from(path), render(template, &values)));
    }
    for node in &nodes(|machine| machine.host.clone()) {
        let values = Values { node: Some(node), ..values.clone() };
        for (path, template) in FILES_PER_MACHINE {
            let path = PathBuf::from(path.replace("NODE", &node.name));
            all.push((path, render(template, &values)));
        }
    }
    all
}

fn render(template: &str, values: &Values<'_>) -> String {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .expect("the usual delimiters");
    environment.set_syntax(syntax);
    environment.render_str(template, Serde(values)).expect("the templates use what they are given")
}

/// Writes all files below a directory. Replaces none.
///
/// # Errors
/// [`DeployError::File`] where one exists, or what the system said.
pub fn write(files: &[(PathBuf, String)], out: &Path) -> Result<(), DeployError> {
    for (path, text) in files {
        let path = out.join(path);
        if let Some(directory) = path.parent() {
            files::create_private_directory(directory)?;
        }
        files::create(&path, text.as_bytes(), files::PUBLIC)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
