//! `node reset`.

use std::path::PathBuf;

use clap::Args;
use node::storage::reset::{self, Kept};
use serde::Serialize;

use super::{Failure, HomeArg, Report};

const EXAMPLES: &str = "\
Examples:
  node reset --home ~/node --yes                  start over on the same chain, safely
  node reset --home ~/node --yes --forget-votes   only when the chain itself starts over

The keys always stay, and so does the safety record: what this validator has promised. A validator
that forgets its votes may sign a second, different block at a height where it voted before. The
others prove that against it, it is jailed, and with more such validators than the chain tolerates
two blocks may become final at one height. Forget votes only if every validator starts over, or if
this key will never validate this chain again.";

/// Delete the chain data of a node that does not run; keys and votes stay
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Reset {
    #[command(flatten)]
    home: HomeArg,
    /// Really delete
    #[arg(long)]
    yes: bool,
    /// Delete the safety record too: see below what can happen
    #[arg(long)]
    forget_votes: bool,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Deleted {
    data: PathBuf,
    votes_kept: bool,
    /// Proposed blocks that the votes rest on.
    blocks_kept: usize,
}

impl Reset {
    pub(super) fn execute(self) -> Result<Report, Failure> {
        let home = self.home.home();
        let data = home.data_path();
        if !self.yes {
            let problem = format!(
                "this deletes the chain in {}; say so with --yes (keys and votes stay)",
                data.display()
            );
            return Err(Failure::usage(problem));
        }
        if self.forget_votes {
            reset::forget(&data).map_err(Failure::failed)?;
            let text = format!(
                "Deleted everything in {}, the votes included; the keys stay.\n\
                 Unless every validator starts over, do not validate with this key again.",
                data.display()
            );
            return Ok(Report::new(&Deleted { data, votes_kept: false, blocks_kept: 0 }, text));
        }
        let genesis = home.genesis().map_err(Failure::usage)?;
        let Kept { record, blocks } =
            reset::keep_votes(&data, genesis.hash()).map_err(Failure::failed)?;
        let text = format!(
            "Deleted the chain in {}. {}\nThe node fetches the chain from its peers when it runs \
             again.",
            data.display(),
            if record {
                "The keys stay, and so does the safety record (the last votes)."
            } else {
                "The keys stay; it had not voted yet."
            }
        );
        Ok(Report::new(&Deleted { data, votes_kept: record, blocks_kept: blocks }, text))
    }
}
