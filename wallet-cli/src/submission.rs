//! From what a sender wants to a transaction that is on chain.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use chain::light::ProvenBlock;
use chain::transaction::{Body, Payload};
use chain::types::{Address, Digest, Height};
use node_api::ErrorCode;
use node_api::chain::ChainStatus;
use node_api::transaction::{Receipt, TxState, TxStatus};
use serde::Serialize;

use crate::args::{Global, Sending, Until};
use crate::connection::Node;
use crate::failure::{Failure, Kind, Outcome};
use crate::output::{Output, facts, printable, worth};
use crate::signing::Selected;
use crate::verification::{Verification, unproven};

/// What became of a transaction that this program sent.
#[derive(Debug, Serialize)]
pub(crate) struct Sent {
    #[serde(flatten)]
    known: Known,
    chain_id: Digest,
    from: Address,
    nonce: u64,
    /// Last height at which it can take effect.
    expiry: Height,
    /// From handing it in to the answer.
    elapsed_ms: u64,
}

impl Sent {
    /// The height of its block, once it is in one.
    pub(crate) const fn height(&self) -> Option<Height> {
        self.known.status.height
    }

    pub(crate) fn is_final(&self) -> bool {
        self.known.status.status == TxState::Final
    }

    pub(crate) fn describe(&self) -> String {
        let status = &self.known.status;
        let (state, place) = (state_name(status.status), place(status));
        let finality = status
            .finality
            .map_or_else(String::new, |finality| format!(" ({finality}: {})", worth(finality)));
        let proven = if self.known.proven.is_some() { ", proven" } else { "" };
        format!("{state}{place} after {} ms{proven}{finality}", self.elapsed_ms)
    }
}

/// What is known of a transaction, and the block that proves it where that was asked for.
#[derive(Debug, Serialize)]
pub(crate) struct Known {
    #[serde(flatten)]
    pub(crate) status: TxStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proven: Option<ProvenBlock>,
}

/// Follows transactions on a node, with proof where that is asked for.
#[derive(Debug)]
pub(crate) struct Pursuit {
    pub(crate) node: Node,
    verification: Option<Verification>,
}

/// Signs, hands in and waits, and prints what came of it.
pub(crate) async fn run(
    global: &Global,
    sending: &Sending,
    body: Body,
    summary: &str,
) -> Outcome<()> {
    let sent = send(global, sending, body, summary).await?;
    Output { json: global.json }.result(&sent, || sent.describe());
    Ok(())
}

/// Signs, hands in and waits.
pub(crate) async fn send(
    global: &Global,
    sending: &Sending,
    body: Body,
    summary: &str,
) -> Outcome<Sent> {
    let output = Output { json: global.json };
    let selected = Selected::from(global)?;
    let pursuit = Pursuit::new(global)?;
    let node = &pursuit.node;
    let from = selected.account(global);
    let (chain, account) = tokio::try_join!(node.status(), node.account(from))?;
    pursuit.check_chain(&chain)?;
    confirm(global, sending, node, &chain, from, summary)?;

    let key = selected.open(global)?;
    let expiry = Height::new(account.height.get().saturating_add(sending.expires_after));
    let nonce = sending.nonce.unwrap_or(account.next_nonce);
    let payload = Payload {
        chain_id: chain.chain_id,
        account: (from != key.public().address()).then_some(from),
        sender: key.public(),
        nonce,
        expiry,
        body,
    };
    let transaction = payload.sign(&key);
    transaction.check_form(&chain.chain_id).map_err(Failure::bad_arguments)?;
    let hash = transaction.hash();
    // Before anything can go wrong: whoever knows the hash can find out later. Where nobody reads,
    // it is sent all the same: that is what was asked for.
    let _ = output.early(&format!(
        "transaction {hash} on chain {} ({})",
        printable(&chain.name),
        chain.chain_id
    ));

    let start = Instant::now();
    let outcome = async {
        node.submit(&transaction).await.map_err(|failure| match failure.kind {
            Kind::Unreachable | Kind::TimedOut => failure.say(&ask_later(hash)),
            _ if failure.reason.as_deref() == Some(ErrorCode::ExpiryTooFar.name()) => {
                failure.say("give fewer blocks for --expires-after")
            }
            _ => failure,
        })?;
        match sending.wait.until() {
            None => Ok(Known { status: TxStatus::outside(hash, TxState::Pending), proven: None }),
            Some(until) => pursuit.settle(hash, until, sending.timeout, Some(expiry)).await,
        }
    };
    let known = outcome.await.map_err(|failure| failure.with("hash", hash))?;
    let elapsed_ms = start.elapsed().as_millis() as u64;
    Ok(Sent { known, chain_id: chain.chain_id, from, nonce, expiry, elapsed_ms })
}

impl Pursuit {
    pub(crate) fn new(global: &Global) -> Outcome<Self> {
        Ok(Self { verification: Verification::from(global)?, node: Node::choose(global)? })
    }

