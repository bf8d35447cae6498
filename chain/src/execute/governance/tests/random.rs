//! Whatever is done, the state and the set stay what they should be.

use proptest::prelude::*;

use super::*;
use crate::governance::CLOSED_PROPOSALS;
use crate::testing::{cases, double_vote};

/// Keys in play: validators, candidates, and what is no key.
fn any_key() -> impl Strategy<Value = PublicKey> {
    prop_oneof![9 => (0u16..9).prop_map(key), 1 => (200u16..209).prop_map(key), 1 => Just(PublicKey([0; 32]))]
}

fn any_change() -> impl Strategy<Value = Change> {
    let kind =
        prop_oneof![Just(KeyKind::Consensus), Just(KeyKind::Network), Just(KeyKind::Governance)];
    prop_oneof![
        3 => (0u16..9).prop_map(add),
        3 => any_key().prop_map(|validator| Change::RemoveValidator { validator }),
        2 => (any_key(), kind, 300u16..310).prop_map(|(validator, key, new)| {
            Change::RotateKey { validator, key, new_key: super::key(new) }
        }),
        2 => any_key().prop_map(|validator| Change::Jail { validator }),
        2 => any_key().prop_map(|validator| Change::Pardon { validator }),
        1 => (0u32..40).prop_map(lifetime),
        1 => (0u16..3).prop_map(grant),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Propose(u16, Change),
    Approve(u16, u64),
    Withdraw(u16, u64),
    /// By the joiner that the proposal names, or by a stranger.
    Ready(bool, u64, u64),
    Evidence(u16),
    /// Who takes part from now on.
    Silence(u16),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u16..9, any_change()).prop_map(|(who, change)| Step::Propose(who, change)),
        12 => (0u16..9, 0u64..6).prop_map(|(who, back)| Step::Approve(who, back)),
        1 => (0u16..9, 0u64..6).prop_map(|(who, back)| Step::Withdraw(who, back)),
        6 => (any::<bool>(), 0u64..6, 0u64..70).prop_map(|(own, back, below)| Step::Ready(own, back, below)),
        1 => (0u16..9).prop_map(Step::Evidence),
        1 => (0u16..20).prop_map(Step::Silence),
    ]
}

/// Who governs for the validator of a place in the current set, whatever its keys are by now.
fn governor_at(chain: &Chain, place: u16) -> CheapSigner {
    let members: Vec<PublicKey> =
        chain.state.validators().members().map(|(_, member)| member.governance_key).collect();
    CheapSigner(members[usize::from(place) % members.len()])
}

fn take(chain: &mut Chain, step: Step) {
    let newest = chain.state.governance().newest;
    let action = match step {
        Step::Propose(who, change) => (governor_at(chain, who), propose(change)),
        Step::Approve(who, back) => (governor_at(chain, who), approve(newest.saturating_sub(back))),
        Step::Withdraw(who, back) => {
            (governor_at(chain, who), withdraw(newest.saturating_sub(back)))
        }
        Step::Ready(own, back, below) => {
            let id = newest.saturating_sub(back);
            let joiner = chain.state.proposal(id).and_then(|proposal| proposal.change.joiner());
            let joiner = joiner.copied().filter(|_| own).unwrap_or(key(77));
            (CheapSigner(joiner), chain.ready(id, below))
        }
        Step::Evidence(place) => {
            // Only those whose keys are as they were can be accused with the tests' votes.
            let epoch = chain.epoch();
            let set = chain.state.validators();
            let member = set.get(crate::types::ValidatorIndex::new(place));
            let as_made = member.is_some_and(|member| member.consensus_key == key(place));
            let piece = double_vote(epoch, place, 3);
            let counts =
                as_made && crate::execute::evidence_counts(&chain.state, &piece, &CHAIN, &Cheap);
            drop(chain.block(if counts { std::slice::from_ref(&piece) } else { &[] }, &[]));
            return;
        }
        Step::Silence(number) => {
            let members = chain.state.validators().members();
            chain.active = members
                .map(|(_, member)| member.consensus_key)
                .filter(|member| *member != key(number))
                .collect();
            chain.empty_blocks(1);
            return;
        }
    };
    let before = chain.epoch();
    let execution = chain.block(&[], std::slice::from_ref(&action));
    let ended = chain.epoch() - before;
    assert!(ended <= 1);
    assert_eq!(execution.next_validators.is_some(), ended == 1);
    if ended == 1 {
        assert!(execution.receipts[0].outcome.is_success());
    }
}

fn check(chain: &Chain) {
    let set = chain.state.validators();
    assert_eq!(set.check(), Ok(()));
    let keys: std::collections::BTreeSet<PublicKey> = set
        .members()
        .flat_map(|(_, member)| [member.consensus_key, member.network_key, member.governance_key])
        .collect();
    assert_eq!(keys.len(), 3 * set.len());
    assert_eq!(usize::from(set.max_faulty), crate::quorum::Quorums::default_max_faulty(set.len()));
    let record = chain.state.governance();
    let height = Height::new(chain.height + 1);
    let open = chain.state.proposals().filter(|proposal| proposal.is_open(height));
    let proposers: Vec<PublicKey> = open.map(|proposal| proposal.proposer).collect();
    for (place, proposer) in proposers.iter().enumerate() {
        assert!(set.index_of(proposer).is_some());
        assert!(!proposers[..place].contains(proposer));
    }
    assert!(record.closed.len() <= CLOSED_PROPOSALS);
    let kept = chain.state.records().filter(|(key, _)| matches!(key, RecordKey::Proposal(_)));
    assert_eq!(kept.count(), record.open.len() + record.closed.len());
    let records = chain.state.records().map(|(key, value)| (key.clone(), value.clone()));
    assert_eq!(State::from_records(records).unwrap().root(), chain.state.root());
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn any_governance_leaves_a_sound_chain(
        n in 1u16..9,
        steps in proptest::collection::vec(any_step(), 1..80),
    ) {
        let mut chain = Chain::new(n);
        for step in steps {
            take(&mut chain, step);
        }
        check(&chain);
    }
}
