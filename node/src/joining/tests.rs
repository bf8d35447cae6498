use std::path::Path;

use chain::crypto::{Ed25519, Keypair, PublicKey};
use chain::genesis::genesis_state;
use chain::governance::{
    Candidate, Change, GovernanceRecord, KeyKind, Parameters, Proposal, ProposalStatus,
};
use chain::state::{RecordKey, RecordValue, State};
use chain::transaction::Body;
use chain::types::{Digest, Epoch, Height, View};
use chain::validator::{Validator, ValidatorSet};
use genesis::{files, keyfile};

use super::attendant::awaiting;
use super::signer::Tip;
use super::*;
use crate::home::Home;

fn key(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

/// Whose keys are these, in the order of [`Validator`].
fn member(consensus: PublicKey, network: PublicKey, governance: PublicKey) -> Validator {
    Validator {
        consensus_key: consensus,
        network_key: network,
        governance_key: governance,
        jailed: false,
        accused: false,
        since: Epoch::new(0),
    }
}

fn set(first: Validator) -> ValidatorSet {
    let public = |seed| key(seed).public();
    let other = |base| member(public(base), public(base + 1), public(base + 2));
    let members = [first, other(210), other(220), other(230)];
    ValidatorSet::new(Epoch::new(0), View::new(0), 1, members)
}

/// A home with one key of each kind staged.
fn staged_home(directory: &Path) -> Home {
    let home = Home::new(directory);
    home.create("one", None).unwrap();
    let kinds = [KeyKind::Consensus, KeyKind::Network, KeyKind::Governance];
    for (seed, kind) in (1..).zip(kinds) {
        keyfile::write(&home.next_key_path(kind), &key(seed)).unwrap();
    }
    home
}

fn public_at(path: &Path) -> PublicKey {
    keyfile::read(path).unwrap().public()
}

#[test]
fn staged_keys_are_put_in_force_when_the_set_names_them_and_not_before() {
    let directory = tempfile::tempdir().unwrap();
    let home = staged_home(directory.path());
    let keys = home.keys().unwrap();
    let (old, old_network) = (keys.validator.public(), keys.network.public());
    let old_governance = public_at(&home.key_path(KeyKind::Governance));
    let [next, next_network, next_governance] = [1, 2, 3].map(|seed| key(seed).public());

    // Neither a set with the old keys, nor one without this node, changes anything.
    for unchanged in [member(old, old_network, old_governance), member(key(9).public(), old, old)] {
        assert!(!promote_due(&home, &keys.validator.public(), &set(unchanged)).unwrap());
    }
    // The network key first: the set says so of the member with the old consensus key.
    let changed = set(member(old, next_network, old_governance));
    assert!(promote_due(&home, &keys.validator.public(), &changed).unwrap());
    assert_eq!(public_at(&home.network_key_path()), next_network);
    assert_eq!(public_at(&home.validator_key_path()), old);

    let keys = home.keys().unwrap();
    let changed = set(member(next, next_network, next_governance));
    assert!(promote_due(&home, &keys.validator.public(), &changed).unwrap());
    assert_eq!(public_at(&home.validator_key_path()), next);
    assert_eq!(public_at(&home.key_path(KeyKind::Governance)), next_governance);
    let kept = home.old_key_path(KeyKind::Consensus, &old.to_string()[..16]);
    assert_eq!(public_at(&kept), old, "the old key is kept");
    let keys = home.keys().unwrap();
    assert!(!promote_due(&home, &keys.validator.public(), &changed).unwrap(), "once");
}

#[test]
fn a_crash_at_any_step_of_a_promotion_leaves_a_home_that_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let home = staged_home(directory.path());
    let keys = home.keys().unwrap();
    let old = keys.validator.public();
    let changed = set(member(key(1).public(), keys.network.public(), key(8).public()));
    // After the old key got its second name: still the old one is in force.
    let kept = home.old_key_path(KeyKind::Consensus, &old.to_string()[..16]);
    files::also_name(&home.validator_key_path(), &kept).unwrap();
    assert_eq!(home.keys().unwrap().validator.public(), old);
    assert!(promote_due(&home, &home.keys().unwrap().validator.public(), &changed).unwrap());
    assert_eq!(public_at(&home.validator_key_path()), key(1).public());
    // After the new one took its place: nothing is left to do.
    assert!(!promote_due(&home, &home.keys().unwrap().validator.public(), &changed).unwrap());
    assert_eq!(public_at(&kept), old);
}

