//! `node snapshot`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::crypto::Ed25519;
use chain::snapshot::{Ancestry, Checkpoint, Manifest};
use chain::types::{Digest, Epoch, Height};
use clap::{Args, Subcommand};
use consensus::engine::Engine;
use consensus::registry::Visitor;
use genesis::Genesis;
use node::snapshot::{Judge, Snapshot, file};
use node::storage::install;
use node::storage::{CheckpointPolicy, GenesisState, OpenError, Opened, Store};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{Failure, HomeArg, Report};

const EXPORT_EXAMPLES: &str = "\
Examples:
  node snapshot export --home ~/node --out chain.snapshot
  node snapshot export --home ~/node --out /media/usb/chain.snapshot --json

The node must not run. The file holds the chain at its final height: the last block, the proofs that
lead to it from genesis, and the whole state; no keys and no votes. FILE is never overwritten.";

const IMPORT_EXAMPLES: &str = "\
Examples:
  node init --home ~/new --genesis genesis.json
  node snapshot import chain.snapshot --home ~/new
  node snapshot import chain.snapshot --home ~/new --checkpoint 50000:9f86d081884c7d65…

Everything is checked against the genesis in the home: every change of the validators, the proof of
the last block, every record of the state. It does not matter who made the file. Raft and Paxos have
no proofs: there --checkpoint must name a block that you know from people you trust.

A home that has blocks already is refused: `node reset --yes` deletes them and keeps the votes. All
or nothing: interrupted, it can be started again.";

const SHOW_EXAMPLES: &str = "\
Examples:
  node snapshot show chain.snapshot
  node snapshot show chain.snapshot --json

Compares the checksums only, which find damage and prove nothing: `node snapshot import` checks the
content.";

/// Copy the chain at its final height to a file, or begin a node with such a file
#[derive(Debug, Args)]
pub(super) struct SnapshotCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write the chain of a node that does not run to a file
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(Export),
    /// Begin a fresh node with a file, all of it checked
    #[command(after_help = IMPORT_EXAMPLES)]
    Import(Import),
    /// Say what is in a file
    #[command(after_help = SHOW_EXAMPLES)]
    Show(Show),
}

#[derive(Debug, Args)]
struct Export {
    #[command(flatten)]
    home: HomeArg,
    /// File to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Import {
    /// File to read
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    home: HomeArg,
    /// A block that you know to be in the chain; the snapshot must show it
    #[arg(long, value_name = "HEIGHT:HASH")]
    checkpoint: Option<Checkpoint>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Show {
    /// File to read
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl SnapshotCommand {
    pub(super) const fn json(&self) -> bool {
        match &self.action {
            Action::Export(export) => export.json,
            Action::Import(import) => import.json,
            Action::Show(show) => show.json,
        }
    }

    pub(super) fn execute(self) -> Result<Report, Failure> {
        match self.action {
            Action::Export(export) => export.execute(),
            Action::Import(import) => import.execute(),
            Action::Show(show) => show.execute(),
        }
    }
}

#[derive(Serialize)]
struct Exported {
    file: PathBuf,
    bytes: u64,
    chain_id: Digest,
    height: Height,
    hash: Digest,
    chunks: usize,
}

impl Export {
    fn execute(self) -> Result<Report, Failure> {
        let home = self.home.home();
        let genesis = home.genesis().map_err(Failure::usage)?;
        let data = home.data_path();
        let chain_id = genesis.hash();
        match install::final_height(&data, chain_id).map_err(Failure::failed)? {
            None => return Err(Failure::failed(OpenError::Missing { path: data })),
            Some(height) if height.get() == 0 => {
                return Err(Failure::failed(
                    "the chain has no block yet: there is nothing to copy",
                ));
            }
            Some(_) => {}
        }
        let genesis_state = genesis_state(&genesis)?;
        let snapshot = genesis.engine.visit(Take { data: &data, genesis: &genesis_state })?;
        let bytes =
            file::write(&self.out, &snapshot, &mut progress("written")).map_err(Failure::failed)?;
        let (offer, chunks) = (snapshot.offer(), snapshot.len());
        let hash = snapshot.tip();
        let text = format!(
            "Wrote the chain at height {height} to {file}: {bytes} bytes, {chunks} chunks of state\n\
             last block  {hash}\n\n\
             Begin a node with it:\n  node snapshot import {file} --home NEW_HOME",
            height = offer.height,
            file = self.out.display(),
        );
        let height = offer.height;
        Ok(Report::new(&Exported { file: self.out, bytes, chain_id, height, hash, chunks }, text))
    }
}

/// A snapshot to take of a store, once it is known of which engine.
struct Take<'a> {
    data: &'a Path,
    genesis: &'a GenesisState,
}

impl Visitor for Take<'_> {
    type Output = Result<Snapshot, Failure>;

