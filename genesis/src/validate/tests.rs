use chain::access::Role;
use chain::types::Address;
use consensus::registry::EngineName;

use super::*;
use crate::spec::tests::example;
use crate::spec::{GenesisBalance, GenesisRoles};

#[test]
fn the_examples_are_valid() {
    for validators in [1, 3, 4, 7, 10] {
        example(validators).validate().unwrap();
    }
}

/// One fault each: the line that names it, and no other line.
#[test]
fn every_fault_is_named() {
    type Change = fn(&mut Genesis);
    let table: [(Change, &str); 28] = [
        (|g| g.format_version = 1, "format_version is 1 but this version reads 2"),
        (|g| g.chain.clear(), "chain: the name \"\" is not"),
        (|g| g.chain = "a b".into(), "chain: the name \"a b\" is not"),
        (|g| g.chain = "x".repeat(65), "is not 1 to 64 letters"),
        (|g| g.time_ms = 0, "time_ms is 0"),
        (|g| g.validators.clear(), "validators: a chain needs at least one validator"),
        (
            |g| g.consensus.max_faulty = Some(2),
            "consensus.max_faulty: 4 validators cannot tolerate 2 Byzantine ones: that needs at \
             least 7",
        ),
        (|g| g.validators[1].name = "node0".into(), "validators 0 and 1 share the name \"node0\""),
        (|g| g.validators[1].name = "a/b".into(), "validator 1: the name \"a/b\" is not"),
        (
            |g| g.validators[2].network_key = g.validators[0].network_key,
            "validator 2: network_key is the network_key of validator 0 again",
        ),
        (
            |g| g.validators[3].governance_key = g.validators[3].consensus_key,
            "validator 3: governance_key is the consensus_key of validator 3 again",
        ),
        (
            |g| g.validators[0].consensus_key = not_a_point(),
            "validator 0: consensus_key is not an Ed25519 public key",
        ),
        (
            |g| g.validators[0].consensus_key = the_neutral_point(),
            "validator 0: consensus_key is a weak key",
        ),
        (
            |g| {
                g.consensus.timeout_min_ms = 9;
                (g.consensus.heartbeat_ms, g.consensus.grace_ms) = (4, 4);
                g.consensus.block_interval_ms = 4;
            },
            "consensus.timeout_min_ms is 9",
        ),
        (|g| g.consensus.timeout_max_ms = 499, "consensus.timeout_max_ms is 499"),
        (|g| g.consensus.timeout_max_ms = 600_001, "consensus.timeout_max_ms is 600001"),
        (|g| g.consensus.heartbeat_ms = 0, "consensus.heartbeat_ms is 0"),
        (|g| g.consensus.heartbeat_ms = 251, "consensus.heartbeat_ms is 251"),
        (|g| g.consensus.grace_ms = 251, "consensus.grace_ms is 251"),
        (|g| g.consensus.batch = 0, "consensus.batch is 0"),
        (|g| g.consensus.pipeline = 33, "consensus.pipeline is 33"),
        (|g| g.limits.block_transactions = 0, "block_transactions is 0"),
        (|g| g.limits.block_bytes = 1000, "block_bytes is 1000"),
        (|g| g.governance.proposal_lifetime = 0, "proposal_lifetime is 0"),
        (|g| g.roles = vec![roles(&[Role::Member]), roles(&[Role::Reader])], "roles 0 and 1 are"),
        (|g| g.roles = vec![roles(&[])], "roles 0 has no role"),
        (|g| g.roles = vec![roles(&[Role::Reader; 2])], "roles 0 has the role reader twice"),
        (|g| g.balances[1].amount = Amount::ZERO, "balance 1 is 0"),
    ];
    for (change, expected) in table {
        let mut genesis = example(4);
        change(&mut genesis);
        let Problems(lines) = genesis.validate().expect_err(expected);
        assert_eq!(lines.len(), 1, "{expected}: {lines:?}");
        assert!(lines[0].contains(expected), "{expected}: {lines:?}");
        assert!(!lines[0].contains('\n'), "{lines:?}");
    }
}

fn roles(roles: &[Role]) -> GenesisRoles {
    GenesisRoles { address: Address([7; 20]), roles: roles.to_vec() }
}

#[test]
fn engines_that_tolerate_crashes_alone_tolerate_no_liar() {
    let engines = EngineName::ALL.iter().filter(|e| e.fault_model() == FaultModel::Crash);
    for engine in engines.copied() {
        let mut genesis = Genesis { engine, ..example(4) };
        assert_eq!((genesis.max_faulty(), genesis.validator_set().quorums().quorum), (0, 3));
        genesis.validate().unwrap();
        genesis.consensus.max_faulty = Some(1);
        let Problems(lines) = genesis.validate().unwrap_err();
        let expected = format!("max_faulty is 1, but the engine {engine} tolerates crashes alone");
        assert!(lines.len() == 1 && lines[0].contains(&expected), "{lines:?}");
    }
}

#[test]
fn balances_must_fit_and_be_distinct() {
    let mut genesis = example(4);
    genesis.balances.push(genesis.balances[0].clone());
    let text = genesis.validate().unwrap_err().to_string();
    assert!(text.starts_with("balances 0 and 2 are both of cat1"), "{text}");

    let mut genesis = example(4);
    genesis
        .balances
        .push(GenesisBalance { address: Address([7; 20]), amount: Amount::new(u128::MAX) });
    let text = genesis.validate().unwrap_err().to_string();
    assert!(text.contains("more than an amount can hold"), "{text}");
}

#[test]
fn too_many_validators_are_refused() {
    let mut genesis = example(1);
    genesis.validators = vec![genesis.validators[0].clone(); ValidatorSet::MAX + 1];
    let text = genesis.validate().unwrap_err().to_string();
    assert!(text.contains("129 validators where at most 128 are supported"), "{text}");
}

#[test]
fn all_faults_are_listed_at_once() {
    let mut genesis = example(4);
    genesis.time_ms = 0;
    genesis.consensus.max_faulty = Some(9);
    genesis.balances[0].amount = Amount::ZERO;
    let Problems(lines) = genesis.validate().unwrap_err();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(Problems(lines).to_string().lines().count(), 3);
}

/// y = 2 is on no point of the curve.
fn not_a_point() -> PublicKey {
    let mut bytes = [0; 32];
    bytes[0] = 2;
    PublicKey(bytes)
}

fn the_neutral_point() -> PublicKey {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    PublicKey(bytes)
}
