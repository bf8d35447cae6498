//! `node inspect`.

use std::fmt::Write as _;
use std::path::Path;

use chain::types::{Digest, Epoch, Height};
use clap::Args;
use consensus::engine::{Engine, Promised};
use consensus::registry::Visitor;
use node::storage::OpenError;
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
    /// The lowest height whose block is here.
    base: Height,
    checkpoint: Height,
    proposals: u64,
    /// `null` where the validator has promised nothing yet, or its engine does not sum it up.
    promised: Option<Promised>,
    /// Then the whole record, as text.
    record: Option<String>,
    columns: Vec<ColumnSize>,
}

impl Inspect {
    pub(super) fn execute(self) -> Result<Report, Failure> {
        let home = self.home.home();
        let genesis = home.genesis().map_err(Failure::usage)?;
        let found = genesis
            .engine
            .visit(Look { data: &home.data_path(), chain_id: genesis.hash() })
            .map_err(Failure::failed)?;
        let text = describe(&found);
        Ok(Report::new(&found, text))
    }
}

/// A store to look into, once it is known whose record is in it.
struct Look<'a> {
    data: &'a Path,
    chain_id: Digest,
}

impl Visitor for Look<'_> {
    type Output = Result<Inspected, OpenError>;

    fn visit<E: Engine>(self) -> Self::Output {
        let Contents {
            schema,
            final_height,
            final_hash,
            epoch,
            base,
            checkpoint,
            proposals,
            record,
            columns,
        } = inspect::inspect::<E::Record>(self.data, self.chain_id)?;
        let promised = record.as_ref().and_then(E::promised);
        let unsummed = record.filter(|_| promised.is_none());
        Ok(Inspected {
            chain_id: self.chain_id,
            schema,
            final_height,
            final_hash,
            epoch,
            base,
            checkpoint,
            proposals,
            promised,
            record: unsummed.map(|record| format!("{record:?}")),
            columns,
        })
    }
}

fn blocks_kept(found: &Inspected) -> String {
    match found.base {
        base if base.get() == 1 => "all".into(),
        base if base > found.final_height => "none: the chain begins here with a snapshot".into(),
        base => format!("from height {base} on; what was below is pruned or never was here"),
    }
}

fn describe(found: &Inspected) -> String {
    let mut text = format!(
        "chain       {}\nfinal       height {}, block {}\nepoch       {}\nblocks      {}\nstate       \
         as of height {}; a start executes {} blocks again\nproposals   {} above the last final block\n",
        found.chain_id,
        found.final_height,
        found.final_hash,
        found.epoch,
        blocks_kept(found),
        found.checkpoint,
        found.final_height.get() - found.checkpoint.get(),
        found.proposals,
    );
    let promised = match (&found.promised, &found.record) {
        (Some(Promised { epoch, view, voted, .. }), _) => {
            let vote = voted.as_ref().map_or("no vote".to_owned(), |vote| {
                format!("voted for block {} at height {}", vote.block, vote.height)
            });
            format!("epoch {epoch}, view {view}, {vote}")
        }
        (None, Some(record)) => record.clone(),
        (None, None) => "nothing yet".to_owned(),
    };
    let _ = writeln!(text, "promised    {promised}\n\nschema {}", found.schema);
    for ColumnSize { name, entries, bytes } in &found.columns {
        let _ = writeln!(text, "  {name:<10} {entries:>9} entries  {bytes:>12} bytes on disk");
    }
    text
}