    fn visit<E: Engine>(self) -> Self::Output {
        let (policy, stop) = (CheckpointPolicy::default(), CancellationToken::new());
        let opened =
            Store::open::<E::Record>(self.data, self.genesis, Arc::new(Ed25519), policy, &stop);
        let Opened { store, recovered, ledger, .. } = opened.map_err(Failure::failed)?;
        let taken = Snapshot::take(&store, recovered.final_height, ledger.state().clone());
        taken
            .map_err(Failure::failed)?
            .ok_or_else(|| Failure::failed("the last block has no proof yet that others can check"))
    }
}

#[derive(Serialize)]
struct Imported {
    home: PathBuf,
    chain_id: Digest,
    height: Height,
    hash: Digest,
    chunks: usize,
}

impl Import {
    fn execute(self) -> Result<Report, Failure> {
        let home = self.home.home();
        let genesis = home.genesis().map_err(Failure::usage)?;
        let (data, chain_id) = (home.data_path(), genesis.hash());
        let found = install::final_height(&data, chain_id).map_err(Failure::failed)?;
        if let Some(height) = found.filter(|height| height.get() > 0) {
            let problem = format!(
                "{} already holds the chain up to height {height}: import into a fresh home, or \
                 delete it first with `node reset --yes` (keys and votes stay)",
                data.display()
            );
            return Err(Failure::usage(problem));
        }
        let judge = Judge::new(&genesis_state(&genesis)?, self.checkpoint, false);
        let sink = file::load(&self.file, &judge, &Ed25519, &mut progress("checked"))
            .map_err(Failure::failed)?;
        let chunks = sink.len();
        let (height, hash) = sink.install(&data).map_err(Failure::failed)?;
        let text = format!(
            "Imported the chain at height {height} into {home}, {checked}\n\
             last block  {hash}\n\n\
             Next:\n  node run --home {home}",
            home = home.directory().display(),
            checked = match self.checkpoint {
                Some(checkpoint) => format!("checked against block {checkpoint}"),
                None => "every proof checked from genesis on".into(),
            },
        );
        let home = home.directory().to_owned();
        Ok(Report::new(&Imported { home, chain_id, height, hash, chunks }, text))
    }
}

#[derive(Serialize)]
struct Shown {
    file: PathBuf,
    bytes: u64,
    version: u32,
    chain_id: Digest,
    height: Height,
    hash: Digest,
    /// Unix milliseconds.
    timestamp_ms: u64,
    epoch: Epoch,
    state_root: Digest,
    chunks: usize,
    /// Whether certificates in it prove it from genesis.
    certified: bool,
}

impl Show {
    fn execute(self) -> Result<Report, Failure> {
        let manifest = file::describe(&self.file).map_err(Failure::failed)?;
        let bytes = std::fs::metadata(&self.file).map_err(Failure::failed)?.len();
        let Manifest { tip, ancestry, cut, .. } = &manifest;
        let shown = Shown {
            bytes,
            version: file::VERSION,
            chain_id: tip.header.chain_id,
            height: manifest.height(),
            hash: tip.hash(),
            timestamp_ms: tip.header.timestamp_ms,
            epoch: manifest.epoch(),
            state_root: tip.header.state_root,
            chunks: cut.0.len(),
            certified: matches!(ancestry, Ancestry::Certified { .. }),
            file: self.file,
        };
        let proof = if shown.certified {
            "certificates from genesis on, which an import checks"
        } else {
            "none: an import needs --checkpoint"
        };
        let text = format!(
            "chain       {}\nheight      {}, block {}\nproposed    {} ms after 1970\nepoch       {}\n\
             state       root {}, {} chunks\nproof       {proof}\nfile        version {}, {} bytes, \
             undamaged",
            shown.chain_id,
            shown.height,
            shown.hash,
            shown.timestamp_ms,
            shown.epoch,
            shown.state_root,
            shown.chunks,
            shown.version,
            shown.bytes,
        );
        Ok(Report::new(&shown, text))
    }
}

fn genesis_state(genesis: &Genesis) -> Result<GenesisState, Failure> {
    GenesisState::new(genesis).map_err(Failure::usage)
}

/// Says once a second on stderr how far it is.
fn progress(done: &'static str) -> impl FnMut(usize, usize) {
    let mut said = Instant::now();
    move |count, of| {
        if said.elapsed() >= Duration::from_secs(1) {
            said = Instant::now();
            eprintln!("{done} {count} of {of} chunks");
        }
    }
}
