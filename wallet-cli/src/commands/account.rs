//! `account`, `balance` and `send`.

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

pub(super) async fn balance(global: &Global, address: Option<Address>) -> Outcome<()> {
    let address = match address {
        Some(address) => address,
        None => Selected::from(global)?.account(global),
    };
    let account = Node::choose(global.rpc.as_deref())?.account(address).await?;
    Output { json: global.json }.result(&account, || {
        facts([
            ("address", account.address.to_string()),
            ("balance", format!("{} units", account.balance)),
            ("nonce", format!("{} (next {})", account.nonce, account.next_nonce)),
            ("height", format!("{} (final)", account.height)),
        ])
    });
    Ok(())
}

pub(super) async fn show(global: &Global, address: Option<Address>) -> Outcome<()> {
    let address = match address {
        Some(address) => address,
        None => Selected::from(global)?.account(global),
    };
    let node = Node::choose(global.rpc.as_deref())?;
    let (account, list) = tokio::try_join!(node.account(address), node.validators())?;
    let governed: Vec<ValidatorIndex> = list
        .validators
        .iter()
        .filter(|validator| validator.governance_key.address() == address)
        .map(|validator| validator.index)
        .collect();
    let report = AccountReport { account, validator: governed.first().copied() };
    Output { json: global.json }.result(&report, || describe(&report));
    Ok(())
}

/// What `account show` prints.
#[derive(Serialize)]
struct AccountReport {
    #[serde(flatten)]
    account: Account,
    /// The validator that this account governs for.
    validator: Option<ValidatorIndex>,
}

fn describe(AccountReport { account, validator }: &AccountReport) -> String {
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
    if let Some(index) = validator {
        rows.push(("governs", format!("for validator {index}")));
    }
    rows.push(("height", format!("{} (final)", account.height)));
    facts(rows)
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