#[test]
fn the_signer_signs_that_its_node_is_ready_and_nothing_else() {
    let signer = ReadySigner::new(key(1));
    let tip = Tip { chain_id: Digest([7; 32]), height: Height::new(90), hash: Digest([8; 32]) };
    let signed = signer.sign(5, tip, 2);
    assert!(signed.check_form(&tip.chain_id).is_ok() && signed.verify_signature(&Ed25519));
    assert_eq!(signed.sender(), key(1).public().address());
    assert_eq!((signed.payload.nonce, signed.payload.expiry), (2, Height::new(154)));
    let Body::Governance(chain::governance::GovernanceAction::Ready { proposal, height, block }) =
        signed.payload.body
    else {
        panic!("{signed:?}")
    };
    assert_eq!((proposal, height, block), (5, tip.height, tip.hash));
    assert_eq!(signer.public(), key(1).public());
}

/// A state in which these proposals are on record.
fn state_with(proposals: &[Proposal]) -> State {
    let public = |seed| key(seed).public();
    let validators = set(member(public(200), public(201), public(202)));
    let state = genesis_state([], validators, Parameters::default(), []).unwrap();
    let mut records: Vec<_> =
        state.records().map(|(key, value)| (key.clone(), value.clone())).collect();
    for proposal in proposals {
        let value = RecordValue::Proposal(Box::new(proposal.clone()));
        records.push((RecordKey::Proposal(proposal.id), value));
    }
    let newest = proposals.last().map_or(0, |proposal| proposal.id);
    let open = proposals.iter().map(|proposal| proposal.id).collect();
    let record = GovernanceRecord { newest, open, closed: Vec::new() };
    records.push((RecordKey::Governance, RecordValue::Governance(record)));
    State::from_records(records).unwrap()
}

#[test]
fn a_node_is_awaited_by_the_proposal_that_names_its_key_until_it_expires() {
    let public = |seed| key(seed).public();
    let proposal = |id, change, status| Proposal {
        id,
        change,
        proposer: public(200),
        proposed_at: Height::new(10),
        expires: Height::new(100),
        approvals: vec![public(200)],
        status,
    };
    let candidate = |seed| Candidate {
        consensus_key: public(seed),
        network_key: public(seed + 1),
        governance_key: public(seed + 2),
    };
    let add = |seed| Change::AddValidator { candidate: candidate(seed) };
    let rotate = |key, new_key| Change::RotateKey { validator: public(210), key, new_key };
    let state = state_with(&[
        proposal(1, add(1), ProposalStatus::AwaitsReady),
        proposal(2, add(11), ProposalStatus::Open),
        proposal(3, rotate(KeyKind::Consensus, public(21)), ProposalStatus::AwaitsReady),
        proposal(4, rotate(KeyKind::Network, public(31)), ProposalStatus::AwaitsReady),
        proposal(5, add(41), ProposalStatus::Withdrawn { height: Height::new(20) }),
        proposal(6, add(200), ProposalStatus::AwaitsReady),
    ]);
    let awaited = |seed, height| awaiting(&state, Height::new(height), &public(seed));
    assert_eq!((awaited(1, 50), awaited(1, 99), awaited(1, 100)), (Some(1), Some(1), None));
    assert_eq!(awaited(21, 50), Some(3));
    for (seed, why) in [
        (11, "no quorum yet"),
        (31, "a network key needs no node at the tip"),
        (41, "withdrawn"),
        (200, "a member already"),
        (77, "nobody asked for it"),
    ] {
        assert_eq!(awaited(seed, 50), None, "{why}");
    }
}
