//! `proof`: facts that convince anyone who has the genesis file.

use std::path::Path;

use chain::light::{Proof, ProvenBlock};
use chain::types::{Digest, Epoch};
use genesis::files;
use node_api::HexBytes;
use node_api::proof::Subject;
use serde::Serialize;

use super::kv;
use crate::args::{Global, ProofCommand, ProofSubject, ProofTarget};
use crate::connection::Node;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::verification::{check, trust, unproven};

/// What `proof verify` prints.
#[derive(Serialize)]
struct Checked {
    proven: bool,
    statement: String,
    chain_id: Digest,
    #[serde(flatten)]
    block: Option<ProvenBlock>,
}

/// What `proof get --out` prints.
#[derive(Serialize)]
struct Written<'a> {
    file: &'a Path,
    bytes: usize,
    statement: String,
}

pub(super) async fn run(global: &Global, command: ProofCommand) -> Outcome<()> {
    match command {
        ProofCommand::Get(subject) => get(global, subject).await,
        ProofCommand::Verify { file } => verify(global, &file),
    }
}

async fn get(global: &Global, subject: ProofSubject) -> Outcome<()> {
    let (subject, ProofTarget { out }) = match subject {
        ProofSubject::Tx { hash, target } => (Subject::Transaction(hash), target),
        ProofSubject::Account { address, target } => (Subject::Account(address), target),
        ProofSubject::Key { key, form, target } => {
            (Subject::Key(HexBytes(kv::bytes(&key, form)?)), target)
        }
        ProofSubject::Validators { epoch, target } => {
            (Subject::Validators(Epoch::new(epoch)), target)
        }
        ProofSubject::Evidence { hash, target } => (Subject::Evidence(hash), target),
    };
    let file = Node::choose(global)?.proof(subject).await?;
    let statement = if global.verify {
        check(&trust(global)?, file.as_bytes())?.1.statement
    } else {
        let proof = Proof::from_json(file.as_bytes());
        proof.map_err(|error| unproven(error.to_string()))?.statement()
    };
    let Some(out) = out else {
        Output { json: global.json }.file(&file);
        return Ok(());
    };
    files::create(&out, file.as_bytes(), files::PUBLIC).map_err(Failure::bad_arguments)?;
    let written = Written { file: &out, bytes: file.len(), statement };
    Output { json: global.json }.result(&written, || {
        let checked = if global.verify { "It proves" } else { "It claims" };
        format!("{} ({} bytes). {checked}: {}", out.display(), written.bytes, written.statement)
    });
    Ok(())
}

fn verify(global: &Global, path: &Path) -> Outcome<()> {
    let trust = trust(global)?;
    let file = files::read(path, Proof::MAX_FILE_BYTES as u64).map_err(Failure::bad_arguments)?;
    let (_, verdict) = check(&trust, &file)?;
    let checked = Checked {
        proven: true,
        statement: verdict.statement,
        chain_id: trust.chain_id,
        block: verdict.block,
    };
    Output { json: global.json }.result(&checked, || format!("Proven: {}", checked.statement));
    Ok(())
}
