//! `account`, `balance` and `send`.

use chain::light::ProvenBlock;
use chain::transaction::Body;
use chain::types::{Address, ValidatorIndex};
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
        None => Selected::from(global)?.account(global),
    };
    let verification = Verification::from(global)?;
    let node = Node::choose(global)?;
    let mut balance = Balance { account: node.account(address).await?, proven: None };
    if let Some(verification) = &verification {
        let (account, block) = verification.account(&node, address, balance.account).await?;
        balance = Balance { account, proven: Some(block) };
    }
    Output { json: global.json }.result(&balance, || balance.describe());
    Ok(())
}

pub(super) async fn show(global: &Global, address: Option<Address>) -> Outcome<()> {
    let address = match address {
        Some(address) => address,
        None => Selected::from(global)?.account(global),
    };
    let node = Node::choose(global)?;
    let (mut account, list) = tokio::try_join!(node.account(address), node.validators())?;
    let mut proven = None;
    if let Some(verification) = Verification::from(global)? {
        verification.validators(&node, &list).await?;
        let (shown, block) = verification.account(&node, address, account).await?;
        let roles = verification.roles(&node, address).await?;
        (account, proven) = (Account { roles, ..shown }, Some(block));
    }
    let mut governing =
        list.validators.iter().filter(|member| member.governance_key.address() == address);
    let validator = governing.next().map(|member| member.index);
    let report = AccountReport { account, validator, proven };
    Output { json: global.json }.result(&report, || report.describe());
    Ok(())
}

/// What `account show` prints.
#[derive(Serialize)]
struct AccountReport {
    #[serde(flatten)]
    account: Account,
    /// The validator that this account governs for.
    validator: Option<ValidatorIndex>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proven: Option<ProvenBlock>,
}

impl AccountReport {
    fn describe(&self) -> String {
        let Self { account, validator, proven } = self;
        let key = account.key.map_or_else(|| "its own".to_owned(), |key| key.to_string());
        let roles: Vec<String> = account.roles.iter().map(ToString::to_string).collect();
        let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
        let mut rows = vec![
            ("address", account.address.to_string()),
            ("balance", format!("{} units", account.balance)),
            ("nonce", format!("{} (next {})", account.nonce, account.next_nonce)),
            ("signing key", key),
            ("roles", roles),
        ];
        rows.extend(validator.map(|index| ("governs", format!("for validator {index}"))));
        rows.push(("height", format!("{} (final)", account.height)));
        rows.extend(proven.as_ref().map(|block| ("proven", describe(block))));
        facts(rows)
    }
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
