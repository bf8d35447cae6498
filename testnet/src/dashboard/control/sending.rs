//! Transactions of the first account with a key file, as its owner's wallet would send them.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use chain::crypto::Keypair;
use chain::transaction::Body;
use chain::types::{Address, Amount};
use genesis::keyfile;
use node_api::transaction::{TxState, TxStatus};

use super::order::Number;
use crate::cluster::Cluster;
use crate::live;

/// How long a transaction may take to be final.
const PATIENCE: Duration = Duration::from_secs(10);

/// Moves an amount.
///
/// # Errors
/// Where nobody answers or the transaction is refused.
pub(super) async fn send(
    cluster: &Cluster,
    to: Option<Address>,
    amount: Option<Number>,
) -> anyhow::Result<String> {
    let to = to.context("name the address that gets it")?;
    let amount = Amount::new(amount.map_or(Ok(1), |amount| amount.get())?);
    let what = format!("{amount} to {to}");
    Ok(said(&what, &submit(cluster, Body::Transfer { to, amount, memo: Vec::new() }).await?))
}

/// Who gets what is sent to nobody in particular.
pub(super) fn second_account(cluster: &Cluster) -> Option<Address> {
    key(cluster, 1).ok().map(|key| key.public().address())
}

/// Writes a key of the store.
///
/// # Errors
/// As [`send`].
pub(super) async fn put(cluster: &Cluster, key: String, value: String) -> anyhow::Result<String> {
    let what = format!("{key} holds {value}");
    let body = Body::Put { key: key.into_bytes(), value: value.into_bytes() };
    Ok(said(&what, &submit(cluster, body).await?))
}

async fn submit(cluster: &Cluster, body: Body) -> anyhow::Result<TxStatus> {
    let nodes = cluster.manifest()?.nodes;
    let through = nodes
        .iter()
        .find(|node| node.is_responsive())
        .context("no validator runs: start one with `testnet restart`")?;
    live::settle(through, &key(cluster, 0)?, body, PATIENCE).await
}

fn said(what: &str, status: &TxStatus) -> String {
    let hash = status.hash;
    match (status.status, status.height) {
        (TxState::Final, Some(height)) => format!("{what}: final in block {height}, {hash}"),
        (TxState::Failed, _) => {
            let reason = status.receipt.as_ref().and_then(|receipt| receipt.reason.clone());
            format!("{what}: refused, {}, {hash}", reason.unwrap_or_default())
        }
        (state, _) => {
            let state = format!("{state:?}").to_lowercase();
            format!("{what}: still {state} after {} s, {hash}", PATIENCE.as_secs())
        }
    }
}

/// The key of an account that has a file.
fn key(cluster: &Cluster, account: u32) -> anyhow::Result<Keypair> {
    let accounts: PathBuf = cluster.dir().join(cluster.manifest()?.accounts);
    Ok(keyfile::read(&accounts.join(format!("account{account}.json")))?)
}
