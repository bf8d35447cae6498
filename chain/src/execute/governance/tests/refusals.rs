//! Every refusal, and that it leaves nothing behind but a used nonce.

use super::*;
use crate::access::AccessMode;
use crate::testing::double_vote;
use GovernanceRefusal as Refusal;

/// Does an action that must be refused, and looks at what it left.
fn check(
    name: &str,
    chain: &mut Chain,
    sender: CheapSigner,
    action: GovernanceAction,
    why: Refusal,
) {
    let account = sender.public().address();
    let before = chain.state.clone();
    let execution = chain.block(&[], &[(sender, action)]);
    assert_eq!(execution.receipts[0].outcome, refused(why), "{name}");
    assert_eq!(execution.next_validators, None, "{name}");
    let changed: Vec<&RecordKey> = execution
        .changes
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !matches!(key, RecordKey::Recent(_)))
        .collect();
    assert_eq!(changed, [&RecordKey::Account(account)], "{name}");
    assert_eq!(chain.state.account(&account).nonce, before.account(&account).nonce + 1, "{name}");
    assert_eq!(chain.state.account(&account).balance, before.account(&account).balance, "{name}");
}

#[test]
fn proposals_that_make_no_sense_are_refused_when_they_are_made() {
    let taken = |number| PublicKey([number; 32]);
    let with = |change: fn(&mut Candidate)| {
        let mut candidate = candidate(9);
        change(&mut candidate);
        Change::AddValidator { candidate }
    };
    let set = |parameter| Change::SetParameter { parameter };
    let table = [
        ("not there", remove(4), Refusal::UnknownValidator),
        ("jailing nobody", jail(4), Refusal::UnknownValidator),
        ("pardoning nobody", pardon(4), Refusal::UnknownValidator),
        ("rotating nobody", rotate(4, KeyKind::Network, key(50)), Refusal::UnknownValidator),
        (
            "a network key is no name",
            Change::Jail { validator: key(200) },
            Refusal::UnknownValidator,
        ),
        ("there already", add(3), Refusal::BadKey),
        ("no key", with(|c| c.network_key = PublicKey([0; 32])), Refusal::BadKey),
        ("one key twice", with(|c| c.network_key = c.consensus_key), Refusal::BadKey),
        ("one key twice", with(|c| c.governance_key = c.consensus_key), Refusal::BadKey),
        ("one key twice", with(|c| c.governance_key = c.network_key), Refusal::BadKey),
        ("another's network key", with(|c| c.consensus_key = key(202)), Refusal::BadKey),
        ("another's governance key", with(|c| c.network_key = key(402)), Refusal::BadKey),
        ("another's consensus key", with(|c| c.governance_key = key(2)), Refusal::BadKey),
        ("rotating to another's", rotate(0, KeyKind::Governance, key(1)), Refusal::BadKey),
        ("rotating to an own one", rotate(0, KeyKind::Consensus, key(200)), Refusal::BadKey),
        ("rotating to none", rotate(0, KeyKind::Consensus, taken(0)), Refusal::BadKey),
        ("the same", rotate(0, KeyKind::Consensus, key(0)), Refusal::NoChange),
        ("the same", rotate(0, KeyKind::Network, key(200)), Refusal::NoChange),
        ("the same", rotate(0, KeyKind::Governance, key(400)), Refusal::NoChange),
        ("nothing to pardon", pardon(0), Refusal::NoChange),
        ("the same rule", set(Parameter::Access(AccessMode::Open)), Refusal::NoChange),
        ("the same rule", lifetime(10_000), Refusal::NoChange),
        (
            "no such role",
            Change::Revoke { account: key(50).address(), role: Role::Member },
            Refusal::NoChange,
        ),
        ("no life", lifetime(0), Refusal::BadParameter),
        ("life for ever", lifetime(u32::MAX), Refusal::BadParameter),
        ("empty blocks", set(Parameter::BlockTransactions(0)), Refusal::BadParameter),
        ("huge blocks", set(Parameter::BlockTransactions(1 << 20)), Refusal::BadParameter),
        ("tiny blocks", set(Parameter::BlockBytes(1_000)), Refusal::BadParameter),
        ("huge blocks", set(Parameter::BlockBytes(u32::MAX)), Refusal::BadParameter),
    ];
    for (name, change, refusal) in table {
        check(name, &mut Chain::new(4), governor(0), propose(change), refusal);
    }
    check("a role again", &mut granted(), governor(0), propose(grant(50)), Refusal::NoChange);
}

