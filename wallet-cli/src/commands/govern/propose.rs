//! `govern propose`: from the command line to a change.

use std::path::Path;

use chain::governance::{Candidate, Change, GovernanceAction};
use serde::Deserialize;

use super::{act, describe};
use crate::args::{CandidateArgs, Global, ProposeCommand, Sending, parameter};
use crate::connection::Node;
use crate::failure::{Failure, Outcome};
use crate::validators::Validators;

/// More than any file of keys has.
const MAX_BYTES: u64 = 16 * 1024;

/// As much as is needed of what `node keys show --json` prints.
#[derive(Deserialize)]
struct CandidateFile {
    candidate: Option<Candidate>,
}

pub(super) async fn run(global: &Global, command: ProposeCommand) -> Outcome<()> {
    let node = Node::choose(global)?;
    let (list, rules) = tokio::try_join!(node.validators(), node.parameters())?;
    let validators = Validators(&list);
    let (change, sending) = change(command, &validators)?;
    let mut summary = format!(
        "propose to {}. {}",
        describe::change(&change, &validators),
        describe::takes(rules.quorum.saturating_sub(1))
    );
    if matches!(change, Change::AddValidator { .. }) {
        summary.push_str(" It joins once its node has shown that it is at the tip.");
    }
    act(global, &sending, &node, GovernanceAction::Propose { change }, &summary).await
}

fn change(command: ProposeCommand, validators: &Validators<'_>) -> Outcome<(Change, Sending)> {
    let key = |wanted| Ok(validators.find(wanted)?.consensus_key);
    Ok(match command {
        ProposeCommand::AddValidator { candidate, sending } => {
            (Change::AddValidator { candidate: read(&candidate)? }, sending)
        }
        ProposeCommand::RemoveValidator { validator, sending } => {
            (Change::RemoveValidator { validator: key(&validator)? }, sending)
        }
        ProposeCommand::RotateKey { validator, kind, new_key, sending } => {
            let validator = key(&validator)?;
            (Change::RotateKey { validator, key: kind.into(), new_key }, sending)
        }
        ProposeCommand::Jail { validator, sending } => {
            (Change::Jail { validator: key(&validator)? }, sending)
        }
        ProposeCommand::Pardon { validator, sending } => {
            (Change::Pardon { validator: key(&validator)? }, sending)
        }
        ProposeCommand::SetParameter { name, value, sending } => {
            let parameter = parameter(&name, &value).map_err(Failure::bad_arguments)?;
            (Change::SetParameter { parameter }, sending)
        }
        ProposeCommand::Grant { account, role, sending } => {
            (Change::Grant { account, role }, sending)
        }
        ProposeCommand::Revoke { account, role, sending } => {
            (Change::Revoke { account, role }, sending)
        }
    })
}

fn read(arguments: &CandidateArgs) -> Outcome<Candidate> {
    match arguments {
        CandidateArgs { candidate: Some(path), .. } => read_file(path),
        CandidateArgs {
            consensus_key: Some(consensus_key),
            network_key: Some(network_key),
            governance_key: Some(governance_key),
            ..
        } => Ok(Candidate {
            consensus_key: *consensus_key,
            network_key: *network_key,
            governance_key: *governance_key,
        }),
        _ => Err(Failure::bad_arguments("give --candidate FILE, or all three keys")),
    }
}

fn read_file(path: &Path) -> Outcome<Candidate> {
    let wrong = |problem: String| {
        Failure::bad_arguments(format!(
            "{}: {problem}: give what `node keys show --json` printed",
            path.display()
        ))
    };
    let bytes = genesis::files::read(path, MAX_BYTES).map_err(Failure::bad_arguments)?;
    let file: CandidateFile =
        serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    file.candidate.ok_or_else(|| wrong("it names no candidate with three keys".to_owned()))
}