    /// Refuses to sign for another chain than that of the genesis.
    fn check_chain(&self, chain: &ChainStatus) -> Outcome<()> {
        match &self.verification {
            Some(verification) if verification.chain_id() != chain.chain_id => {
                Err(unproven(format!(
                    "the node is of chain {}, the genesis is of chain {}",
                    chain.chain_id,
                    verification.chain_id()
                )))
            }
            _ => Ok(()),
        }
    }

    /// Checks what the node says of a transaction.
    ///
    /// # Errors
    /// Where it should be proven and is not.
    pub(crate) async fn believe(&self, hash: Digest, status: TxStatus) -> Outcome<Known> {
        let Some(verification) = &self.verification else {
            return Ok(Known { status, proven: None });
        };
        let proven = verification.tx_status(&self.node, hash, &status).await?;
        if proven.is_none() {
            let state = state_name(status.status);
            eprintln!("warning: not proven: {state} is what the node says");
        }
        Ok(Known { status, proven })
    }

    /// Waits until a transaction is as safe as asked for.
    ///
    /// # Errors
    /// Refused where execution failed it or it expired, timed out where nothing is decided in time.
    pub(crate) async fn settle(
        &self,
        hash: Digest,
        until: Until,
        timeout: Duration,
        expiry: Option<Height>,
    ) -> Outcome<Known> {
        let node = &self.node;
        let start = Instant::now();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            let asked = Instant::now();
            let status = node
                .tx_status(hash, Some((until.into(), left)))
                .await
                .map_err(|failure| failure.say(&ask_later(hash)))?;
            match status.status {
                TxState::Final => return self.believe(hash, status).await,
                TxState::Ordered if until == Until::Ordered => {
                    return self.believe(hash, status).await;
                }
                TxState::Failed => return Err(failed(&self.believe(hash, status).await?.status)),
                TxState::Unknown if expired(node, expiry).await? => {
                    if self.verification.is_some() {
                        eprintln!("warning: not proven: that it expired is what the node says");
                    }
                    return Err(Failure::refused(
                        Some("expired".to_owned()),
                        format!("transaction {hash} expired without taking effect"),
                    ));
                }
                TxState::Ordered | TxState::Pending | TxState::Unknown => {}
            }
            if start.elapsed() >= timeout {
                let message = format!(
                    "transaction {hash} is {} after {} s; {}",
                    state_name(status.status),
                    timeout.as_secs_f64(),
                    ask_later(hash)
                );
                return Err(Failure::new(Kind::TimedOut, message).with("status", status.status));
            }
            // A node that answers at once instead of waiting is not asked without a pause.
            let pause = Duration::from_millis(50).saturating_sub(asked.elapsed());
            tokio::time::sleep(pause).await;
        }
    }
}

/// Whether a transaction that is nowhere to be found can no longer take effect.
async fn expired(node: &Node, expiry: Option<Height>) -> Outcome<bool> {
    let Some(expiry) = expiry else {
        return Ok(false);
    };
    Ok(node.status().await?.height_final > expiry)
}

/// The failure of a transaction that execution refused.
fn failed(status: &TxStatus) -> Failure {
    let Receipt { code, reason, .. } = status.receipt.clone().unwrap_or(Receipt {
        ok: false,
        version: None,
        code: None,
        reason: None,
    });
    let why = reason.or_else(|| code.clone()).unwrap_or_else(|| "no reason given".to_owned());
    let message = format!("transaction {}{} failed: {why}", status.hash, place(status));
    let mut failure = Failure::refused(code, message).with("status", status.status);
    if let Some(height) = status.height {
        failure = failure.with("height", height);
    }
    failure
}

fn ask_later(hash: Digest) -> String {
    format!("it may still be pending: ask with `wallet-cli tx status {hash}`")
}

fn place(status: &TxStatus) -> String {
    status.height.map_or_else(String::new, |height| format!(" in block {height}"))
}

pub(crate) const fn state_name(state: TxState) -> &'static str {
    match state {
        TxState::Pending => "pending",
        TxState::Ordered => "ordered",
        TxState::Final => "final",
        TxState::Failed => "failed",
        TxState::Unknown => "unknown",
    }
}

/// Lets a person at a terminal look before the key signs.
fn confirm(
    global: &Global,
    sending: &Sending,
    node: &Node,
    chain: &ChainStatus,
    from: Address,
    summary: &str,
) -> Outcome<()> {
    let terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if sending.yes || global.json || !terminal {
        return Ok(());
    }
    let what = facts([
        ("chain", format!("{} ({})", printable(&chain.name), chain.chain_id)),
        ("node", node.url.clone()),
        ("from", from.to_string()),
        ("action", summary.to_owned()),
    ]);
    eprint!("{what}\nSign and send? [y/N] ");
    let mut answer = String::new();
    let read =
        std::io::stderr().flush().and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(());
    }
    Err(Failure::bad_arguments("not confirmed: nothing was sent"))
}