fn granted() -> Chain {
    let mut chain = Chain::new(4);
    assert_eq!(chain.pass(grant(50)), Outcome::Success);
    chain
}

#[test]
fn actions_of_the_wrong_people_or_at_the_wrong_time_are_refused() {
    let mut chain = Chain::new(4);
    for (name, sender) in [("a stranger", signer(1000)), ("a consensus key", signer(0))] {
        for action in [propose(grant(50)), approve(1), withdraw(1)] {
            check(name, &mut chain, sender, action, Refusal::NotAGovernor);
        }
    }
    check("no proposal", &mut chain, governor(0), approve(1), Refusal::NoSuchProposal);
    check("no proposal", &mut chain, governor(0), withdraw(0), Refusal::NoSuchProposal);
    let ready = chain.ready(1, 1);
    check("no proposal", &mut chain, signer(9), ready, Refusal::NoSuchProposal);
    chain.done(governor(0), propose(grant(50)));
    check("twice", &mut chain, governor(0), approve(1), Refusal::AlreadyApproved);
    check("another's", &mut chain, governor(1), withdraw(1), Refusal::NotTheProposer);
    check("a second", &mut chain, governor(0), propose(grant(51)), Refusal::ProposalOpen);
    let ready = chain.ready(1, 1);
    check("nobody joins", &mut chain, signer(9), ready, Refusal::NotAwaited);
    chain.done(governor(0), withdraw(1));
    check("withdrawn", &mut chain, governor(1), approve(1), Refusal::NoSuchProposal);
    check("withdrawn", &mut chain, governor(0), withdraw(1), Refusal::NoSuchProposal);
    chain.done(governor(0), propose(lifetime(5)));
    (1..3).for_each(|number| chain.done(governor(number), approve(2)));
    check("executed", &mut chain, governor(3), approve(2), Refusal::NoSuchProposal);
    chain.done(governor(0), propose(grant(50)));
    chain.empty_blocks(5);
    check("expired", &mut chain, governor(1), approve(3), Refusal::Expired);
    check("expired", &mut chain, governor(0), withdraw(3), Refusal::Expired);
    let ready = chain.ready(3, 1);
    check("expired", &mut chain, signer(9), ready, Refusal::Expired);
}

#[test]
fn a_joiner_must_be_awaited_and_at_the_tip() {
    let mut chain = Chain::new(4);
    chain.empty_blocks(RECENT_BLOCKS + 3);
    let id = chain.nearly_pass(add(4));
    let ready = chain.ready(id, 1);
    check("no quorum yet", &mut chain, signer(4), ready, Refusal::NotAwaited);
    chain.done(governor(2), approve(id));
    assert_eq!(chain.status(id), ProposalStatus::AwaitsReady);
    for other in [signer(204), governor(4), signer(0), signer(5)] {
        let ready = chain.ready(id, 1);
        check("another key", &mut chain, other, ready, Refusal::NotAwaited);
    }
    let not_at_tip = Refusal::NotAtTip(RECENT_BLOCKS);
    let ready = chain.ready(id, RECENT_BLOCKS + 1);
    check("too far below", &mut chain, signer(4), ready, not_at_tip);
    let ready = chain.ready(id, 0);
    check("this very block", &mut chain, signer(4), ready, not_at_tip);
    let height = Height::new(chain.height);
    let ready = GovernanceAction::Ready { proposal: id, height, block: CHAIN };
    check("another block", &mut chain, signer(4), ready, not_at_tip);
    let height = Height::new(u64::MAX);
    let ready = GovernanceAction::Ready { proposal: id, height, block: block_hash(height) };
    check("a block to come", &mut chain, signer(4), ready, not_at_tip);
    let ready = chain.ready(id, RECENT_BLOCKS);
    chain.done(signer(4), ready);
    assert_eq!(chain.state.validators().len(), 5);
}

