//! `node init`.

use std::path::PathBuf;

use clap::Args;
use genesis::peer_id::peer_id;
use node::home;
use serde::Serialize;

use super::{Failure, HomeArg, Report};

const EXAMPLES: &str = "\
Examples:
  node init --home ~/node --genesis genesis.json --moniker alice
  node init --home ~/node      and put genesis.json there later

Keys that exist are kept: nothing is ever overwritten. A whole local network at once:
  genesis new --validators 4 --out DIR";

/// Make a home directory: new keys and a commented config.toml
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Init {
    #[command(flatten)]
    home: HomeArg,
    /// Genesis file of the chain; checked and copied into the home
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Name of the node in logs and status
    #[arg(long, value_name = "NAME", default_value = "node")]
    moniker: String,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Made {
    home: PathBuf,
    config: PathBuf,
    genesis: PathBuf,
    chain_id: Option<String>,
    validator_key: String,
    network_key: String,
    peer_id: String,
}

impl Init {
    pub(super) fn execute(self) -> Result<Report, Failure> {
        let genesis = match &self.genesis {
            Some(path) => Some(home::read_genesis(path).map_err(Failure::usage)?),
            None => None,
        };
        let home = self.home.home();
        let keys = home.create(&self.moniker, genesis.as_ref()).map_err(Failure::usage)?;
        let made = Made {
            home: home.directory().to_owned(),
            config: home.config_path(),
            genesis: home.genesis_path(),
            chain_id: genesis.map(|genesis| genesis.hash().to_string()),
            validator_key: keys.validator.public().to_string(),
            network_key: keys.network.public().to_string(),
            peer_id: peer_id(&keys.network.public()),
        };
        let text = format!(
            "Made {home}\n\
             validator key  {validator}\n\
             network key    {network}\n\
             peer id        {peer}\n\n\
             Next: {first}enter listen addresses and peers in {config}, then\n  \
             node run --home {home}",
            home = made.home.display(),
            validator = made.validator_key,
            network = made.network_key,
            peer = made.peer_id,
            config = made.config.display(),
            first = match made.chain_id {
                Some(_) => String::new(),
                None => format!("put the genesis file at {}, ", made.genesis.display()),
            },
        );
        Ok(Report::new(&made, text))
    }
}
