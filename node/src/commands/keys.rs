//! `node keys`.

use clap::{Args, Subcommand};
use genesis::peer_id::peer_id;
use serde::Serialize;

use super::{Failure, HomeArg, Report};

const EXAMPLES: &str = "\
Examples:
  node keys show --home ~/node
  node keys show --home ~/node --json

Secrets are never shown: they are in keys/, readable by their owner only.";

/// Show the public keys of a node
#[derive(Debug, Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Public keys, peer id, and place in the genesis
    #[command(after_help = EXAMPLES)]
    Show(Show),
}

#[derive(Debug, Args)]
struct Show {
    #[command(flatten)]
    home: HomeArg,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    validator_key: String,
    network_key: String,
    peer_id: String,
    /// Place among the genesis validators; null: none of them, or no genesis yet.
    genesis_validator: Option<usize>,
}

impl Keys {
    pub(super) const fn json(&self) -> bool {
        let Action::Show(show) = &self.action;
        show.json
    }

    pub(super) fn execute(self) -> Result<Report, Failure> {
        let Action::Show(show) = self.action;
        let home = show.home.home();
        let keys = home.keys().map_err(Failure::usage)?;
        let key = keys.validator.public();
        let place = if home.genesis_path().exists() {
            let genesis = home.genesis().map_err(Failure::usage)?;
            genesis.validators.iter().position(|validator| validator.consensus_key == key)
        } else {
            None
        };
        let shown = Shown {
            validator_key: key.to_string(),
            network_key: keys.network.public().to_string(),
            peer_id: peer_id(&keys.network.public()),
            genesis_validator: place,
        };
        let role = match place {
            Some(place) => format!("validator {place} of the genesis"),
            None => "not in the genesis: observes".to_owned(),
        };
        let text = format!(
            "validator key  {}  ({role})\nnetwork key    {}\npeer id        {}",
            shown.validator_key, shown.network_key, shown.peer_id
        );
        Ok(Report::new(&shown, text))
    }
}
