//! `balance` and `send`.

use chain::light::ProvenBlock;
use chain::transaction::Body;
use chain::types::Address;
use node_api::account::Account;
use serde::Serialize;

use crate::args::{Global, Send};
use crate::connection::Node;
use crate::failure::Outcome;
use crate::output::{Output, facts, printable};
use crate::signing::Selected;
use crate::submission;
use crate::verification::{Verification, describe};

/// What `balance` prints.
#[derive(Serialize)]
struct Balance {
    #[serde(flatten)]
    account: Account,
    #[serde(skip_serializing_if = "Option::is_none")]
    proven: Option<ProvenBlock>,
}

impl Balance {
    fn describe(&self) -> String {
        let account = &self.account;
        let mut rows = vec![
            ("address", account.address.to_string()),
            ("balance", format!("{} units", account.balance)),
            ("nonce", format!("{} (next {})", account.nonce, account.next_nonce)),
            ("height", format!("{} (final)", account.height)),
        ];
        rows.extend(self.proven.as_ref().map(|block| ("proven", describe(block))));
        facts(rows)
    }
}

pub(super) async fn balance(global: &Global, address: Option<Address>) -> Outcome<()> {
    let address = match address {
        Some(address) => address,
        None => Selected::from(global)?.address(),
    };
    let verification = Verification::from(global)?;
    let node = Node::choose(global.rpc.as_deref())?;
    let mut balance = Balance { account: node.account(address).await?, proven: None };
    if let Some(verification) = &verification {
        let (account, block) = verification.account(&node, address, balance.account).await?;
        balance = Balance { account, proven: Some(block) };
    }
    Output { json: global.json }.result(&balance, || balance.describe());
    Ok(())
}

pub(super) async fn send(global: &Global, send: Send) -> Outcome<()> {
    let Send { to, amount, memo, sending } = send;
    let mut summary = format!("send {amount} units to {to}");
    if !memo.is_empty() {
        summary.push_str(&format!(", memo \"{}\"", printable(&memo)));
    }
    let body = Body::Transfer { to, amount, memo: memo.into_bytes() };
    submission::run(global, &sending, body, &summary).await
}
