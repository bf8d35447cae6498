//! A testnet's files and processes.

pub mod manifest;
pub mod ports;
pub mod process;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use chain::access::AccessMode;
use chain::crypto::{Keypair, PublicKey};
use chain::governance::KeyKind;
use chain::types::Amount;
use consensus::policy::Policy;
use consensus::registry::EngineName;
use genesis::config::NodeConfig;
use genesis::network::{DerivedAccounts, Newcomer, Plan, Ports};
use genesis::peer_id::peer_id;
use genesis::spec::{ConsensusParameters, Limits};
use genesis::{Genesis, keyfile};
use nix::sys::signal::Signal;
use node::home::Home;

use manifest::{DashboardEntry, Manifest, NodeEntry};
use process::{Launch, ProcessId, Started};

use crate::disk;

/// Funded accounts derived from [`DEV_SEED`], unless asked otherwise.
pub const DEFAULT_ACCOUNTS: u32 = 2048;
/// Funded accounts with a key file each, for wallets.
const ACCOUNT_FILES: u32 = 3;
/// What each account owns at the start, in the smallest unit.
const BALANCE: u128 = 1_000_000_000_000;
/// The phrase behind a testnet's accounts: no secret, the chain is worth nothing.
const DEV_SEED: &str = "testnet";
/// How long a validator may take to end in good order.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// What network to make.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    pub engine: EngineName,
    pub validators: u16,
    /// Accounts derived from the development seed.
    pub accounts: u32,
}

/// How one validator is run, where that differs from the others.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Another build of `testnet-validator`.
    pub binary: Option<PathBuf>,
    /// The only processors that it may use, as `taskset` names them.
    pub cores: Option<String>,
}

/// A testnet, found by its directory.
///
/// One that is [attached](Cluster::attach) ends with this value.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    binary: PathBuf,
    attached: bool,
    lifeline: bool,
    /// Preloaded into validators whose disks are faulty.
    disk: Option<PathBuf>,
    /// How single validators are run, by their numbers.
    programs: BTreeMap<usize, Program>,
    /// What keeps attached validators alive.
    lifelines: Mutex<Vec<Started>>,
}

impl Cluster {
    /// Makes the files of a new network in `dir`.
    ///
    /// # Errors
    /// Where `dir` is in use or cannot be written, or the network makes no sense.
    pub fn create(dir: &Path, spec: Spec) -> anyhow::Result<Self> {
        let count = usize::from(spec.validators);
        let free = ports::free(2 * count)?;
        let ports: Vec<Ports> =
            free.chunks_exact(2).map(|pair| Ports { p2p: pair[0], rpc: pair[1] }).collect();
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let plan = Plan {
            chain: "testnet".into(),
            engine: spec.engine,
            time_ms: u64::try_from(since_1970.as_millis())?,
            consensus: ConsensusParameters::default(),
            limits: Limits::default(),
            access: AccessMode::Open,
            ports,
            accounts: ACCOUNT_FILES,
            derived: Some(DerivedAccounts { dev_seed: DEV_SEED.into(), count: spec.accounts }),
            balance: Amount::new(BALANCE),
        };
        let network = genesis::network::create(&plan, dir)?;
        let nodes = network
            .nodes
            .iter()
            .enumerate()
            .map(|(id, node)| NodeEntry {
                id,
                home: node.home.strip_prefix(dir).unwrap_or(&node.home).to_owned(),
                rpc_port: node.ports.rpc,
                p2p_port: node.ports.p2p,
                process: None,
            })
            .collect();
        Manifest::new(spec.engine, network.chain_id, "accounts".into(), nodes).save(dir)?;
        Self::open(dir)
    }

