//! `node inspect`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chain::light::{Claim, Proof, is_within_a_view, signers_of_both};
use chain::types::{Digest, Epoch, Height, ValidatorIndex};
use clap::Args;
use consensus::engine::{Engine, Promised};
use consensus::registry::Visitor;
use node::home::Home;
use node::storage::OpenError;
use node::storage::fork::{self, Comparison, Fork};
use node::storage::inspect::{self, ColumnSize, Contents};
use serde::Serialize;

use super::{Failure, HomeArg, Report};

const EXAMPLES: &str = "\
Examples:
  node inspect --home ~/node           how far the chain is, what was promised, what it takes
  node inspect --home ~/node --json    the same for a program
  node inspect --home ~/node --against ~/other --proof fork.json
                                       whether the two hold different final blocks, and who signed both;
                                       `wallet-cli proof verify fork.json` checks it

Nothing is changed. Every height is looked up; a missing block is an error. Exit code 1 where two final
blocks are found at one height.";

/// Look into the store of a node that does not run
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Inspect {
    #[command(flatten)]
    home: HomeArg,
    /// Compare with the chain of another home instead
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Where to write the proof of what is found then
    #[arg(long, value_name = "FILE", requires = "against")]
    proof: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

/// Two chains beside each other.
#[derive(Serialize)]
struct Compared {
    chain_id: Digest,
    /// The heights that both have; none where `from` is above `to`.
    from: Height,
    to: Height,
    /// `null`: they are one.
    fork: Option<Found>,
}

#[derive(Serialize)]
struct Found {
    height: Height,
    blocks: [Digest; 2],
    /// `null` on a chain without certificates.
    statement: Option<String>,
    /// Places in the set of the epoch.
    signers_of_both: Vec<ValidatorIndex>,
    /// Both certificates are of one view: every signer of both is guilty.
    within_a_view: bool,
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
        if let Some(other) = self.against {
            return compare(&home, &Home::new(other), genesis.hash(), self.proof.as_deref());
        }
        let found = genesis
            .engine
            .visit(Look { data: &home.data_path(), chain_id: genesis.hash() })
            .map_err(Failure::failed)?;
        let text = describe(&found);
        Ok(Report::new(&found, text))
    }
}

fn compare(
    home: &Home,
    other: &Home,
    chain_id: Digest,
    file: Option<&Path>,
) -> Result<Report, Failure> {
    let directories = [&*home.data_path(), &*other.data_path()];
    let Comparison { from, to, fork } =
        fork::compare(directories, chain_id).map_err(Failure::failed)?;
    let proof = fork.as_ref().and_then(|fork| fork.proof.as_ref());
    if let (Some(proof), Some(file)) = (proof, file) {
        let problem = |error| Failure::failed(format!("cannot write {}: {error}", file.display()));
        std::fs::write(file, proof.to_json()).map_err(problem)?;
    }
    let fork = fork.map(|Fork { height, blocks, proof }| match proof {
        Some(Proof { claim: Claim::Fork { ref first, ref second }, .. }) => Found {
            height,
            blocks,
            signers_of_both: signers_of_both(first, second),
            within_a_view: is_within_a_view(first, second),
            statement: proof.as_ref().map(Proof::statement),
        },
        _ => Found {
            height,
            blocks,
            statement: None,
            signers_of_both: Vec::new(),
            within_a_view: false,
        },
    });
    let found = Compared { chain_id, from, to, fork };
    let text = describe_comparison(&found);
    let report = Report::new(&found, text);
    Ok(if found.fork.is_some() { report.of_a_failure() } else { report })
}

fn describe_comparison(Compared { from, to, fork, .. }: &Compared) -> String {
    match fork {
        None if from > to => "the two have no height in common".into(),
        None => format!("the two hold the same final blocks from height {from} to {to}"),
        Some(Found { statement: Some(statement), .. }) => statement.clone(),
        Some(Found { height, blocks: [one, other], .. }) => format!(
            "two blocks are final at height {height}: {one} and {other}; this chain has no \
             certificates, so nothing shows who lied"
        ),
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