#[test]
fn approvals_that_left_since_do_not_admit() {
    let mut chain = Chain::new(6);
    assert_eq!(chain.state.validators().quorums().quorum, 4);
    chain.done(governor(1), propose(add(6)));
    for number in [0, 4, 5] {
        chain.done(governor(number), approve(1));
    }
    assert_eq!(chain.status(1), ProposalStatus::AwaitsReady);
    chain.done(governor(2), propose(remove(5)));
    for number in [0, 1, 3] {
        chain.done(governor(number), approve(2));
    }
    assert_eq!(chain.state.validators().quorums().quorum, 4);
    let ready = chain.ready(1, 1);
    check("three of four", &mut chain, signer(6), ready, Refusal::NotAwaited);
    chain.done(governor(3), approve(1));
    chain.done(signer(6), chain.ready(1, 1));
    assert_eq!(chain.state.validators().len(), 6);
}

#[test]
fn impossible_sets_are_refused() {
    check("the last one", &mut Chain::new(1), governor(0), propose(remove(0)), Refusal::SetSize);
    let full = ValidatorSet::MAX as u16;
    check("one too many", &mut Chain::new(full), governor(0), propose(add(180)), Refusal::SetSize);
    let jailed = |f| Refusal::TooManyJailed(f);
    check("f = 0", &mut Chain::new(3), governor(0), propose(jail(1)), jailed(0));
    let mut chain = Chain::new(4);
    assert_eq!(chain.pass(jail(1)), Outcome::Success);
    check("a second", &mut chain, governor(0), propose(jail(2)), jailed(1));
    check("jailed already", &mut chain, governor(0), propose(jail(1)), Refusal::NoChange);
    check("three without f", &mut chain, governor(0), propose(remove(0)), jailed(0));
    // Evidence counts like a sentence.
    let mut chain = Chain::new(4);
    chain.block(&[double_vote(0, 3, 1)], &[]);
    check("jailed by evidence", &mut chain, governor(0), propose(jail(2)), jailed(1));
    assert_eq!(chain.pass(remove(3)), Outcome::Success, "the jailed one itself may go");
    let rules = Parameters { crash_only: true, ..Parameters::default() };
    check("crashes alone", &mut Chain::with(7, rules), governor(0), propose(jail(1)), jailed(0));
}

#[test]
fn no_change_without_slack() {
    let no_slack = |members, active, needed| Refusal::NoSlack { members, active, needed };
    // (validators, those that are silent, the change, the verdict)
    let table = [
        (4, vec![], remove(0), None),
        (4, vec![3], remove(3), None),
        (4, vec![3], remove(2), Some(no_slack(3, 2, 3))),
        (5, vec![4], remove(3), Some(no_slack(4, 3, 4))),
        (5, vec![4], remove(4), None),
        (7, vec![6], remove(5), None),
        (7, vec![5, 6], remove(4), Some(no_slack(6, 4, 5))),
        (7, vec![5, 6], remove(5), None),
        (4, vec![3], jail(0), None),
        (4, vec![2, 3], rotate(0, KeyKind::Network, key(50)), None),
    ];
    for (row, (n, silent, change, verdict)) in table.into_iter().enumerate() {
        let mut chain = Chain::new(n);
        chain.active.retain(|member| !silent.iter().any(|number| *member == key(*number)));
        let id = chain.nearly_pass(change);
        let quorum = chain.state.validators().quorums().quorum as u16;
        match verdict {
            None => chain.done(governor(quorum - 1), approve(id)),
            Some(why) => {
                let sender = governor(quorum - 1);
                check(&format!("row {row}"), &mut chain, sender, approve(id), why);
                assert_eq!(chain.status(id), ProposalStatus::Open, "row {row}");
                // It may be sent again once they are back.
                chain.active = (0..n).map(key).collect();
                chain.empty_blocks(1);
                chain.done(sender, approve(id));
            }
        }
        assert_eq!(chain.epoch(), 1, "row {row}");
    }
}