    /// A testnet that exists.
    ///
    /// # Errors
    /// Where there is none in `dir`.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let dir = std::path::absolute(dir)?;
        Manifest::load(&dir)?;
        let program = std::env::current_exe().context("cannot tell where this program is")?;
        let binary = program.with_file_name("testnet-validator");
        Ok(Self {
            dir,
            binary,
            attached: false,
            lifeline: false,
            disk: None,
            programs: BTreeMap::new(),
            lifelines: Mutex::default(),
        })
    }

    /// From now on validators end with this value; with `lifeline` those started from now on also
    /// end with this process, however that ends.
    #[must_use]
    pub fn attach(mut self, lifeline: bool) -> Self {
        self.attached = true;
        self.lifeline = lifeline;
        self
    }

    /// Validators that are started from now on have disks and clocks that can be told to fail.
    ///
    /// # Errors
    /// Where the library behind that cannot be written.
    pub fn on_faulty_disks(mut self) -> anyhow::Result<Self> {
        self.disk = Some(disk::install(&self.dir)?);
        Ok(self)
    }

    /// Runs one validator in another way from its next start on.
    #[must_use]
    pub fn with_program(mut self, id: usize, program: Program) -> Self {
        self.programs.insert(id, program);
        self
    }

    /// Leaves the validators running.
    pub fn detach(mut self) {
        self.attached = false;
    }

    /// The program of a validator.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// As it stands now: other commands may have changed it.
    ///
    /// # Errors
    /// Where the directory is gone.
    pub fn manifest(&self) -> anyhow::Result<Manifest> {
        Manifest::load(&self.dir)
    }

    /// # Errors
    /// Where there is no such validator.
    pub fn node(&self, id: usize) -> anyhow::Result<NodeEntry> {
        let mut nodes = self.manifest()?.nodes;
        if id >= nodes.len() {
            bail!("there is no validator {id}: they are numbered 0 to {}", nodes.len() - 1);
        }
        Ok(nodes.swap_remove(id))
    }

    pub fn home(&self, node: &NodeEntry) -> PathBuf {
        self.dir.join(&node.home)
    }

    pub fn log(&self, node: &NodeEntry) -> PathBuf {
        self.home(node).join("node.log")
    }

    /// The accounts that this network funded.
    ///
    /// # Errors
    /// Where their file is missing or damaged.
    pub fn accounts(&self) -> anyhow::Result<DerivedAccounts> {
        let path = self.dir.join(self.manifest()?.accounts).join("dev-seed.json");
        let text =
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display()))
    }

    /// Makes the files of one more node, which the genesis does not name.
    ///
    /// # Errors
    /// Where the files cannot be written.
    pub fn add_node(&self) -> anyhow::Result<NodeEntry> {
        let free = ports::free(2)?;
        let ports = Ports { p2p: free[0], rpc: free[1] };
        let genesis = self.genesis()?;
        let nodes = self.manifest()?.nodes;
        let id = nodes.len();
        let (name, peers) = (format!("node{id}"), self.multiaddresses(&nodes, id)?);
        let newcomer = Newcomer { name: &name, genesis: &genesis, ports, peers };
        genesis::network::add_node(newcomer, &self.dir.join(&name))?;
        let (home, process) = (name.into(), None);
        let node = NodeEntry { id, home, rpc_port: ports.rpc, p2p_port: ports.p2p, process };
        let entry = node.clone();
        self.update(|manifest| manifest.nodes.push(entry))?;
        Ok(node)
    }

    /// The genesis of the chain.
    ///
    /// # Errors
    /// Where the file is missing or damaged.
    pub fn genesis(&self) -> anyhow::Result<Genesis> {
        let path = self.genesis_path();
        Genesis::read(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    pub fn genesis_path(&self) -> PathBuf {
        self.dir.join("genesis.json")
    }

    /// Notes which process serves the dashboard.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub fn record_dashboard(&self, entry: DashboardEntry) -> anyhow::Result<()> {
        self.update(|manifest| manifest.dashboard = Some(entry))
    }

    /// Notes into which groups the network is cut; `None`: it is whole.
    ///
    /// # Errors
    /// Where the directory cannot be written.
    pub fn record_partition(&self, groups: Option<Vec<Vec<usize>>>) -> anyhow::Result<()> {
        self.update(|manifest| manifest.partition = groups)
    }

    /// Ends a server of the dashboard that is a process of its own. Others end with theirs.
    ///
    /// # Errors
    /// Where it survives even SIGKILL.
    pub fn stop_dashboard(&self) -> anyhow::Result<()> {
        match self.manifest()?.dashboard {
            Some(entry) if entry.detached => entry.process.stop(STOP_PATIENCE),
            _ => Ok(()),
        }
    }

    /// How leaders choose their mode: those that are started after this.
    ///
    /// # Errors
    /// Where the manifest cannot be written.
    pub fn set_policy(&self, policy: Policy) -> anyhow::Result<()> {
        self.update(|manifest| manifest.policy = policy)
    }

    /// Changes the settings of every node for its next start.
    ///
    /// # Errors
    /// Where they cannot be read or written.
    pub fn configure(&self, change: impl Fn(&mut NodeConfig)) -> anyhow::Result<()> {
        for node in self.manifest()?.nodes {
            let (path, mut config) = self.settings(&node)?;
            change(&mut config);
            manifest::write_whole(&path, config.to_commented_toml().as_bytes())?;
        }
        Ok(())
    }

    /// Gives every node other ports: for files that are a copy of another testnet's.
    ///
    /// # Errors
    /// Where there are too few, or the settings cannot be written.
    pub fn change_ports(&self) -> anyhow::Result<()> {
        let nodes = self.manifest()?.nodes;
        let free = ports::free(2 * nodes.len())?;
        for (node, pair) in nodes.iter().zip(free.chunks_exact(2)) {
            let ports = Ports { p2p: pair[0], rpc: pair[1] };
            let (path, mut config) = self.settings(node)?;
            config.p2p.listen = genesis::network::listen_address(&ports);
            config.rpc.listen.set_port(ports.rpc);
            manifest::write_whole(&path, config.to_commented_toml().as_bytes())?;
            self.update(|manifest| {
                let node = &mut manifest.nodes[node.id];
                (node.p2p_port, node.rpc_port) = (ports.p2p, ports.rpc);
            })?;
        }
        Ok(())
    }

    /// Has a node of another testnet of the same chain take the place of this one's.
    ///
    /// # Errors
    /// Where there is no such node, or a directory is gone.
    pub fn adopt(&self, id: usize, other: &Self) -> anyhow::Result<()> {
        let node = other.node(id)?;
        let adopted = NodeEntry { home: other.home(&node), process: None, ..node };
        self.update(|manifest| manifest.nodes[id] = adopted)
    }

    /// The settings of a node, and where they are.
    fn settings(&self, node: &NodeEntry) -> anyhow::Result<(PathBuf, NodeConfig)> {
        let path = self.home(node).join("config.toml");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let config = NodeConfig::from_toml(&text)
            .with_context(|| format!("{} is damaged", path.display()))?;
        Ok((path, config))
    }

    /// Tells a node where all others are now, since nodes join and change their network keys, and
    /// how it chooses its mode.
    fn write_settings(&self, node: &NodeEntry) -> anyhow::Result<()> {
        let (path, mut config) = self.settings(node)?;
        let manifest = self.manifest()?;
        let peers = self.multiaddresses(&manifest.nodes, node.id)?;
        if config.p2p.peers == peers && config.consensus.policy == manifest.policy {
            return Ok(());
        }
        config.p2p.peers = peers;
        config.consensus.policy = manifest.policy;
        manifest::write_whole(&path, config.to_commented_toml().as_bytes())
    }

    /// Where peers reach the nodes but one, and by which network keys.
    fn multiaddresses(&self, nodes: &[NodeEntry], except: usize) -> anyhow::Result<Vec<String>> {
        let others = nodes.iter().filter(|node| node.id != except);
        others
            .map(|node| {
                let key = self.key(node, KeyKind::Network)?.public();
                let ports = Ports { p2p: node.p2p_port, rpc: node.rpc_port };
                let address = genesis::network::listen_address(&ports);
                Ok(format!("{address}/p2p/{}", peer_id(&key)))
            })
            .collect()
    }

    /// The key of a node that is in force now.
    ///
    /// # Errors
    /// Where its file is missing or damaged.
    pub fn key(&self, node: &NodeEntry, kind: KeyKind) -> anyhow::Result<Keypair> {
        Ok(keyfile::read(&Home::new(self.home(node)).key_path(kind))?)
    }

    /// Makes the key that is to follow the present one. The node takes it up once the chain names it.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn stage_key(&self, node: &NodeEntry, kind: KeyKind) -> anyhow::Result<PublicKey> {
        let path = Home::new(self.home(node)).next_key_path(kind);
        // One that was refused waits for another try.
        if !path.exists() {
            keyfile::write(&path, &keyfile::generate()?)?;
        }
        Ok(keyfile::read(&path)?.public())
    }

    /// Starts a validator that does not run.
    ///
    /// # Errors
    /// Where it runs already or cannot be started.
    pub fn start(&self, id: usize) -> anyhow::Result<()> {
        let node = self.node(id)?;
        if node.is_alive() {
            bail!("validator {id} runs already");
        }
        self.write_settings(&node)?;
        if self.disk.is_some() {
            disk::prepare(&self.home(&node))?;
        }
        let program = self.programs.get(&id);
        let started = Launch {
            binary: program.and_then(|program| program.binary.as_deref()).unwrap_or(&self.binary),
            cores: program.and_then(|program| program.cores.as_deref()),
            home: &self.home(&node),
            log: &self.log(&node),
            lifeline: self.lifeline,
            disk: self.disk.as_deref(),
        }
        .start()?;
        let process = started.id;
        if self.lifeline {
            let mut lifelines = self.lifelines.lock().unwrap_or_else(PoisonError::into_inner);
            lifelines.retain(|lifeline| lifeline.id.is_alive());
            lifelines.push(started);
        }
        self.update(|manifest| manifest.nodes[id].process = Some(process))
    }

    /// Starts every validator that does not run.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_all(&self) -> anyhow::Result<()> {
        for node in self.manifest()?.nodes {
            if !node.is_alive() {
                self.start(node.id)?;
            }
        }
        Ok(())
    }

    /// Ends a validator with SIGKILL.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn kill(&self, id: usize) -> anyhow::Result<()> {
        self.running(id)?.kill()
    }

    /// Sends a signal to a validator.
    ///
    /// # Errors
    /// Where it does not run.
    pub fn signal(&self, id: usize, signal: Signal) -> anyhow::Result<()> {
        if !self.running(id)?.signal(signal) {
            bail!("validator {id} ended just now");
        }
        Ok(())
    }

    /// The process of a validator that runs.
    ///
    /// # Errors
    /// Where it does not.
    pub fn running(&self, id: usize) -> anyhow::Result<ProcessId> {
        match self.node(id)?.process.filter(|process| process.is_alive()) {
            Some(process) => Ok(process),
            None => bail!("validator {id} does not run: start it with `testnet restart {id}`"),
        }
    }

    /// Ends one validator in good order.
    ///
    /// # Errors
    /// Where it survives even SIGKILL.
    pub fn stop(&self, id: usize) -> anyhow::Result<()> {
        self.running(id)?.stop(STOP_PATIENCE)
    }

    /// Ends every validator, all at once.
    ///
    /// # Errors
    /// Where one survives even SIGKILL.
    pub fn stop_all(&self) -> anyhow::Result<()> {
        let processes = self.processes()?;
        for process in &processes {
            process.signal(Signal::SIGTERM);
        }
        processes.iter().try_for_each(|process| process.stop(STOP_PATIENCE))
    }

    /// The processes of the validators that run.
    ///
    /// # Errors
    /// Where the directory is gone.
    pub fn processes(&self) -> anyhow::Result<Vec<ProcessId>> {
        let nodes = self.manifest()?.nodes;
        Ok(nodes.iter().filter_map(|node| node.process).filter(|id| id.is_alive()).collect())
    }

    /// Changes the manifest while no other command does.
    fn update(&self, change: impl FnOnce(&mut Manifest)) -> anyhow::Result<()> {
        let lock = File::create(self.dir.join("testnet.lock"))?;
        lock.lock()?;
        let mut manifest = self.manifest()?;
        change(&mut manifest);
        manifest.save(&self.dir)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.attached {
            // All that can still be said goes to the log files; the lifelines catch the rest.
            let _ = self.stop_all();
        }
    }
}
