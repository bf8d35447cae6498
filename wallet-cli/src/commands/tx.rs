//! `tx`: what became of a transaction.

use node_api::transaction::TxStatus;

use crate::args::{Global, TxCommand};
use crate::connection::Node;
use crate::failure::Outcome;
use crate::output::{Output, facts, worth};
use crate::submission::{settle, state_name};

pub(super) async fn run(global: &Global, command: TxCommand) -> Outcome<()> {
    let node = Node::choose(global.rpc.as_deref())?;
    let status = match command {
        TxCommand::Status { hash } => node.tx_status(hash, None).await?,
        TxCommand::Wait { hash, until, timeout } => settle(&node, hash, until, timeout, None)
            .await
            .map_err(|failure| failure.with("hash", hash))?,
    };
    Output { json: global.json }.result(&status, || describe(&status));
    Ok(())
}

fn describe(status: &TxStatus) -> String {
    let mut rows = vec![
        ("transaction", status.hash.to_string()),
        ("status", state_name(status.status).to_owned()),
    ];
    if let Some(height) = status.height {
        rows.push(("height", height.to_string()));
    }
    if let Some(block) = status.block {
        rows.push(("block", block.to_string()));
    }
    if let Some(finality) = status.finality {
        rows.push(("finality", format!("{finality}: {}", worth(finality))));
    }
    let reason = status.receipt.as_ref().and_then(|receipt| receipt.reason.clone());
    if let Some(reason) = reason {
        rows.push(("reason", reason));
    }
    facts(rows)
}
