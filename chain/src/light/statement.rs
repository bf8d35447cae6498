//! What a proof says, in a sentence.

use super::{Claim, Proof};
use crate::crypto::PublicKey;
use crate::evidence::Evidence;
use crate::receipt::Outcome;
use crate::state::{RecordKey, RecordValue};
use crate::transaction::{Body, Transaction};
use crate::types::Digest;

/// Most bytes of a key or a value that a sentence shows; the rest stands in the file.
const MAX_SHOWN: usize = 64;

impl Proof {
    /// What the proof says. True only if it [verifies](Self::verify).
    pub fn statement(&self) -> String {
        let chain = &self.chain_id;
        match &self.claim {
            Claim::Transaction { transaction, receipt, block, .. } => {
                let result = match &receipt.outcome {
                    Outcome::Success => "executed successfully".to_owned(),
                    Outcome::Failed(reason) => format!("without effect because {reason}"),
                };
                format!(
                    "Transaction {} is final in block {} of chain {chain}, {result}: {}.",
                    transaction.hash(chain),
                    block.header.height,
                    action(transaction)
                )
            }
            Claim::Record { key, value, block, .. } => format!(
                "After block {} of chain {chain} {}.",
                block.header.height,
                record(key, value.as_ref())
            ),
            Claim::Equivocation { accused, evidence } => equivocation(chain, accused, evidence),
        }
    }
}

/// What a transaction asked for.
fn action(transaction: &Transaction) -> String {
    let signed = match transaction {
        Transaction::Signed(signed) => signed,
        Transaction::Evidence(evidence) => {
            let (accused, epoch) = (evidence.accused(), evidence.epoch());
            return format!("validator {accused} of epoch {epoch} was caught equivocating");
        }
    };
    let sender = signed.sender();
    match &signed.payload.body {
        Body::Transfer { to, amount, .. } => format!("{sender} pays {amount} to {to}"),
        Body::Put { key, value } => {
            format!("{sender} puts {} under the key {}", shown(value), shown(key))
        }
        Body::Delete { key } => format!("{sender} deletes the key {}", shown(key)),
        Body::CompareAndSwap { key, value, .. } => {
            format!("{sender} swaps the key {} to {}", shown(key), shown(value))
        }
        Body::Governance { .. } => format!("{sender} takes part in governance"),
    }
}

/// What the state holds under a key.
fn record(key: &RecordKey, value: Option<&RecordValue>) -> String {
    match (key, value) {
        (RecordKey::Account(address), Some(RecordValue::Account(account))) => format!(
            "the account {address} owns {} and has sent {} transactions",
            account.balance, account.nonce
        ),
        (RecordKey::Account(address), None) => {
            format!("the account {address} owns nothing and has sent no transaction")
        }
        (RecordKey::Entry(name), Some(RecordValue::Entry(entry))) => format!(
            "the key {} holds {} in version {}",
            shown(name),
            shown(&entry.value),
            entry.version
        ),
        (RecordKey::Entry(name), None) => format!("the key {} does not exist", shown(name)),
        (RecordKey::Validators(epoch), Some(RecordValue::Validators(set))) => {
            let keys: Vec<String> =
                set.validators.iter().map(|one| one.consensus_key.to_string()).collect();
            format!("the validators of epoch {epoch} are {}", keys.join(", "))
        }
        (RecordKey::Validators(epoch), None) => format!("no epoch {epoch} has begun"),
        (RecordKey::Chain, Some(RecordValue::Chain(chain))) => {
            format!("epoch {} votes, and all balances sum to {}", chain.epoch, chain.total_supply)
        }
        (key, Some(value)) => {
            format!(
                "the record with the key hash {} has the value hash {}",
                key.hash(),
                value.hash()
            )
        }
        (key, None) => format!("there is no record with the key hash {}", key.hash()),
    }
}

fn equivocation(chain: &Digest, accused: &PublicKey, evidence: &Evidence) -> String {
    let what = match evidence {
        Evidence::Proposals { .. } => "proposed two different blocks",
        Evidence::Votes { .. } => "voted for two different blocks",
    };
    format!(
        "The validator with the consensus key {accused}, number {} of epoch {} of chain {chain}, \
         equivocated: it {what} at view {}, height {}.",
        evidence.accused(),
        evidence.epoch(),
        evidence.view(),
        evidence.height()
    )
}

/// Bytes as quoted text where they are plain, else in hexadecimal; long ones by their beginning.
fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(MAX_SHOWN)];
    let plain = start.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(byte));
    let text = if plain {
        format!("\"{}\"", start.escape_ascii())
    } else {
        format!("0x{}", hex::encode(start))
    };
    if start.len() == bytes.len() { text } else { format!("{text}… ({} bytes)", bytes.len()) }
}
