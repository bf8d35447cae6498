//! The command line.

mod govern;
mod kv;

use std::path::PathBuf;
use std::time::Duration;

use chain::types::{Address, Amount, Digest};
use clap::{Args, Parser, Subcommand, ValueEnum};
use node_api::block::{BlockRef, BlockStatus};
use node_api::tx::Wait;

pub(crate) use self::govern::{CandidateArgs, GovernCommand, ProposeCommand, parameter};
pub(crate) use self::kv::{AccessRule, Form, KvCommand, KvWatch, NamespaceCommand};
use crate::keystore::KeyName;

/// Keys and transactions of a Catamaran chain.
///
/// Exit codes: 0 done, 1 refused by the chain, 2 bad arguments, 3 cannot reach a node, 4 timed out.
/// Passwords come from a prompt, --password-file or the variable WALLET_PASSWORD.
#[derive(Debug, Parser)]
#[command(name = "wallet-cli", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  wallet-cli key new alice
  wallet-cli send --to cat1… --amount 2500
  wallet-cli kv put colour blue && wallet-cli kv get colour
  wallet-cli tx wait HASH --timeout 10
  wallet-cli balance --verify --genesis genesis.json
  wallet-cli status --json
  wallet-cli watch --count 5";

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Node to talk to [default: one of the testnet started last, else http://127.0.0.1:26657].
    #[arg(long, global = true, env = "WALLET_RPC", value_name = "URL", value_parser = rpc_url)]
    pub(crate) rpc: Option<String>,
    /// File whose first line is the token that the node wants to see.
    #[arg(long, global = true, env = "WALLET_RPC_TOKEN_FILE", value_name = "FILE")]
    pub(crate) rpc_token_file: Option<PathBuf>,
    /// One JSON object on stdout instead of text; one per line for streams.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Key to use [default: the only one there is].
    // Named apart from the keys of `kv`: arguments share one table of names.
    #[arg(id = "key_name", long = "key", global = true, value_name = "NAME")]
    pub(crate) key: Option<KeyName>,
    /// UNSAFE: use the unencrypted key in this file, like an account of a local testnet.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "key_name")]
    pub(crate) key_file: Option<PathBuf>,
    /// Account to act for, where it is not the key's own: after a rotation of its key [default:
    /// the one that the key remembers].
    // Named apart from the accounts of commands.
    #[arg(id = "acting_account", long = "account", global = true, value_name = "ADDR")]
    pub(crate) account: Option<Address>,
    /// File whose first line is the password of the key.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Directory of the wallet [default: ~/.catamaran]; keys are in keys/ below it.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Believe nothing that the node cannot prove. Needs --genesis.
    #[arg(long, global = true)]
    pub(crate) verify: bool,
    /// Genesis file of the chain, from a source that you trust.
    #[arg(long, global = true, env = "WALLET_GENESIS", value_name = "FILE")]
    pub(crate) genesis: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create, import, export and list keys.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Look at an account.
    #[command(subcommand)]
    Account(AccountCommand),
    /// What an account owns [default: that of the key].
    Balance {
        /// Account to ask for, like cat1…
        address: Option<Address>,
    },
    /// Send an amount to an address.
    Send(Send),
    /// Read and write the key-value store.
    #[command(subcommand)]
    Kv(KvCommand),
    /// Follow a transaction.
    #[command(subcommand)]
    Tx(TxCommand),
    /// Change the validators, the rules and the roles of the chain, together with the others.
    #[command(subcommand)]
    Govern(GovernCommand),
    /// Proofs that convince anyone who has the genesis file.
    #[command(subcommand)]
    Proof(ProofCommand),
    /// The validators, and which of them leads.
    Validators,
    /// Look at a block.
    #[command(subcommand)]
    Block(BlockCommand),
    /// Where the chain stands: height, leader, mode and why.
    Status,
    /// Show blocks as they come, until interrupted.
    Watch(Watch),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Create a key. Shows the words that restore it, once.
    New {
        /// What the key is to be called: letters, digits, - and _
        name: KeyName,
        /// Write the words to a new file, readable by its owner only, instead of showing them.
        #[arg(long, value_name = "FILE")]
        mnemonic_file: Option<PathBuf>,
    },
    /// Take in a key: from its words (prompt or stdin), or from an unencrypted key file.
    Import {
        /// What the key is to be called: letters, digits, - and _
        name: KeyName,
        /// Unencrypted key file to take the key from instead of words.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Which key of the words: N in the derivation path m/44'/1'/N'.
        #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "file")]
        index: u32,
    },
    /// UNSAFE: write a key unencrypted into a new file, readable by its owner only.
    Export {
        /// Key to write
        name: KeyName,
        /// The new file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Give the account of --key another key: the old one can sign nothing any more.
    ///
    /// The new key is stored, and its words are shown, before anything is sent. Once the change is
    /// final it takes the name of the old one, whose file is kept aside. Interrupted, the command goes
    /// on where it was when it is given again.
    Rotate(Rotate),
    /// Names and addresses of all keys.
    List,
    /// Address and public key of one key [default: that of --key].
    Show {
        /// Key to show
        name: Option<KeyName>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// Name of the new key, if it is not to take the old one's.
    #[arg(long, value_name = "NAME")]
    pub(crate) new: Option<KeyName>,
    /// Write the words to a new file, readable by its owner only, instead of showing them.
    #[arg(long, value_name = "FILE")]
    pub(crate) mnemonic_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sending: Sending,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Balance, nonce, signing key and roles of an account [default: that of the key].
    Show {
        /// Account to show, like cat1…
        address: Option<Address>,
    },
}

/// What a sender may decide about every transaction.
#[derive(Clone, Debug, Args)]
pub(crate) struct Sending {
    /// What to wait for.
    #[arg(long, value_enum, default_value_t = WaitFor::Final)]
    pub(crate) wait: WaitFor,
    /// How long to wait, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds,
          allow_negative_numbers = true)]
    pub(crate) timeout: Duration,
    /// Number of the sender's earlier transactions [default: asked from the node].
    #[arg(long)]
    pub(crate) nonce: Option<u64>,
    /// Blocks after which the transaction can no longer take effect; nodes take up to 100000.
    #[arg(long, value_name = "BLOCKS", default_value_t = 1000)]
    pub(crate) expires_after: u64,
    /// Do not ask for confirmation on a terminal.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// Recipient, like cat1…
    #[arg(long, value_name = "ADDR")]
    pub(crate) to: Address,
    /// In the smallest unit.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) amount: Amount,
    /// Text that goes with it, for all to read.
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(crate) memo: String,
    #[command(flatten)]
    pub(crate) sending: Sending,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TxCommand {
    /// What became of a transaction.
    Status {
        /// Hash of the transaction
        hash: Digest,
    },
    /// Wait until a transaction is final.
    Wait {
        /// Hash of the transaction
        hash: Digest,
        /// What to wait for.
        #[arg(long = "for", value_enum, default_value_t = Until::Final)]
        until: Until,
        /// How long to wait, in seconds.
        #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds,
              allow_negative_numbers = true)]
        timeout: Duration,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProofCommand {
    /// Get a proof from a node: one file that needs nothing else but the genesis to be checked.
    #[command(
        subcommand,
        after_help = "\
Examples:
  wallet-cli proof get tx HASH --out receipt.json
  wallet-cli proof get account cat1…
  wallet-cli proof get key colour"
    )]
    Get(ProofSubject),
    /// Check a proof file, without any node, and say what it proves.
    ///
    /// Exit code 0: it proves what the sentence says. 1: it proves nothing, and the line says why.
    Verify {
        /// The proof file
        file: PathBuf,
    },
}

