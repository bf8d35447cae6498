//! Chains of validator sets.

use proptest::prelude::*;

use super::maker::{above, bare_header, certify, set_of};
use crate::block::{BlockKind, Header};
use crate::certificate::VoteKind;
use crate::codec;
use crate::crypto::{Ed25519, Keypair};
use crate::light::{
    BreakReason, EpochChange, FinalityPath, Lineage, LineageError, PathError, Trust,
};
use crate::testing::{CHAIN, cases, keypair};
use crate::types::{Digest, Epoch, ValidatorIndex, View};

/// Epochs whose sets have these keys, each barrier final by its own set.
fn lineage(epochs: &[Vec<u8>], by_seal: bool) -> (Trust, Lineage) {
    let keys = |numbers: &[u8]| numbers.iter().copied().map(keypair).collect::<Vec<Keypair>>();
    let mut members = keys(&epochs[0]);
    let mut set = set_of(0, &members);
    let trust = Trust { chain_id: CHAIN, validators: set.clone() };
    let (mut changes, mut parent, mut height) = (Vec::new(), CHAIN, 0);
    for next in &epochs[1..] {
        height += 5;
        let next_members = keys(next);
        let epoch = set.epoch.next();
        let mut validators = set_of(epoch.get(), &next_members);
        validators.first_view = View::new(height);
        let barrier = Header {
            kind: BlockKind::Barrier,
            next_validators_hash: validators.hash(&CHAIN),
            ..bare_header(&set, height, parent)
        };
        let seal = by_seal.then(|| above(&barrier, BlockKind::Seal));
        let certified = seal.as_ref().unwrap_or(&barrier);
        let quorum = set.quorums().quorum;
        let certificate = certify(certified, VoteKind::Commit, &members, quorum);
        let finality = FinalityPath { certificate, headers: seal.into_iter().collect() };
        parent = barrier.hash(&CHAIN);
        changes.push(EpochChange { barrier, finality, validators: validators.clone() });
        (set, members) = (validators, next_members);
    }
    (trust, Lineage(changes))
}

/// Four epochs: one joins, two leave, all are replaced.
fn four_epochs() -> Vec<Vec<u8>> {
    vec![vec![1, 2, 3, 4], vec![1, 2, 3, 4, 5], vec![2, 4, 5], (30..40).collect()]
}

#[test]
fn sets_are_followed_over_changes_of_members() {
    for by_seal in [false, true] {
        let (trust, lineage) = lineage(&four_epochs(), by_seal);
        let last = lineage.verify(&trust, &Ed25519).unwrap();
        assert_eq!((last.epoch.get(), last.len()), (3, 10));
        let bytes = codec::encode(&lineage);
        assert_eq!(codec::decode::<Lineage>(&bytes).unwrap(), lineage);
    }
    let (trust, none) = lineage(&four_epochs()[..1], false);
    assert_eq!(none.verify(&trust, &Ed25519).unwrap(), &trust.validators);
}

#[test]
fn every_break_is_named() {
    let (trust, good) = lineage(&four_epochs(), true);
    let broken = |change: &dyn Fn(&mut Vec<EpochChange>)| {
        let mut lineage = good.clone();
        change(&mut lineage.0);
        match lineage.verify(&trust, &Ed25519) {
            Err(LineageError::Break { epoch, reason }) => (epoch.get(), reason),
            other => panic!("{other:?}"),
        }
    };
    let other = Digest([9; 32]);
    assert_eq!(broken(&|all| all[1].barrier.chain_id = other), (1, BreakReason::OtherChain(other)));
    assert_eq!(
        broken(&|all| drop(all.remove(1))),
        (1, BreakReason::OtherEpoch(Epoch::new(2))),
        "an epoch is left out"
    );
    assert_eq!(
        broken(&|all| all[2].barrier.kind = BlockKind::Ordinary),
        (2, BreakReason::NoBarrier)
    );
    assert_eq!(broken(&|all| all[0].barrier.validators_hash = other), (0, BreakReason::OtherSet));
    assert_eq!(
        broken(&|all| all[1].barrier.timestamp_ms += 1),
        (1, BreakReason::NotFinal(PathError::OtherBlock))
    );
    assert_eq!(
        broken(&|all| all[1].validators.get_mut(ValidatorIndex::new(0)).unwrap().jailed = true),
        (1, BreakReason::OtherNextSet)
    );
    let forged = |all: &mut Vec<EpochChange>| {
        // Those who left, or never were members, sign a set of their own.
        let strangers = [1, 3, 9].map(keypair);
        let change = &mut all[2];
        change.validators = set_of(3, &strangers);
        change.barrier.next_validators_hash = change.validators.hash(&CHAIN);
        let certificate = certify(&change.barrier, VoteKind::Commit, &strangers, 3);
        change.finality = FinalityPath { certificate, headers: Vec::new() };
    };
    let (epoch, reason) = broken(&forged);
    assert_eq!((epoch, reason), (2, BreakReason::NotFinal(PathError::Signature)));
}

#[test]
fn a_set_that_cannot_work_is_refused_whoever_signed_it() {
    let keys: Vec<Keypair> = [1, 2, 3, 4].map(keypair).into();
    let set = set_of(0, &keys);
    let mut next = set_of(1, &keys);
    next.max_faulty = 2;
    let barrier = Header {
        kind: BlockKind::Barrier,
        next_validators_hash: next.hash(&CHAIN),
        ..bare_header(&set, 1, CHAIN)
    };
    let certificate = certify(&barrier, VoteKind::Commit, &keys, 4);
    let finality = FinalityPath { certificate, headers: Vec::new() };
    let change = EpochChange { barrier, finality, validators: next };
    let refused = change.verify(&CHAIN, &set, &Ed25519).unwrap_err();
    assert!(matches!(refused, BreakReason::Unusable(_)), "{refused}");

    let mut validators = set;
    validators.max_faulty = 2;
    let genesis = Trust { chain_id: CHAIN, validators };
    assert!(matches!(Lineage::default().verify(&genesis, &Ed25519), Err(LineageError::Genesis(_))));
    let long = Lineage(vec![change; Lineage::MAX + 1]);
    assert_eq!(long.verify(&genesis, &Ed25519), Err(LineageError::TooLong(Lineage::MAX + 1)));
}

/// Up to five epochs of one to seven members out of nine.
fn any_epochs() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let members = proptest::sample::subsequence((1..=9).collect::<Vec<u8>>(), 1..=7);
    proptest::collection::vec(members, 2..=5)
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn any_changes_of_members_are_followed_and_no_damage_is(
        epochs in any_epochs(),
        by_seal in any::<bool>(),
        place in any::<proptest::sample::Index>(),
        flip in 1..=255u8,
    ) {
        let (trust, good) = lineage(&epochs, by_seal);
        let last = good.verify(&trust, &Ed25519).unwrap();
        prop_assert_eq!(last.len(), epochs.last().unwrap().len());
        let mut bytes = codec::encode(&good);
        let place = place.index(bytes.len());
        bytes[place] ^= flip;
        if let Ok(damaged) = codec::decode::<Lineage>(&bytes) {
            prop_assert!(damaged.verify(&trust, &Ed25519).is_err(), "byte {} of {}", place, bytes.len());
        }
    }
}