#[test]
fn a_joiner_is_slack_by_its_own_word() {
    for (silent, verdict) in
        [(None, None), (Some(3), Some(Refusal::NoSlack { members: 5, active: 4, needed: 5 }))]
    {
        let mut chain = Chain::new(4);
        chain.active.retain(|member| silent.is_none_or(|number| *member != key(number)));
        assert_eq!(chain.pass(add(4)), Outcome::Success);
        let ready = chain.ready(1, 1);
        match verdict {
            None => chain.done(signer(4), ready),
            Some(why) => {
                check("one is silent", &mut chain, signer(4), ready, why);
                assert_eq!(chain.status(1), ProposalStatus::AwaitsReady);
            }
        }
    }
}

#[test]
fn who_took_part_is_forgotten_after_some_blocks() {
    let mut chain = Chain::new(4);
    chain.empty_blocks(1);
    chain.active.pop();
    chain.empty_blocks(RECENT_BLOCKS - 5);
    assert_eq!(chain.clone().pass(remove(0)), Outcome::Success);
    chain.empty_blocks(5);
    let why = Refusal::NoSlack { members: 3, active: 2, needed: 3 };
    assert_eq!(chain.pass(remove(0)), refused(why));
}

#[test]
fn crash_engines_have_no_certificates_and_no_such_rule() {
    let rules = Parameters { crash_only: true, ..Parameters::default() };
    let mut chain = Chain::with(3, rules);
    chain.active.clear();
    assert_eq!(chain.pass(remove(2)), Outcome::Success);
    assert_eq!(chain.state.validators().max_faulty, 0);
}

#[test]
fn one_change_of_the_validators_a_block() {
    let mut chain = Chain::new(4);
    let first = chain.nearly_pass(jail(3));
    chain.done(governor(1), propose(remove(0)));
    chain.done(governor(0), approve(2));
    let both = [(governor(2), approve(first)), (governor(2), approve(2))];
    let execution = chain.block(&[], &both);
    let outcomes: Vec<Outcome> = execution.receipts.iter().map(|receipt| receipt.outcome).collect();
    assert_eq!(outcomes, [Outcome::Success, refused(Refusal::ChangeInFlight)]);
    assert_eq!(chain.state.proposal(2).unwrap().approvals, [key(1), key(0)]);
    assert_eq!(chain.epoch(), 1);
    // Roles and parameters are no change of the validators.
    let mut chain = Chain::new(4);
    let first = chain.nearly_pass(jail(3));
    chain.done(governor(1), propose(grant(50)));
    chain.done(governor(0), approve(2));
    let both = [(governor(2), approve(first)), (governor(2), approve(2))];
    let execution = chain.block(&[], &both);
    assert!(execution.receipts.iter().all(|receipt| receipt.outcome.is_success()));
}

#[test]
fn evidence_comes_before_a_change() {
    let mut chain = Chain::new(7);
    let id = chain.nearly_pass(remove(6));
    let last = (governor(4), approve(id));
    let execution = chain.block(&[double_vote(0, 3, 1)], std::slice::from_ref(&last));
    assert_eq!(execution.receipts[0].outcome, Outcome::Success);
    assert_eq!(execution.receipts[1].outcome, refused(Refusal::ChangeInFlight));
    let next = execution.next_validators.unwrap();
    assert_eq!((next.len(), next.epoch.get()), (7, 1));
    assert!(next.get(crate::types::ValidatorIndex::new(3)).unwrap().jailed);
    chain.done(last.0, last.1);
    let set = chain.state.validators();
    assert_eq!((set.len(), set.max_faulty, set.epoch.get()), (6, 1, 2));
}
