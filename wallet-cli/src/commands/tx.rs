//! `tx`: what became of a transaction.

use crate::args::{Global, TxCommand};
use crate::failure::Outcome;
use crate::output::{Output, facts, worth};
use crate::submission::{Known, Pursuit, state_name};
use crate::verification;

pub(super) async fn run(global: &Global, command: TxCommand) -> Outcome<()> {
    let pursuit = Pursuit::new(global)?;
    let status = match command {
        TxCommand::Status { hash } => {
            let status = pursuit.node.tx_status(hash, None).await?;
            pursuit.believe(hash, status).await?
        }
        TxCommand::Wait { hash, until, timeout } => pursuit
            .settle(hash, until, timeout, None)
            .await
            .map_err(|failure| failure.with("hash", hash))?,
    };
    Output { json: global.json }.result(&status, || describe(&status));
    Ok(())
}

fn describe(known: &Known) -> String {
    let status = &known.status;
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
    rows.extend(known.proven.as_ref().map(|block| ("proven", verification::describe(block))));
    facts(rows)
}
