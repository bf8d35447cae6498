//! Governance in sentences.

use chain::governance::{Change, Parameter};
use node_api::governance::{ProposalInfo, ProposalState, WaitsFor};

use crate::output::{facts, printable};
use crate::validators::Validators;

/// What a change does, as the rest of a sentence: "add …".
pub(super) fn change(change: &Change, validators: &Validators<'_>) -> String {
    let title = |key| validators.title(key);
    match change {
        Change::AddValidator { candidate } => {
            format!("add the validator with key {}", candidate.consensus_key)
        }
        Change::RemoveValidator { validator } => format!("remove {}", title(validator)),
        Change::RotateKey { validator, key, new_key } => {
            format!("replace the {key} key of {} with {new_key}", title(validator))
        }
        Change::Jail { validator } => format!("jail {}", title(validator)),
        Change::Pardon { validator } => format!("pardon {}", title(validator)),
        Change::SetParameter { parameter } => parameter_change(*parameter),
        Change::Grant { account, role } => format!("grant the role {role} to {account}"),
        Change::Revoke { account, role } => format!("revoke the role {role} of {account}"),
    }
}

fn parameter_change(parameter: Parameter) -> String {
    match parameter {
        Parameter::Access(access) => format!("set access to {access}"),
        Parameter::ProposalLifetime(blocks) => format!("set proposal_lifetime to {blocks} blocks"),
        Parameter::BlockTransactions(most) => format!("set block_transactions to {most}"),
        Parameter::BlockBytes(most) => format!("set block_bytes to {most}"),
    }
}

pub(super) const fn state(state: ProposalState) -> &'static str {
    match state {
        ProposalState::Open => "open",
        ProposalState::AwaitsReady => "awaits ready",
        ProposalState::Executed => "executed",
        ProposalState::Withdrawn => "withdrawn",
        ProposalState::Expired => "expired",
    }
}

/// What more it takes, after `missing` approvals.
pub(super) fn takes(missing: u32) -> String {
    match missing {
        0 => "It passes with this.".to_owned(),
        1 => "It passes after 1 more approval.".to_owned(),
        missing => format!("It passes after {missing} more approvals."),
    }
}

/// What a proposal waits for.
pub(super) fn waits_for(waits_for: &WaitsFor) -> String {
    match waits_for {
        WaitsFor::Approvals { missing: 1 } => "1 more approval".to_owned(),
        WaitsFor::Approvals { missing } => format!("{missing} more approvals"),
        WaitsFor::Ready { consensus_key } => {
            format!("the node with key {consensus_key} to show that it is at the tip")
        }
        WaitsFor::Nothing => "nothing".to_owned(),
    }
}

/// Everything about one proposal.
pub(super) fn proposal(info: &ProposalInfo, validators: &Validators<'_>) -> String {
    let status = match info.settled_at {
        Some(height) => format!("{} at height {height}", state(info.status)),
        None => state(info.status).to_owned(),
    };
    let mut rows = vec![
        ("proposal", info.id.to_string()),
        ("change", change(&info.change, validators)),
        ("status", status),
        ("proposed by", format!("{} at height {}", who(info), info.proposed_at)),
        ("approvals", approvals(info)),
        ("approved by", approvers(info)),
    ];
    if info.status.is_pending() {
        rows.push(("waits for", waits_for(&info.waits_for)));
        rows.push((
            "expires",
            format!("in {} blocks, at height {}", info.expires_in, info.expires),
        ));
    }
    facts(rows)
}

/// Who proposed it.
pub(super) fn who(info: &ProposalInfo) -> String {
    info.proposer_name.as_deref().map_or_else(|| info.proposer.to_string(), printable)
}

/// How many approved, and of how many while that matters.
pub(super) fn approvals(info: &ProposalInfo) -> String {
    if info.status.is_pending() {
        format!("{} of {}", info.counted, info.quorum)
    } else {
        info.counted.to_string()
    }
}

fn approvers(info: &ProposalInfo) -> String {
    let left = if info.status.is_pending() { "left: does not count" } else { "left since" };
    let names: Vec<String> = info
        .approvals
        .iter()
        .map(|approval| {
            let name = approval.name.as_deref();
            let name = name.map_or_else(|| approval.validator.to_string(), printable);
            match approval.index {
                Some(_) => name,
                None => format!("{name} ({left})"),
            }
        })
        .collect();
    names.join(", ")
}
