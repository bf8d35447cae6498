//! Whether a genesis makes a chain that can run.

use std::collections::BTreeMap;
use std::fmt;

use chain::block::Block;
use chain::crypto::PublicKey;
use chain::quorum::{QuorumError, Quorums};
use chain::types::Amount;
use chain::validator::ValidatorSet;
use consensus::engine::FaultModel;

use crate::spec::{ConsensusParameters, Genesis};

/// Longest name of a chain or a validator, in bytes.
const MAX_NAME_BYTES: usize = 64;
/// Longest timeout that may be asked for: ten minutes.
const MAX_TIMEOUT_MS: u64 = 600_000;
/// Most blocks in flight. The report of a validator in a view change names each.
const MAX_PIPELINE: u32 = 32;

/// Everything that is wrong with a genesis, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Problems {}

impl Genesis {
    /// Checks everything that can be checked without the other validators.
    ///
    /// # Errors
    /// [`Problems`] with every fault, not only the first.
    pub fn validate(&self) -> Result<(), Problems> {
        let mut problems = Vec::new();
        check_identity(self, &mut problems);
        check_validators(self, &mut problems);
        check_consensus(&self.consensus, &mut problems);
        check_parameters(self, &mut problems);
        check_balances(self, &mut problems);
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }
}

fn check_identity(genesis: &Genesis, problems: &mut Vec<String>) {
    if genesis.format_version != Genesis::FORMAT_VERSION {
        problems.push(format!(
            "format_version is {} but this version reads {}",
            genesis.format_version,
            Genesis::FORMAT_VERSION
        ));
    }
    check_name("chain", &genesis.chain, problems);
    if genesis.time_ms == 0 {
        problems.push("time_ms is 0: set it to the time of creation in Unix milliseconds".into());
    }
}

fn check_name(what: &str, name: &str, problems: &mut Vec<String>) {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > MAX_NAME_BYTES || !name.bytes().all(allowed) {
        problems.push(format!(
            "{what}: the name {name:?} is not 1 to {MAX_NAME_BYTES} letters, digits, '-', '_' or '.'"
        ));
    }
}

fn check_validators(genesis: &Genesis, problems: &mut Vec<String>) {
    let n = genesis.validators.len();
    if n > ValidatorSet::MAX {
        problems.push(format!("{n} validators where at most {} are supported", ValidatorSet::MAX));
    }
    let max_faulty = genesis.max_faulty();
    match Quorums::new(n, usize::from(max_faulty)) {
        // Its quorums are majorities, which no liar may sit in.
        _ if max_faulty > 0 && genesis.engine.fault_model() == FaultModel::Crash => {
            problems.push(format!(
                "consensus.max_faulty is {max_faulty}, but the engine {} tolerates crashes alone: \
                 set it to 0, leave it out, or choose an engine that tolerates liars",
                genesis.engine
            ));
        }
        Ok(_) => {}
        Err(error @ QuorumError::Empty) => problems.push(format!("validators: {error}")),
        Err(error) => problems.push(format!("consensus.max_faulty: {error}")),
    }
    let mut names = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for (place, validator) in genesis.validators.iter().enumerate() {
        check_name(&format!("validator {place}"), &validator.name, problems);
        if let Some(other) = names.insert(&validator.name, place) {
            problems.push(format!(
                "validators {other} and {place} share the name {:?}",
                validator.name
            ));
        }
        let roles = [
            ("consensus_key", &validator.consensus_key),
            ("network_key", &validator.network_key),
            ("governance_key", &validator.governance_key),
        ];
        for (role, key) in roles {
            check_key(&format!("validator {place}: {role}"), key, problems);
            // One key in two roles would let a thief of one act in the other.
            if let Some((other, other_role)) = keys.insert(key, (place, role)) {
                problems.push(format!(
                    "validator {place}: {role} is the {other_role} of validator {other} again"
                ));
            }
        }
    }
}

fn check_key(what: &str, key: &PublicKey, problems: &mut Vec<String>) {
    match ed25519_dalek::VerifyingKey::from_bytes(key.as_bytes()) {
        Err(_) => problems.push(format!("{what} is not an Ed25519 public key")),
        Ok(point) if point.is_weak() => {
            problems.push(format!("{what} is a weak key: anyone can sign for it"));
        }
        Ok(_) => {}
    }
}

fn check_consensus(parameters: &ConsensusParameters, problems: &mut Vec<String>) {
    let ConsensusParameters { timeout_min_ms: min, timeout_max_ms: max, .. } = *parameters;
    let mut require = |holds: bool, problem: String| {
        if !holds {
            problems.push(format!("consensus.{problem}"));
        }
    };
    require((10..=MAX_TIMEOUT_MS).contains(&min), {
        format!("timeout_min_ms is {min}, not 10 to {MAX_TIMEOUT_MS}")
    });
    require((min..=MAX_TIMEOUT_MS).contains(&max), {
        format!("timeout_max_ms is {max}, not timeout_min_ms ({min}) to {MAX_TIMEOUT_MS}")
    });
    let heartbeat = parameters.heartbeat_ms;
    require(heartbeat >= 1 && heartbeat <= min / 2, {
        format!("heartbeat_ms is {heartbeat}, not 1 to half of timeout_min_ms ({})", min / 2)
    });
    for (name, value) in
        [("grace_ms", parameters.grace_ms), ("block_interval_ms", parameters.block_interval_ms)]
    {
        require(value <= min / 2, {
            format!("{name} is {value}, above half of timeout_min_ms ({})", min / 2)
        });
    }
    let most = Block::MAX_TRANSACTIONS as u32;
    let batch = parameters.batch;
    require((1..=most).contains(&batch), format!("batch is {batch}, not 1 to {most}"));
    let pipeline = parameters.pipeline;
    require((1..=MAX_PIPELINE).contains(&pipeline), {
        format!("pipeline is {pipeline}, not 1 to {MAX_PIPELINE}")
    });
}

fn check_parameters(genesis: &Genesis, problems: &mut Vec<String>) {
    problems.extend(genesis.parameters().problems());
    let mut seen = BTreeMap::new();
    for (place, entry) in genesis.roles.iter().enumerate() {
        if let Some(other) = seen.insert(entry.address, place) {
            problems.push(format!("roles {other} and {place} are both of {}", entry.address));
        }
        if entry.roles.is_empty() {
            problems.push(format!("roles {place} has no role: leave it out"));
        }
        for (nth, role) in entry.roles.iter().enumerate() {
            if entry.roles[..nth].contains(role) {
                problems.push(format!("roles {place} has the role {role} twice"));
            }
        }
    }
}

fn check_balances(genesis: &Genesis, problems: &mut Vec<String>) {
    let mut seen = BTreeMap::new();
    let mut sum = Some(Amount::ZERO);
    for (place, balance) in genesis.balances.iter().enumerate() {
        if let Some(other) = seen.insert(balance.address, place) {
            problems.push(format!("balances {other} and {place} are both of {}", balance.address));
        }
        if balance.amount == Amount::ZERO {
            problems.push(format!("balance {place} is 0: leave it out"));
        }
        sum = sum.and_then(|sum| sum.checked_add(balance.amount));
    }
    if sum.is_none() {
        problems.push("the balances add up to more than an amount can hold".into());
    }
}

#[cfg(test)]
mod tests;
