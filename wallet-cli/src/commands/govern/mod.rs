//! `govern`: proposals and approvals of the validators.

mod describe;
mod propose;

use chain::governance::{GovernanceAction, ProposalId};
use chain::transaction::Body;
use node_api::governance::{ProposalFilter, ProposalInfo};
use serde::Serialize;
use serde_json::json;

use crate::args::{Global, GovernCommand, Sending};
use crate::connection::Node;
use crate::failure::Outcome;
use crate::output::{Output, facts, table};
use crate::signing::Selected;
use crate::submission::{self, Sent};
use crate::validators::Validators;
use crate::verification::warn_unproven;

/// What is not checked with `--verify`.
const UNPROVEN: &str = "what was proposed and approved is what the node says";

pub(super) async fn run(global: &Global, command: GovernCommand) -> Outcome<()> {
    match command {
        GovernCommand::Propose(command) => propose::run(global, command).await,
        GovernCommand::Approve { id, sending } => approve(global, id, &sending).await,
        GovernCommand::Withdraw { id, sending } => withdraw(global, id, &sending).await,
        GovernCommand::List { all } => list(global, all).await,
        GovernCommand::Show { id } => show(global, id).await,
        GovernCommand::Parameters => parameters(global).await,
    }
}

async fn approve(global: &Global, id: ProposalId, sending: &Sending) -> Outcome<()> {
    let node = Node::choose(global)?;
    let (info, list) = tokio::try_join!(node.proposal(id), node.validators())?;
    let validators = Validators(&list);
    let missing = info.quorum.saturating_sub(info.counted + 1);
    let summary = format!(
        "approve proposal {id}: {}. {}",
        describe::change(&info.change, &validators),
        describe::takes(missing)
    );
    act(global, sending, &node, GovernanceAction::Approve { proposal: id }, &summary).await
}

async fn withdraw(global: &Global, id: ProposalId, sending: &Sending) -> Outcome<()> {
    let node = Node::choose(global)?;
    let (info, list) = tokio::try_join!(node.proposal(id), node.validators())?;
    let change = describe::change(&info.change, &Validators(&list));
    let summary = format!("withdraw proposal {id}: {change}.");
    act(global, sending, &node, GovernanceAction::Withdraw { proposal: id }, &summary).await
}

/// A transaction of governance, and where its proposal stands then.
#[derive(Serialize)]
struct Acted {
    #[serde(flatten)]
    sent: Sent,
    /// Absent where the node does not know yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<ProposalInfo>,
}

/// Sends one and shows what it did.
async fn act(
    global: &Global,
    sending: &Sending,
    node: &Node,
    action: GovernanceAction,
    summary: &str,
) -> Outcome<()> {
    let output = Output { json: global.json };
    // Told whether or not somebody can confirm it. Where nobody reads, it is sent all the same.
    let _ = output.early(&sentence(summary));
    warn_unproven(global, UNPROVEN);
    let by = Selected::from(global)?.account(global);
    let named = match &action {
        GovernanceAction::Approve { proposal } | GovernanceAction::Withdraw { proposal } => {
            Some(*proposal)
        }
        _ => None,
    };
    let sent = submission::send(global, sending, Body::Governance(action), summary).await?;
    let list = node.validators().await?;
    let proposal = match (sent.height(), named) {
        (None, _) => None,
        (Some(_), Some(id)) => Some(node.proposal(id).await?),
        (Some(height), None) => {
            let mine = list.validators.iter().find(|v| v.governance_key.address() == by);
            let all = node.proposals(Some(ProposalFilter::All)).await?.proposals;
            all.into_iter().find(|proposal| {
                proposal.proposed_at == height
                    && mine.is_some_and(|mine| mine.consensus_key == proposal.proposer)
            })
        }
    };
    let acted = Acted { sent, proposal };
    output.result(&acted, || {
        let mut text = acted.sent.describe();
        if let Some(info) = &acted.proposal {
            text.push('\n');
            text.push_str(&describe::proposal(info, &Validators(&list)));
        }
        text
    });
    Ok(())
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

async fn list(global: &Global, all: bool) -> Outcome<()> {
    warn_unproven(global, UNPROVEN);
    let node = Node::choose(global)?;
    let filter = if all { ProposalFilter::All } else { ProposalFilter::Pending };
    let (found, list) = tokio::try_join!(node.proposals(Some(filter)), node.validators())?;
    let validators = Validators(&list);
    Output { json: global.json }.result(&found, || {
        if found.proposals.is_empty() {
            return "no proposals".to_owned();
        }
        let rows = found.proposals.iter().map(|info| {
            vec![
                info.id.to_string(),
                describe::state(info.status).to_owned(),
                describe::approvals(info),
                describe::who(info),
                if info.status.is_pending() {
                    format!("{} blocks", info.expires_in)
                } else {
                    "-".to_owned()
                },
                describe::change(&info.change, &validators),
            ]
        });
        table(&["id", "status", "approvals", "proposed by", "expires in", "change"], rows)
    });
    Ok(())
}

async fn show(global: &Global, id: ProposalId) -> Outcome<()> {
    warn_unproven(global, UNPROVEN);
    let node = Node::choose(global)?;
    let (info, list) = tokio::try_join!(node.proposal(id), node.validators())?;
    Output { json: global.json }.result(&info, || describe::proposal(&info, &Validators(&list)));
    Ok(())
}

async fn parameters(global: &Global) -> Outcome<()> {
    warn_unproven(global, UNPROVEN);
    let found = Node::choose(global)?.parameters().await?;
    let rules = &found.parameters;
    Output { json: global.json }.result(&json!(found), || {
        facts([
            ("access", rules.access.to_string()),
            ("proposal_lifetime", format!("{} blocks", rules.proposal_lifetime)),
            ("block_transactions", rules.block_transactions.to_string()),
            ("block_bytes", rules.block_bytes.to_string()),
            ("to change one", format!("{} of {} validators", found.quorum, found.validators)),
        ])
    });
    Ok(())
}
