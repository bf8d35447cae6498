//! `block show` and `watch`.

use chain::governance::GovernanceAction;
use node_api::block::{Block, BlockEvent, BlockNotice, BlockRef, BlockStatus};
use node_api::transaction::{TxBody, TxContent, TxInBlock};
use serde_json::json;

use crate::args::{Global, Watch};
use crate::connection::Node;
use crate::failure::Outcome;
use crate::output::{Output, facts, table, text_or_hex};
use crate::verification::warn_unproven;

pub(super) async fn show(global: &Global, block: BlockRef) -> Outcome<()> {
    warn_unproven(global, "the block is what the node says");
    let block = Node::choose(global)?.block(block).await?;
    Output { json: global.json }.result(&block, || describe(&block));
    Ok(())
}

const fn status_name(status: BlockStatus) -> &'static str {
    match status {
        BlockStatus::Ordered => "ordered",
        BlockStatus::Final => "final",
    }
}

fn describe(block: &Block) -> String {
    let header = &block.header;
    let mut rows = vec![
        ("block", format!("{} ({})", header.height, status_name(block.status))),
        ("hash", block.hash.to_string()),
        ("parent", header.parent.to_string()),
        ("kind", format!("{:?}", header.kind).to_lowercase()),
        ("epoch / view", format!("{} / {}", header.epoch, header.view)),
        ("mode", header.mode.to_string()),
        ("proposer", format!("validator {}", header.proposer)),
        ("time", format!("{} ms since 1970", header.timestamp_ms)),
        ("state root", header.state_root.to_string()),
        ("size", format!("{} bytes", block.size_bytes)),
        ("transactions", block.transaction_count.to_string()),
    ];
    if let Some(certificate) = &block.certificate {
        let signers: Vec<String> = certificate.signers.iter().map(ToString::to_string).collect();
        rows.push(("signed by", format!("validators {}", signers.join(", "))));
    }
    let mut text = facts(rows);
    let transactions = block.transactions.as_deref().unwrap_or_default();
    if !transactions.is_empty() {
        text.push('\n');
        text.push_str(&table(&["transaction", "action", "result"], transactions.iter().map(row)));
    }
    text
}

fn row(transaction: &TxInBlock) -> Vec<String> {
    let result = match &transaction.receipt {
        None => "not final yet".to_owned(),
        Some(receipt) if receipt.ok => "ok".to_owned(),
        Some(receipt) => {
            format!("failed: {}", receipt.reason.as_deref().unwrap_or("no reason given"))
        }
    };
    vec![transaction.hash.to_string(), action(&transaction.content), result]
}

fn action(content: &TxContent) -> String {
    match content {
        TxContent::System { accused, view, height, .. } => {
            format!("validator {accused} caught lying at view {view}, height {height}")
        }
        TxContent::Account { sender, body, .. } => match body {
            TxBody::Transfer { to, amount, .. } => format!("{sender} sends {amount} units to {to}"),
            TxBody::Put { key, .. } => format!("{sender} puts {}", text_or_hex(&key.0)),
            TxBody::Delete { key } => format!("{sender} deletes {}", text_or_hex(&key.0)),
            TxBody::CompareAndSwap { key, .. } => {
                format!("{sender} swaps {}", text_or_hex(&key.0))
            }
            TxBody::Hidden { namespace } => format!("{sender} writes to {namespace}"),
            TxBody::Namespace { name, .. } => format!("{sender} changes the namespace {name}"),
            TxBody::RotateKey { .. } => format!("{sender} changes its key"),
            TxBody::Governance(action) => format!("{sender} {}", governance(action)),
        },
    }
}

fn governance(action: &GovernanceAction) -> String {
    match action {
        GovernanceAction::Propose { .. } => "proposes a change".to_owned(),
        GovernanceAction::Approve { proposal } => format!("approves proposal {proposal}"),
        GovernanceAction::Withdraw { proposal } => format!("withdraws proposal {proposal}"),
        GovernanceAction::Ready { proposal, .. } => {
            format!("is at the tip, as proposal {proposal} asks")
        }
    }
}

pub(super) async fn watch(global: &Global, watch: &Watch) -> Outcome<()> {
    warn_unproven(global, "the blocks are what the node says");
    let output = Output { json: global.json };
    let node = Node::choose(global)?;
    let (_client, mut blocks) = node.watch(watch.status.into()).await?;
    let mut left = watch.count.unwrap_or(u64::MAX);
    while left > 0 {
        let event = tokio::select! {
            event = blocks.next() => event,
            _ = tokio::signal::ctrl_c() => return Ok(()),
        };
        match event {
            None => return Err(node.lost()),
            Some(Err(error)) => {
                eprintln!("warning: a notice could not be read: {error}");
            }
            Some(Ok(BlockEvent::Lagged { missed })) => {
                output.result(&json!({ "type": "lagged", "missed": missed }), || {
                    format!("({missed} blocks not shown: too slow)")
                });
            }
            Some(Ok(BlockEvent::Block(notice))) => {
                output.result(&notice, || line(&notice));
                left -= 1;
            }
        }
    }
    Ok(())
}

fn line(notice: &BlockNotice) -> String {
    format!(
        "block {} {} by validator {}, view {}, mode {}, {} transactions, {}",
        notice.height,
        status_name(notice.status),
        notice.proposer,
        notice.view,
        notice.mode,
        notice.transaction_count,
        notice.hash
    )
}