/// What is to be proven.
#[derive(Debug, Subcommand)]
pub(crate) enum ProofSubject {
    /// A transaction is final, with its receipt.
    Tx {
        /// Hash of the transaction
        hash: Digest,
        #[command(flatten)]
        target: ProofTarget,
    },
    /// What an account owns, or that it was never used.
    Account {
        /// Account, like cat1…
        address: Address,
        #[command(flatten)]
        target: ProofTarget,
    },
    /// What a key of the key-value store holds, or that it does not exist.
    Key {
        /// Key of the store
        key: String,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        target: ProofTarget,
    },
    /// Who the validators of an epoch are.
    Validators {
        /// The epoch
        epoch: u64,
        #[command(flatten)]
        target: ProofTarget,
    },
    /// A validator equivocated.
    Evidence {
        /// Hash of the evidence
        hash: Digest,
        #[command(flatten)]
        target: ProofTarget,
    },
}

/// Where a proof goes.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProofTarget {
    /// New file for the proof [default: stdout].
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BlockCommand {
    /// One block: a height, `latest` or a hash.
    Show {
        /// Height, `latest` or hash
        block: BlockRef,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Watch {
    /// Show blocks once they are this safe.
    #[arg(long, value_enum, default_value_t = Until::Final)]
    pub(crate) status: Until,
    /// Stop after this many blocks.
    #[arg(long, value_name = "BLOCKS")]
    pub(crate) count: Option<u64>,
}

/// What `send` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WaitFor {
    /// Nothing: return once a node has taken it.
    None,
    /// In a block that survives crashes.
    Ordered,
    /// In a block that survives Byzantine validators, for ever.
    Final,
}

impl WaitFor {
    pub(crate) const fn until(self) -> Option<Until> {
        match self {
            Self::None => None,
            Self::Ordered => Some(Until::Ordered),
            Self::Final => Some(Until::Final),
        }
    }
}

/// How safe a block must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Until {
    /// Survives crashes.
    Ordered,
    /// Survives Byzantine validators, for ever.
    Final,
}

impl From<Until> for Wait {
    fn from(until: Until) -> Self {
        match until {
            Until::Ordered => Self::Ordered,
            Until::Final => Self::Final,
        }
    }
}

impl From<Until> for BlockStatus {
    fn from(until: Until) -> Self {
        match until {
            Until::Ordered => Self::Ordered,
            Until::Final => Self::Final,
        }
    }
}

fn rpc_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        Some(host) if !host.is_empty() && !host.starts_with('/') => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => Err("expected an address like http://127.0.0.1:26657".to_owned()),
    }
}

/// The longest time to wait for anything.
const MAX_SECONDS: f64 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= MAX_SECONDS => {
            Ok(Duration::from_secs_f64(seconds))
        }
        _ => Err(format!("expected seconds above 0, at most {MAX_SECONDS}")),
    }
}
