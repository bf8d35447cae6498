//! `status` and `validators`: who leads, in which mode, and why.

use chain::block::Mode;
use chain::light::ProvenBlock;
use chain::types::{Height, ValidatorIndex};
use node_api::chain::{ChainStatus, ValidatorList};
use node_api::consensus::{ConsensusState, Role};
use serde::Serialize;

use crate::args::Global;
use crate::connection::Node;
use crate::failure::Outcome;
use crate::output::{Output, facts, printable, table, worth, yes_no};
use crate::verification::{Verification, describe, warn_unproven};

/// What `status` prints.
#[derive(Serialize)]
struct StatusReport {
    rpc: String,
    #[serde(flatten)]
    chain: ChainStatus,
    leader_name: Option<String>,
    role: Role,
    mode_reason: String,
    timeout_ms: u64,
    /// Where the node leads.
    pacing: Option<String>,
}

/// What `validators` prints.
#[derive(Serialize)]
struct ValidatorsReport {
    #[serde(flatten)]
    list: ValidatorList,
    leader_name: Option<String>,
    mode: Option<Mode>,
    height_final: Height,
    #[serde(skip_serializing_if = "Option::is_none")]
    proven: Option<ProvenBlock>,
}

pub(super) async fn status(global: &Global) -> Outcome<()> {
    warn_unproven(global, "all of this is what the node says");
    let node = Node::choose(global)?;
    let (chain, consensus, list) =
        tokio::try_join!(node.status(), node.consensus(), node.validators())?;
    let ConsensusState { role, mode_reason, timeout_ms, pacing, .. } = consensus;
    let leader_name = chain.leader.map(|leader| name(&list, leader));
    let report =
        StatusReport { rpc: node.url, chain, leader_name, role, mode_reason, timeout_ms, pacing };
    Output { json: global.json }.result(&report, || describe_status(&report));
    Ok(())
}

fn describe_status(report: &StatusReport) -> String {
    let chain = &report.chain;
    let leader = match (&report.leader_name, chain.leader) {
        (Some(name), Some(index)) => format!("{name} (validator {index})"),
        _ => "none: changing views".to_owned(),
    };
    let role = match report.role {
        Role::Leader => "leader",
        Role::Follower => "follower",
        Role::Changing => "changing views",
        Role::Observer => "observer",
    };
    let pacing = report.pacing.as_deref().map_or_else(|| "-".to_owned(), printable);
    facts([
        ("chain", format!("{} ({})", printable(&chain.name), chain.chain_id)),
        ("engine", printable(&chain.engine)),
        ("finality", format!("{}: {}", chain.finality, worth(chain.finality))),
        // The sentence names the mode.
        ("mode", printable(&report.mode_reason)),
        ("leader", leader),
        ("epoch / view", format!("{} / {}", chain.epoch, chain.view)),
        ("final height", chain.height_final.to_string()),
        ("ordered height", chain.height_ordered.to_string()),
        ("block", chain.hash.to_string()),
        ("state root", chain.state_root.to_string()),
        ("validators", chain.validators.to_string()),
        ("view timeout", format!("{} ms", report.timeout_ms)),
        ("pending", format!("{} transactions", chain.pending)),
        (
            "node",
            format!("{} at {}, version {}", printable(&chain.moniker), report.rpc, chain.version),
        ),
        ("its role", role.to_owned()),
        ("its pacing", pacing),
        ("its peers", chain.peers.to_string()),
        ("synced", yes_no(chain.synced)),
    ])
}

pub(super) async fn validators(global: &Global) -> Outcome<()> {
    let node = Node::choose(global)?;
    let verification = Verification::from(global)?;
    let (chain, list) = tokio::try_join!(node.status(), node.validators())?;
    let proven = match &verification {
        Some(verification) => Some(verification.validators(&node, &list).await?),
        None => None,
    };
    let names = "names, who leads, who signed last and who is connected are what the node says";
    warn_unproven(global, names);
    let leader_name = list.leader.map(|leader| name(&list, leader));
    let (mode, height_final) = (chain.mode, chain.height_final);
    let report = ValidatorsReport { leader_name, mode, height_final, proven, list };
    Output { json: global.json }.result(&report, || describe_validators(&report));
    Ok(())
}

fn describe_validators(report: &ValidatorsReport) -> String {
    let list = &report.list;
    let quorums = &list.quorums;
    let rows = list.validators.iter().map(|validator| {
        vec![
            validator.index.to_string(),
            name(list, validator.index),
            yes_no(list.leader == Some(validator.index)),
            yes_no(validator.jailed),
            validator.signed_last.map_or_else(|| "-".to_owned(), yes_no),
            validator.took_part.map_or_else(|| "-".to_owned(), |height| height.to_string()),
            yes_no(validator.connected),
            validator.consensus_key.to_string(),
        ]
    });
    let titles = [
        "index",
        "name",
        "leads",
        "jailed",
        "signed last",
        "took part",
        "connected",
        "consensus key",
    ];
    let proven = report.proven.as_ref();
    let proven = proven.map_or_else(String::new, |block| format!("\nproven {}", describe(block)));
    format!(
        "epoch {}, {}final height {}; n = {}, f = {}, quorum {}, fast quorum {}\n{}{proven}",
        list.epoch,
        report.mode.map_or_else(String::new, |mode| format!("mode {mode}, ")),
        report.height_final,
        quorums.n,
        quorums.f,
        quorums.quorum,
        quorums.fast_quorum,
        table(&titles, rows)
    )
}

/// The name of a validator, or its number.
fn name(list: &ValidatorList, index: ValidatorIndex) -> String {
    list.validators
        .iter()
        .find(|validator| validator.index == index)
        .and_then(|validator| validator.name.as_deref())
        .map_or_else(|| format!("validator {index}"), printable)
}
