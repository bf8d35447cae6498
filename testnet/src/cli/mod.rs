//! The command line.

pub mod checks;

use std::path::PathBuf;

use chain::governance::KeyKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use consensus::policy::Policy;
use consensus::registry::EngineName;

use crate::byzantine::control::{Behaviour, MAX_DELAY_MS};
use crate::load::Rate;
use crate::simulate::args;
use checks::{Abuse, Churn, Determinism, Flood, Liars, Linearize, Network, Own, Reopen, Soak};

/// Runs a Catamaran network of real node processes on this machine, breaks it on purpose and
/// measures it.
#[derive(Debug, Parser)]
#[command(name = "testnet", version, about, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  testnet up                       four validators, until Ctrl-C
  testnet up --detach && testnet status
  testnet load --rate 100 --duration 10
  testnet kill 2 && testnet restart 2
  testnet partition 0,1/2,3 && testnet heal
  testnet byzantine 0 equivocate
  testnet join && testnet leave 4
  testnet down
  testnet dashboard --rpc http://127.0.0.1:26657   any network in the browser
  testnet demo                     the whole story, checked
  testnet simulate --seeds 100     a hundred deterministic runs of the engine alone

Exit codes: 0 done and everything held, 1 it failed or something did not hold, 2 wrong arguments.";

/// The protocol of a new network.
#[derive(Args, Clone, Copy, Debug)]
pub struct EngineChoice {
    #[arg(long, help = format!(
        "The consensus protocol of a new network: {} [default: hybrid]",
        EngineName::list()
    ))]
    pub engine: Option<EngineName>,
}

impl EngineChoice {
    /// What was chosen, or the default.
    pub fn get(self) -> EngineName {
        self.engine.unwrap_or(EngineName::Hybrid)
    }
}

