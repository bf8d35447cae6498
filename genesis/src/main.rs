//! `genesis`: makes, checks and hashes the genesis of a chain.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use chain::access::AccessMode;
use chain::types::Amount;
use clap::{Args, Parser, Subcommand};
use consensus::registry::EngineName;
use genesis::deploy;
use genesis::network::{self, DerivedAccounts, Network, Plan};
use genesis::spec::{ConsensusParameters, Genesis, Limits};
use genesis::tolerance::Tolerance;

/// Makes and checks the birth certificate of a Catamaran chain.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Arguments {
    /// One JSON object on stdout instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  genesis new --validators 4 --out net     homes and a genesis for four validators
  genesis check net/genesis.json           every fault by name, and what the chain tolerates
  genesis hash net/genesis.json            the id of the chain, to compare with the others
  genesis deploy net/genesis.json --hosts 10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4 --out deploy

Exit codes: 0 done, 1 it failed or the file cannot start a chain, 2 wrong arguments.";

#[derive(Subcommand)]
enum Command {
    /// Make a network: a genesis, and one home with keys and settings per node.
    New(New),
    /// Check a genesis file and say what its chain tolerates.
    Check {
        /// The genesis file
        file: PathBuf,
    },
    /// Write what runs the validators on several machines: systemd units, a container file with compose
    /// files, a Kubernetes manifest. No keys are in it.
    Deploy {
        /// The genesis file
        file: PathBuf,
        /// Address or DNS name of each validator's machine, in the order of the genesis.
        #[arg(long, value_delimiter = ',', required = true, value_name = "HOST,…")]
        hosts: Vec<String>,
        /// Directory to write to.
        #[arg(long)]
        out: PathBuf,
    },
    /// Print the hash of a genesis: the id of its chain.
    Hash {
        /// The genesis file
        file: PathBuf,
    },
}

#[derive(Args)]
struct New {
    /// Number of validators.
    #[arg(long, default_value_t = 4)]
    validators: u16,
    /// Directory to make it in: empty, or not there yet.
    #[arg(long)]
    out: PathBuf,
    /// Name of the chain.
    #[arg(long, default_value = "catamaran-local")]
    chain: String,
    #[arg(long, default_value_t = EngineName::Hybrid,
          help = format!("The protocol that orders blocks: {}", EngineName::list()))]
    engine: EngineName,
    /// Who may submit and connect: open (everybody) or members (whom governance gave a role; the
    /// funded accounts have it).
    #[arg(long, default_value = "open")]
    access: AccessMode,
    /// Byzantine validators to tolerate [default: as many as possible: (validators - 1) / 3, and
    /// none under an engine that tolerates crashes alone].
    #[arg(long)]
    max_faulty: Option<u16>,
    /// First port for peers; every node takes one 10 above the last [default: from 26656, free
    /// ones].
    #[arg(long)]
    p2p_port_base: Option<u16>,
    /// First port for clients; every node takes one 10 above the last [default: from 26657, free
    /// ones].
    #[arg(long)]
    rpc_port_base: Option<u16>,
    /// Funded accounts with an unencrypted key file each.
    #[arg(long, default_value_t = 3)]
    accounts: u32,
    /// What each funded account owns, in the smallest unit.
    #[arg(long, default_value = "1000000000")]
    balance: Amount,
    /// Phrase from which further funded accounts are derived, for load tests. Not a secret.
    #[arg(long)]
    dev_seed: Option<String>,
    /// Number of accounts derived from --dev-seed.
    #[arg(long, requires = "dev_seed", default_value_t = 1000)]
    dev_accounts: u32,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.command {
        Command::New(new) => make(new, arguments.json),
        Command::Check { file } => check(file, arguments.json),
        Command::Deploy { file, hosts, out } => deploy(file, hosts, out, arguments.json),
        Command::Hash { file } => hash(file, arguments.json),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if arguments.json {
                println!("{}", serde_json::json!({ "error": format!("{error:#}") }));
            } else {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}

fn make(new: &New, json: bool) -> Result<()> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?;
    let ports = match (new.p2p_port_base, new.rpc_port_base) {
        (None, None) => network::free_ports(new.validators)?,
        (p2p, rpc) => network::ports_from(
            p2p.unwrap_or(network::DEFAULT_P2P_PORT),
            rpc.unwrap_or(network::DEFAULT_RPC_PORT),
            new.validators,
        )?,
    };
    let plan = Plan {
        chain: new.chain.clone(),
        engine: new.engine,
        time_ms: u64::try_from(since.as_millis()).context("the clock is far in the future")?,
        consensus: ConsensusParameters { max_faulty: new.max_faulty, ..Default::default() },
        limits: Limits::default(),
        access: new.access,
        ports,
        accounts: new.accounts,
        derived: new
            .dev_seed
            .clone()
            .map(|dev_seed| DerivedAccounts { dev_seed, count: new.dev_accounts }),
        balance: new.balance,
    };
    let network = network::create(&plan, &new.out)?;
    if json {
        println!("{}", serde_json::to_string(&network)?);
    } else {
        print_network(&network);
    }
    Ok(())
}

