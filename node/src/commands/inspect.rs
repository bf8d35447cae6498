//! `node inspect`.

use std::fmt::Write as _;

use chain::types::{Digest, Epoch, Height, View};
use clap::Args;
use consensus::hybrid::Safety;
use node::storage::inspect::{self, ColumnSize, Contents};
use serde::Serialize;

use super::{Failure, HomeArg, Report};

const EXAMPLES: &str = "\
Examples:
  node inspect --home ~/node           how far the chain is, what was promised, what it takes
  node inspect --home ~/node --json    the same for a program

Nothing is changed. Every height is looked up; a missing block is an error.";

/// Look into the store of a node that does not run
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Inspect {
    #[command(flatten)]
    home: HomeArg,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Serialize)]
struct Inspected {
    chain_id: Digest,
    schema: u32,
    final_height: Height,
    final_hash: Digest,
    epoch: Epoch,
    checkpoint: Height,
    proposals: u64,
    /// `null` where the validator has promised nothing yet.
    promised: Option<Promised>,
    columns: Vec<ColumnSize>,
}

/// What the safety record says.
#[derive(Serialize)]
struct Promised {
    epoch: Epoch,
    view: View,
    led: Option<View>,
    voted: Option<Voted>,
}

/// A prepare vote.
#[derive(Serialize)]
struct Voted {
    view: View,
    height: Height,
    block: Digest,
}

impl From<&Safety> for Promised {
    fn from(record: &Safety) -> Self {
        let voted = record.last_vote.as_ref().map(|vote| Voted {
            view: vote.block.position.view,
            height: vote.block.position.height,
            block: vote.block.hash,
        });
        Self { epoch: record.epoch, view: record.view, led: record.led, voted }
    }
}

impl Inspect {
    pub(super) fn execute(self) -> Result<Report, Failure> {
        let home = self.home.home();
        let chain_id = home.genesis().map_err(Failure::usage)?.hash();
        let Contents {
            schema,
            final_height,
            final_hash,
            epoch,
            checkpoint,
            proposals,
            record,
            columns,
        } = inspect::inspect::<Safety>(&home.data_path(), chain_id).map_err(Failure::failed)?;
        let promised = record.as_ref().map(Promised::from);
        let found = Inspected {
            chain_id,
            schema,
            final_height,
            final_hash,
            epoch,
            checkpoint,
            proposals,
            promised,
            columns,
        };
        let text = describe(&found);
        Ok(Report::new(&found, text))
    }
}

fn describe(found: &Inspected) -> String {
    let mut text = format!(
        "chain       {}\nfinal       height {}, block {}\nepoch       {}\nstate       as of height \
         {}; a start executes {} blocks again\nproposals   {} above the last final block\n",
        found.chain_id,
        found.final_height,
        found.final_hash,
        found.epoch,
        found.checkpoint,
        found.final_height.get() - found.checkpoint.get(),
        found.proposals,
    );
    let promised = match &found.promised {
        None => "nothing yet".to_owned(),
        Some(Promised { epoch, view, voted, .. }) => {
            let vote = voted.as_ref().map_or("no vote".to_owned(), |vote| {
                format!("voted for block {} at height {}", vote.block, vote.height)
            });
            format!("epoch {epoch}, view {view}, {vote}")
        }
    };
    let _ = writeln!(text, "promised    {promised}\n\nschema {}", found.schema);
    for ColumnSize { name, entries, bytes } in &found.columns {
        let _ = writeln!(text, "  {name:<10} {entries:>9} entries  {bytes:>12} bytes on disk");
    }
    text
}
