//! `node keys`.

use std::path::PathBuf;

use chain::crypto::PublicKey;
use chain::governance::{Candidate, KeyKind};
use clap::{Args, Subcommand, ValueEnum};
use genesis::keyfile;
use genesis::peer_id::peer_id;
use node::home::{self, Home};
use serde::Serialize;

use super::{Failure, HomeArg, Report};

const SHOW_EXAMPLES: &str = "\
Examples:
  node keys show --home ~/node
  node keys show --home ~/node --json > candidate.json

Secrets are never shown: they are in keys/, readable by their owner only. The JSON is what
`wallet-cli govern propose add-validator --candidate FILE` takes.";

const ROTATE_EXAMPLES: &str = "\
Examples:
  node keys rotate --home ~/node --kind consensus
  node keys rotate --home ~/node --kind network --json

The new key waits in keys/ until an epoch of the chain names it; the command to propose that is shown.
The node then puts it in force by itself, running or at its next start, and keeps the old file.";

/// Show the public keys of a node, or make new ones
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Public keys, peer id, and place in the genesis
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Show),
    /// Make a key that is to replace one of the node's
    #[command(after_help = ROTATE_EXAMPLES)]
    Rotate(Rotate),
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    home: HomeArg,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Rotate {
    #[command(flatten)]
    home: HomeArg,
    /// Which key
    #[arg(long, value_enum)]
    kind: Kind,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Signs proposals and votes
    Consensus,
    /// Identity among the peers
    Network,
    /// Signs approvals of changes
    Governance,
}

#[derive(Serialize)]
struct Shown {
    validator_key: String,
    network_key: String,
    governance_key: Option<String>,
    peer_id: String,
    /// Place among the genesis validators; null: none of them, or no genesis yet.
    genesis_validator: Option<usize>,
    /// The keys as a proposal names them; null: the governance key is kept elsewhere.
    candidate: Option<Candidate>,
}

#[derive(Serialize)]
struct Staged {
    kind: &'static str,
    new_key: PublicKey,
    file: PathBuf,
    /// Proposes it.
    command: String,
}

impl Keys {
    pub(super) const fn json(&self) -> bool {
        match &self.action {
            Action::Show(show) => show.json,
            Action::Rotate(rotate) => rotate.json,
        }
    }

    pub(super) fn execute(self) -> Result<Report, Failure> {
        match self.action {
            Action::Show(arguments) => show(&arguments.home.home()),
            Action::Rotate(arguments) => rotate(&arguments.home.home(), arguments.kind),
        }
    }
}

fn show(home: &Home) -> Result<Report, Failure> {
    let keys = home.keys().map_err(Failure::usage)?;
    let key = keys.validator.public();
    let place = if home.genesis_path().exists() {
        let genesis = home.genesis().map_err(Failure::usage)?;
        genesis.validators.iter().position(|validator| validator.consensus_key == key)
    } else {
        None
    };
    let path = home.key_path(KeyKind::Governance);
    let governance = if path.exists() {
        Some(keyfile::read(&path).map_err(Failure::usage)?.public())
    } else {
        None
    };
    let shown = Shown {
        validator_key: key.to_string(),
        network_key: keys.network.public().to_string(),
        governance_key: governance.map(|key| key.to_string()),
        peer_id: peer_id(&keys.network.public()),
        genesis_validator: place,
        candidate: governance.map(|governance_key| Candidate {
            consensus_key: key,
            network_key: keys.network.public(),
            governance_key,
        }),
    };
    let role = match place {
        Some(place) => format!("validator {place} of the genesis"),
        None => "not in the genesis".to_owned(),
    };
    let text = format!(
        "validator key   {}  ({role})\nnetwork key     {}\ngovernance key  {}\npeer id         {}",
        shown.validator_key,
        shown.network_key,
        shown.governance_key.as_deref().unwrap_or("kept elsewhere"),
        shown.peer_id
    );
    Ok(Report::new(&shown, text))
}

fn rotate(home: &Home, kind: Kind) -> Result<Report, Failure> {
    let keys = home.keys().map_err(Failure::usage)?;
    let (name, which) = match kind {
        Kind::Consensus => ("consensus", KeyKind::Consensus),
        Kind::Network => ("network", KeyKind::Network),
        Kind::Governance => ("governance", KeyKind::Governance),
    };
    let file = home.next_key_path(which);
    // One that waits already is shown again: a proposal may name it.
    let new_key = home::key_at(&file).map_err(Failure::usage)?.public();
    let command = format!(
        "wallet-cli govern propose rotate-key {} --kind {name} --new-key {new_key} --key-file {}",
        keys.validator.public(),
        home.key_path(KeyKind::Governance).display()
    );
    let text = format!(
        "new {name} key  {new_key}\nwaits in  {}\n\nPropose it, then have the others approve:\n  \
         {command}",
        file.display()
    );
    Ok(Report::new(&Staged { kind: name, new_key, file, command }, text))
}