fn print_network(network: &Network) {
    println!("chain {}, id {}", network.genesis.chain, network.chain_id);
    for node in &network.nodes {
        println!(
            "{}: peers on port {}, clients on port {}, home {}",
            node.name,
            node.ports.p2p,
            node.ports.rpc,
            node.home.display()
        );
    }
    for account in &network.accounts {
        println!(
            "account {} funded, UNSAFE key in {}",
            account.address,
            account.key_file.display()
        );
    }
    if let Some(derived) = &network.derived {
        println!("{} accounts derived from a phrase funded", derived.count);
    }
    for sentence in tolerance(&network.genesis).explanation {
        println!("{sentence}");
    }
    println!("Start each with: node run --home HOME");
}

fn tolerance(genesis: &Genesis) -> Tolerance {
    Tolerance::of(genesis.engine, &genesis.validator_set().quorums())
}

fn valid(file: &Path) -> Result<Genesis> {
    let genesis = Genesis::read(file).with_context(|| file.display().to_string())?;
    if let Err(problems) = genesis.validate() {
        bail!("{} cannot start a chain:\n{problems}", file.display());
    }
    Ok(genesis)
}

fn check(file: &Path, json: bool) -> Result<()> {
    let genesis = valid(file)?;
    let tolerance = tolerance(&genesis);
    if json {
        let report = serde_json::json!({
            "chain": genesis.chain,
            "chain_id": genesis.hash(),
            "engine": genesis.engine,
            "accounts": genesis.balances.len(),
            "tolerance": tolerance,
        });
        println!("{report}");
        return Ok(());
    }
    println!("{}: good", file.display());
    println!("chain {}, id {}", genesis.chain, genesis.hash());
    println!("engine {}, {} funded accounts", genesis.engine, genesis.balances.len());
    for sentence in tolerance.explanation {
        println!("{sentence}");
    }
    Ok(())
}

fn deploy(file: &Path, hosts: &[String], out: &Path, json: bool) -> Result<()> {
    let genesis = valid(file)?;
    let machines = deploy::machines(&genesis, hosts)?;
    let files = deploy::files(&genesis, &machines);
    deploy::write(&files, out)?;
    if json {
        let paths: Vec<_> = files.iter().map(|(path, _)| path).collect();
        println!("{}", serde_json::json!({ "machines": machines, "files": paths }));
        return Ok(());
    }
    for (path, _) in &files {
        println!("{}", out.join(path).display());
    }
    println!("Read {} first. The keys stay where they are.", out.join("README.md").display());
    Ok(())
}

fn hash(file: &Path, json: bool) -> Result<()> {
    let hash = Genesis::read(file).with_context(|| file.display().to_string())?.hash();
    if json {
        println!("{}", serde_json::json!({ "hash": hash }));
    } else {
        println!("{hash}");
    }
    Ok(())
}
