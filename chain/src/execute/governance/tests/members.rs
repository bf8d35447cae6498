//! What changes of the validators make of their set.

use super::*;
use crate::testing::double_vote;

#[test]
fn a_joiner_is_admitted_with_its_own_word() {
    let mut chain = Chain::new(4);
    assert_eq!(chain.pass(add(4)), Outcome::Success);
    assert_eq!((chain.epoch(), chain.status(1)), (0, ProposalStatus::AwaitsReady));
    chain.done(governor(3), approve(1));
    let ready = chain.ready(1, 1);
    let execution = chain.block(&[], &[(signer(4), ready)]);
    let next = execution.next_validators.unwrap();
    assert_eq!(&next, chain.state.validators());
    assert_eq!((next.epoch, next.first_view), (Epoch::new(1), View::new(41)));
    assert_eq!((next.len(), next.max_faulty), (5, 1));
    let (_, joiner) = next.members().find(|(_, member)| member.consensus_key == key(4)).unwrap();
    assert_eq!(joiner.network_key, candidate(4).network_key);
    assert_eq!(joiner.governance_key, candidate(4).governance_key);
    assert_eq!((joiner.jailed, joiner.accused, joiner.since), (false, false, Epoch::new(1)));
    let height = Height::new(chain.height);
    assert_eq!(chain.status(1), ProposalStatus::Executed { height });
    // From the next epoch on it decides with the others.
    chain.active.push(key(4));
    chain.done(governor(4), propose(grant(50)));
}

#[test]
fn the_tolerance_follows_the_size() {
    let mut chain = Chain::new(6);
    for (number, max_faulty) in [(6, 2), (7, 2), (8, 2), (9, 3)] {
        assert_eq!(chain.pass(add(number)), Outcome::Success);
        let ready = chain.ready(chain.state.governance().newest, 1);
        chain.done(signer(number), ready);
        chain.active.push(key(number));
        let set = chain.state.validators();
        assert_eq!((set.len() as u16, set.max_faulty), (number + 1, max_faulty));
    }
    for (number, max_faulty) in
        [(9, 2), (8, 2), (7, 2), (6, 1), (5, 1), (4, 1), (3, 0), (2, 0), (1, 0)]
    {
        assert_eq!(chain.pass(remove(number)), Outcome::Success, "without {number}");
        let set = chain.state.validators();
        assert_eq!((set.len() as u16, set.max_faulty), (number, max_faulty));
        assert_eq!(set.check(), Ok(()));
    }
    assert_eq!(chain.epoch(), 13);
    for epoch in 0..13 {
        assert!(chain.state.validators_of(Epoch::new(epoch)).is_some(), "evidence needs them all");
    }
}

#[test]
fn crash_engines_tolerate_no_liar_at_any_size() {
    let mut chain = Chain::with(3, Parameters { crash_only: true, ..Parameters::default() });
    for number in 3..7 {
        assert_eq!(chain.pass(add(number)), Outcome::Success);
        let ready = chain.ready(chain.state.governance().newest, 1);
        chain.done(signer(number), ready);
        assert_eq!(chain.state.validators().max_faulty, 0);
    }
}

#[test]
fn a_validator_may_remove_itself() {
    let mut chain = Chain::new(4);
    chain.done(governor(3), propose(remove(3)));
    for number in 0..2 {
        chain.done(governor(number), approve(1));
    }
    assert!(chain.state.validators().index_of(&key(3)).is_none());
    let height = Height::new(chain.height);
    assert_eq!(chain.status(1), ProposalStatus::Executed { height });
}

#[test]
fn network_and_governance_keys_rotate_at_once() {
    let mut chain = Chain::new(4);
    assert_eq!(chain.pass(rotate(3, KeyKind::Network, key(50))), Outcome::Success);
    assert_eq!(chain.pass(rotate(3, KeyKind::Governance, key(51))), Outcome::Success);
    let set = chain.state.validators();
    let member = set.get(set.index_of(&key(3)).unwrap()).unwrap();
    assert_eq!((member.network_key, member.governance_key), (key(50), key(51)));
    assert_eq!(member.since, Epoch::new(0), "it is the same validator");
    assert_eq!(chain.epoch(), 2);
    assert_eq!(
        chain.act(governor(3), propose(grant(60))),
        refused(GovernanceRefusal::NotAGovernor)
    );
    chain.done(signer(51), propose(grant(60)));
}

#[test]
fn a_consensus_key_rotates_with_the_word_of_the_new_one() {
    let mut chain = Chain::new(4);
    chain.block(&[double_vote(0, 3, 1)], &[]);
    assert_eq!(chain.pass(rotate(3, KeyKind::Consensus, key(50))), Outcome::Success);
    assert_eq!(chain.status(1), ProposalStatus::AwaitsReady);
    chain.done(signer(50), chain.ready(1, 1));
    let set = chain.state.validators();
    assert_eq!((set.len(), set.epoch), (4, Epoch::new(2)));
    assert_eq!(set.index_of(&key(3)), None);
    let member = set.get(set.index_of(&key(50)).unwrap()).unwrap();
    assert_eq!((member.network_key, member.governance_key), (key(203), key(403)));
    assert_eq!((member.jailed, member.accused), (true, false), "a sentence stays");
    assert_eq!(member.since, Epoch::new(2));
    // The old key's wrongs are not the new one's.
    let piece = double_vote(1, 3, 9);
    assert!(!crate::execute::evidence_counts(&chain.state, &piece, &CHAIN, &Cheap));
}

#[test]
fn sentences_and_pardons() {
    let mut chain = Chain::new(4);
    chain.block(&[double_vote(0, 2, 1)], &[]);
    let flags = |chain: &Chain| {
        let set = chain.state.validators();
        let member = set.get(set.index_of(&key(2)).unwrap()).unwrap();
        (member.jailed, member.accused, member.since.get())
    };
    assert_eq!(flags(&chain), (true, true, 0));
    assert_eq!(chain.pass(pardon(2)), Outcome::Success);
    assert_eq!(flags(&chain), (false, false, 2));
    for epoch in [0, 1] {
        let piece = double_vote(epoch, 2, 7);
        assert!(!crate::execute::evidence_counts(&chain.state, &piece, &CHAIN, &Cheap));
    }
    let piece = double_vote(2, 2, 7);
    assert!(crate::execute::evidence_counts(&chain.state, &piece, &CHAIN, &Cheap));
    assert_eq!(chain.pass(jail(2)), Outcome::Success);
    assert_eq!(flags(&chain), (true, false, 2));
    assert_eq!(chain.pass(pardon(2)), Outcome::Success);
    assert_eq!(flags(&chain), (false, false, 4));
}
