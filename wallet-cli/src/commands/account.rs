//! `balance` and `send`.

use chain::transaction::Body;
use chain::types::Address;

use crate::args::{Global, Send};
use crate::connection::Node;
use crate::failure::Outcome;
use crate::output::{Output, facts, printable};
use crate::signing::Selected;
use crate::submission;

pub(super) async fn balance(global: &Global, address: Option<Address>) -> Outcome<()> {
    let address = match address {
        Some(address) => address,
        None => Selected::from(global)?.address(),
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

pub(super) async fn send(global: &Global, send: Send) -> Outcome<()> {
    let Send { to, amount, memo, sending } = send;
    let mut summary = format!("send {amount} units to {to}");
    if !memo.is_empty() {
        summary.push_str(&format!(", memo \"{}\"", printable(&memo)));
    }
    let body = Body::Transfer { to, amount, memo: memo.into_bytes() };
    submission::run(global, &sending, body, &summary).await
}
