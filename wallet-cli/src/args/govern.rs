//! The part of the command line that changes the chain's rules and its validators.

use std::path::PathBuf;

use chain::access::{AccessMode, Role};
use chain::crypto::PublicKey;
use chain::governance::{KeyKind, Parameter};
use chain::types::Address;
use clap::{Args, Subcommand, ValueEnum};

use super::Sending;
use crate::validators::ValidatorRef;

#[derive(Debug, Subcommand)]
pub(crate) enum GovernCommand {
    /// Put a change up for approval, and approve it.
    ///
    /// Signed by a validator's governance key: --key, or --key-file with the file of its node's
    /// home. A quorum of the current validators passes a change. A validator has at most one open
    /// proposal of its own.
    #[command(subcommand)]
    Propose(ProposeCommand),
    /// Approve a proposal with a validator's governance key.
    Approve {
        /// Number of the proposal
        id: u64,
        #[command(flatten)]
        sending: Sending,
    },
    /// Take back a proposal, as the validator that made it.
    Withdraw {
        /// Number of the proposal
        id: u64,
        #[command(flatten)]
        sending: Sending,
    },
    /// The proposals that wait, newest first.
    List {
        /// Closed ones too.
        #[arg(long)]
        all: bool,
    },
    /// One proposal: who approved it, and what it waits for.
    Show {
        /// Number of the proposal
        id: u64,
    },
    /// The rules that governance may change, and how many validators it takes.
    Parameters,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProposeCommand {
    /// Admit a validator. It joins once a quorum approved and its node is at the tip.
    AddValidator {
        #[command(flatten)]
        candidate: CandidateArgs,
        #[command(flatten)]
        sending: Sending,
    },
    /// Retire a validator. Its node goes on as an observer.
    RemoveValidator {
        /// Index, name or consensus key of the validator
        validator: ValidatorRef,
        #[command(flatten)]
        sending: Sending,
    },
    /// Give a validator another key. `node keys rotate` makes it.
    RotateKey {
        /// Index, name or consensus key of the validator
        validator: ValidatorRef,
        /// Which of its keys.
        #[arg(long, value_enum)]
        kind: Kind,
        /// The new public key.
        #[arg(long, value_name = "KEY")]
        new_key: PublicKey,
        #[command(flatten)]
        sending: Sending,
    },
    /// Let a validator lead no more; its votes still count.
    Jail {
        /// Index, name or consensus key of the validator
        validator: ValidatorRef,
        #[command(flatten)]
        sending: Sending,
    },
    /// Let a jailed validator lead again.
    Pardon {
        /// Index, name or consensus key of the validator
        validator: ValidatorRef,
        #[command(flatten)]
        sending: Sending,
    },
    /// Change a rule of the chain: access, proposal_lifetime, block_transactions or block_bytes.
    SetParameter {
        /// Name of the rule
        name: String,
        /// What it is to be
        value: String,
        #[command(flatten)]
        sending: Sending,
    },
    /// Give an account a role: member (may submit), observer (its node may connect) or reader.
    Grant {
        /// Account, like cat1…
        account: Address,
        /// member, observer or reader
        role: Role,
        #[command(flatten)]
        sending: Sending,
    },
    /// Take a role away from an account.
    Revoke {
        /// Account, like cat1…
        account: Address,
        /// member, observer or reader
        role: Role,
        #[command(flatten)]
        sending: Sending,
    },
}

/// Who wants to become a validator: a file, or three keys.
#[derive(Clone, Debug, Args)]
pub(crate) struct CandidateArgs {
    /// What `node keys show --json` printed.
    #[arg(long, value_name = "FILE",
          conflicts_with_all = ["consensus_key", "network_key", "governance_key"])]
    pub(crate) candidate: Option<PathBuf>,
    /// Signs its votes.
    #[arg(long, value_name = "KEY", required_unless_present = "candidate")]
    pub(crate) consensus_key: Option<PublicKey>,
    /// Identity of its node on the network.
    #[arg(long, value_name = "KEY", required_unless_present = "candidate")]
    pub(crate) network_key: Option<PublicKey>,
    /// Signs its approvals.
    #[arg(long, value_name = "KEY", required_unless_present = "candidate")]
    pub(crate) governance_key: Option<PublicKey>,
}

/// Which key of a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Signs its votes; the new key's node must be at the tip first.
    Consensus,
    /// Identity of its node on the network.
    Network,
    /// Signs its approvals.
    Governance,
}

impl From<Kind> for KeyKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Consensus => Self::Consensus,
            Kind::Network => Self::Network,
            Kind::Governance => Self::Governance,
        }
    }
}

/// A rule of the chain from its name and value.
pub(crate) fn parameter(name: &str, value: &str) -> Result<Parameter, String> {
    let number = || {
        let wrong = |_| format!("{name}: {value:?} is no whole number below 4294967296");
        value.parse::<u32>().map_err(wrong)
    };
    match name {
        "access" => value
            .parse::<AccessMode>()
            .map(Parameter::Access)
            .map_err(|error| format!("access: {error}")),
        "proposal_lifetime" => number().map(Parameter::ProposalLifetime),
        "block_transactions" => number().map(Parameter::BlockTransactions),
        "block_bytes" => number().map(Parameter::BlockBytes),
        _ => Err(format!(
            "there is no rule {name:?}: it is access, proposal_lifetime, block_transactions or \
             block_bytes"
        )),
    }
}