/// Which testnet a command is about.
#[derive(Args, Clone, Debug)]
pub struct Target {
    /// The testnet's directory [default: the last one started]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a network, or resume the one in DIR
    #[command(after_help = "\
Examples:
  testnet up                                   four validators, until Ctrl-C
  testnet up --validators 7 --dir /tmp/seven --detach
  testnet up --engine raft --dir /tmp/raft     another protocol: a network of its own
  testnet up --policy static-pbft --dir /tmp/p every block to everyone, for comparison
  testnet up                                   again: resumes the same chain")]
    Up(Up),
    /// Stop every validator of a network
    Down(Target),
    /// Show a network in the browser
    #[command(after_help = "\
`testnet up` starts this by itself. With --rpc any network is shown, and nothing can be broken.

Examples:
  testnet dashboard                                 the testnet started last
  testnet dashboard --rpc http://127.0.0.1:26657 --rpc http://127.0.0.1:26757 --genesis genesis.json")]
    Dashboard(Dashboard),
    /// Show every validator: role, mode, view, height
    Status {
        #[command(flatten)]
        target: Target,
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// End a validator with SIGKILL
    Kill(OnNode),
    /// Start a validator that was killed, or end and start one that runs
    Restart(OnNode),
    /// Stop a validator's process with SIGSTOP
    Pause(OnNode),
    /// Let a paused validator continue
    Resume(OnNode),
    /// Cut the network into groups that cannot talk to each other
    #[command(after_help = "\
Examples:
  testnet partition 0,1/2,3       two halves: neither can go on
  testnet partition 0/1,2,3       one alone

Each node refuses its peers of other groups by its own filter. A node that is restarted forgets
the partition; validators that are not named form a group of their own.")]
    Partition {
        #[command(flatten)]
        target: Target,
        /// Validators, separated by commas; groups separated by slashes
        groups: String,
    },
    /// End a partition, and every delay
    Heal(Target),
    /// Delay every consensus message that a validator sends
    Delay {
        #[command(flatten)]
        on: OnNode,
        /// Milliseconds; 0 ends it
        #[arg(value_parser = clap::value_parser!(u64).range(..=MAX_DELAY_MS))]
        ms: u64,
    },
    /// Make a validator Byzantine while it runs
    #[command(after_help = "\
Behaviours:
  equivocate         as leader: propose two blocks at one height, one to some, one to the rest
  withhold           as leader: keep the certificates of its blocks to itself, where there are any
  silent             send nothing
  delay              send everything half a second late
  invalid-block      as leader: propose blocks with a false state root
  double-vote        vote for two blocks at one height
  lying-view-change  deny in a view change what it voted for
  censor             as leader: leave the transactions of one account out of its blocks
  flood              send everything many times over, with junk between
  off                be correct again

Engines that tolerate crashes alone promise nothing against a liar: there it may undo final blocks.

A behaviour of leaders waits for its turn: where the validator does not lead, others are silenced
for a moment until it does.

Example:
  testnet byzantine 0 equivocate")]
    Byzantine {
        #[command(flatten)]
        on: OnNode,
        #[arg(value_name = "BEHAVIOUR")]
        behaviour: Behaviour,
    },
    /// Add a validator: a fresh node that follows the chain, is approved, and votes
    #[command(after_help = "\
Makes a node with new keys, starts it, waits until it is at the tip, has a quorum of the validators
approve it, and waits for its first vote. With ID, a node that observes is admitted again.

Examples:
  testnet join
  testnet join 4 --json")]
    Join {
        #[command(flatten)]
        target: Target,
        /// A node that observes [default: a new one]
        id: Option<usize>,
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Retire a validator: it goes on as an observer
    #[command(after_help = "\
The other validators approve. A set without slack is refused with the reason.

Examples:
  testnet leave 4
  testnet leave 4 --stop")]
    Leave {
        #[command(flatten)]
        on: OnNode,
        /// End its process afterwards
        #[arg(long)]
        stop: bool,
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Give a validator a new key
    #[command(after_help = "\
Example:
  testnet rotate 2 --kind network")]
    Rotate {
        #[command(flatten)]
        on: OnNode,
        /// Which of its keys: consensus, network or governance
        #[arg(long, default_value = "consensus", value_parser = key_kind)]
        kind: KeyKind,
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Have a validator lead no more: its votes still count
    Jail {
        #[command(flatten)]
        on: OnNode,
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Let a jailed validator lead again
    Pardon {
        #[command(flatten)]
        on: OnNode,
        /// One JSON object on stdout
        #[arg(long)]
        json: bool,
    },
    /// Change the set of validators again and again under load, and check that nothing is lost
    #[command(after_help = "\
Validators join, leave, change keys, are jailed and pardoned, one change after the other, while
transactions are submitted; in some changes a validator is killed and started again. The same seed
plans the same changes.

Example:
  testnet churn --changes 20 --seed 7 --json")]
    Churn(Churn),
    /// Submit transactions and measure throughput and latency
    #[command(after_help = "\
Examples:
  testnet load --rate 100 --duration 10         latency of single transactions
  testnet load --rate max --duration 20 --json  the highest rate with p99 below one second

`verify_bound_tps` is what this machine could do if validators did nothing but check signatures:
cores / (validators x time per signature in a batch of 1024), measured before and after the run.")]
    Load(Load),
    /// Play the whole story on a network of its own and check every step
    #[command(after_help = "\
Transactions become final; the leader equivocates, is caught and jailed; the network goes from fast
to pbft and back; validators die and return; nothing final is lost. Exit code 0 only if all held.")]
    Demo {
        #[command(flatten)]
        engine: EngineChoice,
        /// Keep the network's files here [default: a temporary directory, removed on success]
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
        /// One JSON object on stdout, the story on stderr
        #[arg(long)]
        json: bool,
    },
    /// Break validators, disks and clocks under load, and check that nothing final is lost
    #[command(after_help = "\
Each round breaks one thing under load and mends it again; in the end every promise that any
validator ever made is compared, and every final block. Rounds of different kinds come one kind
after the other; the same seed plans the same rounds. docs/faults.md says what each kind does.

Examples:
  testnet soak --kills 100 --seed 7 --json
  testnet soak --crashes 26 --pauses 10
  testnet soak --power-cuts 50 --sync-errors 10 --clock-changes 6")]
    Soak(Soak),
    /// Do what strangers may do to the ports of running nodes, and check that honest clients go on
    #[command(after_help = "\
A network of its own gets malformed requests, slow sockets, identities of no member and of another chain,
and garbage at its ports, one after the other, under load. No node may crash or grow by more than 64 MiB;
every honest transaction becomes final, no honest call fails, and slow sockets at most double the p99 of
honest calls.")]
    Abuse(Abuse),
    /// Check that clients see one history, whatever happens to the nodes
    #[command(after_help = "\
Clients read, write and compare-and-swap a few keys through different nodes, while nodes are killed,
paused and cut off. Every call is recorded with when it was asked and answered; a call that was never
answered may have happened at any time, or never. Each history must be possible with one call at a
time. A last history with reads that may be old shows that the check notices them.

Example:
  testnet linearize --histories 50 --operations 2000 --json")]
    Linearize(Linearize),
    /// Have validators lie under load in every way, and check what is left for the others
    #[command(after_help = "\
First everybody is honest; then the leader, or the leader and the one after it, misbehave in one way (or
pair of ways) after the other. What becomes final per second is compared with the honest beginning. No two
blocks may be final at one height; who signs two things must be found out, and nobody else ever.

Examples:
  testnet liars --seconds 60
  testnet liars --liars 2 --seconds 60 --behaviours silent,equivocate,flood,delay
  testnet liars --one-too-many --behaviours silent     must fail: more liars than the set bears")]
    Liars(Liars),
    /// Cut and spoil the links between validators in many shapes under load
    #[command(after_help = "\
Shapes: halves, leader, follower (one alone), ring, star, partial (one link), deaf-leader, deaf-follower
(heard, hears nobody), slow, lossy, narrow, flapping. A minority must make nothing final; a quorum that hears each
other must go on; the network must be well within three view timeouts of its own.

Examples:
  testnet network --seconds 10
  testnet network --shapes halves --leaky      must fail: the cut cuts nothing")]
    Network(Network),
    /// Have validators of two builds execute odd transactions, and fresh nodes execute all of them again
    #[command(after_help = "\
Every block carries the state root: a validator that executes it otherwise refuses it. Two validators have
one processor each; hash seeds differ from process to process.

Example:
  testnet determinism --transactions 1000000 --other target/release/testnet-validator")]
    Determinism(Determinism),
    /// Make a long chain, and time how soon validators vote again after a start
    Reopen(Reopen),
    /// Hand in ten times what a network can take, half of it forged, and check that it hardly notices
    #[command(after_help = "\
First blocks are made small, so that the chain and not this machine is the limit, and saturation is measured.
Then greedy accounts hand in five times that, and as many transactions come in the name of others with
signatures that do not match. At least 80 % of saturation must be left, no leader be replaced, and accounts
that ask for little must get it.")]
    Flood(Flood),
    /// Fork a chain with more liars than it bears, and prove who did it
    #[command(after_help = "\
Two of four validators run twice, once beside each of the other two. Both halves go on; then the honest two
meet, and must not crash. `node inspect --against` proves the fork from their disks, and names the liars.")]
    Fork(Own),
    /// Run an engine in the deterministic simulator: no sockets, no real time
    #[command(after_help = args::EXAMPLES)]
    Simulate(args::Simulate),
    /// List the scenarios that `simulate` knows
    Scenarios(args::Scenarios),
}

#[derive(Args, Debug)]
pub struct Up {
    /// How many validators
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=32))]
    pub validators: u16,
    #[command(flatten)]
    pub engine: EngineChoice,
    /// How leaders choose their mode, in an engine that has two: adaptive, static-fast or
    /// static-pbft [default: adaptive, or as before]
    #[arg(long)]
    pub policy: Option<Policy>,
    /// Where the network's files are, or are to be [default: ~/.catamaran/testnet]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Return once the network makes blocks, and leave it running
    #[arg(long)]
    pub detach: bool,
    /// How many funded developer accounts
    #[arg(long, default_value_t = crate::cluster::DEFAULT_ACCOUNTS,
          value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub accounts: u32,
}

#[derive(Args, Debug)]
pub struct Dashboard {
    #[command(flatten)]
    pub target: Target,
    /// A node to show, by the address of its JSON-RPC; several times for several nodes
    #[arg(long, value_name = "URL", conflicts_with = "dir")]
    pub rpc: Vec<String>,
    /// Genesis of that network, to check proofs against
    #[arg(long, value_name = "FILE", requires = "rpc")]
    pub genesis: Option<PathBuf>,
    /// Where to serve, on loopback [default: any that is free]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// End with the testnet: how `up --detach` starts this
    #[arg(long, hide = true, conflicts_with = "rpc")]
    pub detached: bool,
}

#[derive(Args, Debug)]
pub struct OnNode {
    #[command(flatten)]
    pub target: Target,
    /// The validator's number
    pub id: usize,
}

fn key_kind(text: &str) -> Result<KeyKind, String> {
    match text {
        "consensus" => Ok(KeyKind::Consensus),
        "network" => Ok(KeyKind::Network),
        "governance" => Ok(KeyKind::Governance),
        _ => Err("expected consensus, network or governance".into()),
    }
}

#[derive(Args, Debug)]
pub struct Load {
    #[command(flatten)]
    pub target: Target,
    /// Transactions per second, or `max`: as many as become final within a second
    #[arg(long, default_value = "100")]
    pub rate: Rate,
    /// Seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub duration: u64,
    /// What the transactions do
    #[arg(long, value_enum, default_value_t = PayloadKind::Transfer)]
    pub payload: PayloadKind,
    /// Accounts that send
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub senders: u32,
    /// One JSON object on stdout
    #[arg(long)]
    pub json: bool,
}

/// What load transactions do. Transfers and writes have 200 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PayloadKind {
    /// One unit to another account
    Transfer,
    /// Write a key of the sender
    Put,
    /// Every kind of transaction, odd ones among them; of many sizes
    Mixed,
}
