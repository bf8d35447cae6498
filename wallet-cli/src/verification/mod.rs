//! Believing nothing that a node cannot prove: `--verify`.
//!
//! docs/proofs.md. A node may still keep silent, and what it proves may be old: [`memory`] makes sure
//! that it is no older than what this wallet saw before.

mod answers;
mod memory;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chain::crypto::Ed25519;
use chain::light::{Claim, Proof, ProvenBlock, Trust, Verdict};
use chain::receipt::Receipt;
use chain::state::{RecordKey, RecordValue};
use chain::types::Digest;
use genesis::Genesis;
use node_api::proof::Subject;

use crate::args::Global;
use crate::connection::Node;
use crate::failure::{Failure, Outcome};
use crate::signing;
use memory::Memory;

/// How long a node may take to reach what this wallet saw of the chain elsewhere.
const PATIENCE: Duration = Duration::from_secs(3);

/// Checks what nodes prove against a genesis.
#[derive(Debug)]
pub(crate) struct Verification {
    trust: Trust,
    memory: Memory,
}

/// Something proven, and the block that it holds after.
#[derive(Debug)]
pub(crate) struct Proven<T> {
    pub(crate) value: T,
    pub(crate) block: ProvenBlock,
}

impl Verification {
    /// As the options say; `None` without `--verify`.
    pub(crate) fn from(global: &Global) -> Outcome<Option<Self>> {
        if !global.verify {
            return Ok(None);
        }
        let trust = trust(global)?;
        let memory = Memory::below(&signing::home(global)?, trust.chain_id);
        Ok(Some(Self { trust, memory }))
    }

    pub(crate) const fn chain_id(&self) -> Digest {
        self.trust.chain_id
    }

    /// What the state holds under a key, no older than what this wallet saw before.
    pub(crate) async fn record(
        &self,
        node: &Node,
        subject: Subject,
        key: &RecordKey,
    ) -> Outcome<Proven<Option<RecordValue>>> {
        let start = Instant::now();
        loop {
            let (proof, block) = self.prove(node, subject.clone()).await?;
            let value = match proof.claim {
                Claim::Record { key: proven, value, .. } if proven == *key => value,
                _ => return Err(unproven("the node proved something else than it was asked for")),
            };
            let seen = self.memory.highest()?;
            if block.height >= seen {
                self.memory.remember(block.height)?;
                return Ok(Proven { value, block });
            }
            if start.elapsed() >= PATIENCE {
                return Err(unproven(format!(
                    "the node proves the state after block {}, but this wallet saw block {seen} of \
                     the chain: the node is behind or hides what is newer; ask another",
                    block.height
                )));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Where a transaction is in the chain and what it did.
    pub(crate) async fn transaction(
        &self,
        node: &Node,
        hash: Digest,
    ) -> Outcome<Proven<(u32, Receipt)>> {
        let (proof, block) = self.prove(node, Subject::Transaction(hash)).await?;
        match proof.claim {
            Claim::Transaction { receipt, transaction_path, .. } if receipt.transaction == hash => {
                self.memory.remember(block.height)?;
                Ok(Proven { value: (transaction_path.index, receipt), block })
            }
            _ => Err(unproven("the node proved another transaction than it was asked for")),
        }
    }

    /// A proof of the node's that holds.
    async fn prove(&self, node: &Node, subject: Subject) -> Outcome<(Proof, ProvenBlock)> {
        let file = node.proof(subject).await?;
        let (proof, verdict) = check(&self.trust, file.as_bytes())
            .map_err(|failure| failure.say("the node's answer is not believed"))?;
        let block = verdict.block.ok_or_else(|| unproven("the node proved nothing of a block"))?;
        Ok((proof, block))
    }
}

/// What the genesis file of the options says of the chain.
pub(crate) fn trust(global: &Global) -> Outcome<Trust> {
    let path = global.genesis.as_deref().ok_or_else(|| {
        Failure::bad_arguments(
            "a proof means nothing without a genesis that you trust: give --genesis FILE",
        )
    })?;
    read_trust(path)
}

fn read_trust(path: &Path) -> Outcome<Trust> {
    let named = |error: &dyn std::fmt::Display| {
        Failure::bad_arguments(format!("{}: {error}", path.display()))
    };
    let genesis = Genesis::read(path).map_err(|error| named(&error))?;
    genesis.validate().map_err(|error| named(&error))?;
    Ok(Trust { chain_id: genesis.hash(), validators: genesis.validator_set() })
}

/// Reads and checks the text of a proof file.
pub(crate) fn check(trust: &Trust, file: &[u8]) -> Outcome<(Proof, Verdict)> {
    let holds = |proof: Proof| {
        let verdict = proof.verify(trust, &Ed25519)?;
        Ok((proof, verdict))
    };
    Proof::from_json(file).and_then(holds).map_err(|error| unproven(error.to_string()))
}

/// The failure of a node, or a file, that does not prove what it says.
pub(crate) fn unproven(message: impl Into<String>) -> Failure {
    Failure::refused(Some("unproven".to_owned()), message)
}

/// Says that an answer is the node's word alone, where proof was asked for.
pub(crate) fn warn_unproven(global: &Global, what: &str) {
    if global.verify {
        eprintln!("warning: not proven: {what}");
    }
}

/// A proven block for people.
pub(crate) fn describe(block: &ProvenBlock) -> String {
    format!("by block {}, {} ({})", block.height, age(block.timestamp_ms), block.hash)
}

/// How long ago, by this machine's clock.
fn age(timestamp_ms: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let then = Duration::from_millis(timestamp_ms);
    match now.checked_sub(then) {
        Some(passed) if passed < Duration::from_secs(120) => format!("{} s old", passed.as_secs()),
        Some(passed) => format!("{} min old", passed.as_secs() / 60),
        None => "by its time from the future".to_owned(),
    }
}
