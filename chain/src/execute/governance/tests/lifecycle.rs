use super::*;
use crate::access::AccessMode;
use crate::governance::CLOSED_PROPOSALS;

#[test]
fn a_quorum_of_approvals_executes_a_proposal_at_once() {
    // (validators, approvals that pass a proposal)
    for (n, quorum) in [(1, 1), (2, 2), (3, 2), (4, 3), (7, 5), (10, 7)] {
        let mut chain = Chain::new(n);
        chain.done(governor(0), propose(grant(50)));
        for number in 1..quorum {
            assert_eq!(chain.status(1), ProposalStatus::Open, "n = {n}");
            assert!(!chain.state.roles(&key(50).address()).member, "n = {n}");
            chain.done(governor(number), approve(1));
        }
        let height = Height::new(chain.height);
        assert_eq!(chain.status(1), ProposalStatus::Executed { height }, "n = {n}");
        assert!(chain.state.roles(&key(50).address()).member, "n = {n}");
        assert_eq!(chain.epoch(), 0, "roles are no change of the validators");
        let approvals: Vec<_> = (0..quorum).map(key).collect();
        assert_eq!(chain.state.proposal(1).unwrap().approvals, approvals, "n = {n}");
    }
}

#[test]
fn crash_engines_decide_by_majority() {
    let mut chain = Chain::with(4, Parameters { crash_only: true, ..Parameters::default() });
    assert_eq!(chain.state.validators().quorums().quorum, 3);
    assert_eq!(chain.pass(grant(50)), Outcome::Success);
}

#[test]
fn parameters_and_roles_change_as_proposed() {
    let mut chain = Chain::new(4);
    let set = |parameter| Change::SetParameter { parameter };
    for parameter in [
        Parameter::Access(AccessMode::Members),
        Parameter::ProposalLifetime(77),
        Parameter::BlockTransactions(9),
        Parameter::BlockBytes(1 << 20),
    ] {
        let expected = chain.state.parameters().with(parameter);
        assert_eq!(chain.pass(set(parameter)), Outcome::Success, "{parameter:?}");
        assert_eq!(chain.state.parameters(), expected, "{parameter:?}");
    }
    let account = key(50).address();
    for role in [Role::Member, Role::Observer, Role::Reader] {
        assert_eq!(chain.pass(Change::Grant { account, role }), Outcome::Success);
    }
    assert_eq!(chain.state.roles(&account), Roles { member: true, observer: true, reader: true });
    for role in [Role::Observer, Role::Member, Role::Reader] {
        assert_eq!(chain.pass(Change::Revoke { account, role }), Outcome::Success);
        assert!(!chain.state.roles(&account).has(role));
    }
    assert_eq!(chain.state.get(&RecordKey::Roles(account)), None, "no record without a role");
}

#[test]
fn a_proposal_expires_with_its_lifetime() {
    let rules = Parameters { proposal_lifetime: 10, ..Parameters::default() };
    for (wait, expected) in [(9, Outcome::Success), (10, refused(GovernanceRefusal::Expired))] {
        let mut chain = Chain::with(4, rules);
        chain.done(governor(0), propose(grant(50)));
        chain.done(governor(1), approve(1));
        assert_eq!(chain.state.proposal(1).unwrap().expires, Height::new(11));
        chain.empty_blocks(wait - 1);
        assert_eq!(chain.act(governor(2), approve(1)), expected, "after {wait} blocks");
    }
}

#[test]
fn one_open_proposal_a_validator() {
    let rules = Parameters { proposal_lifetime: 10, ..Parameters::default() };
    let mut chain = Chain::with(4, rules);
    chain.done(governor(0), propose(grant(50)));
    let again = propose(grant(51));
    let open = refused(GovernanceRefusal::ProposalOpen);
    assert_eq!(chain.act(governor(0), again.clone()), open);
    chain.done(governor(1), again.clone());
    chain.done(governor(0), withdraw(1));
    let height = Height::new(chain.height);
    assert_eq!(chain.status(1), ProposalStatus::Withdrawn { height });
    chain.done(governor(0), again.clone());
    assert_eq!(chain.act(governor(0), again.clone()), open);
    chain.empty_blocks(10);
    chain.done(governor(0), again);
    let record = chain.state.governance();
    assert_eq!((record.newest, record.open), (4, vec![4]), "the expired ones were swept up");
    assert_eq!(record.closed, [1, 2, 3]);
}

#[test]
fn closed_proposals_are_forgotten_one_day() {
    let mut chain = Chain::new(4);
    let count = CLOSED_PROPOSALS as u64 + 3;
    for id in 1..=count {
        chain.done(governor(0), propose(grant(50)));
        chain.done(governor(0), withdraw(id));
    }
    let kept: Vec<ProposalId> = (4..=count).collect();
    assert_eq!(chain.state.governance().closed, kept);
    let found: Vec<ProposalId> = chain.state.proposals().map(|proposal| proposal.id).collect();
    assert!(found.iter().rev().eq(&kept), "the newest first: {found:?}");
    let records = chain.state.records().filter(|(key, _)| matches!(key, RecordKey::Proposal(_)));
    assert_eq!(records.count(), CLOSED_PROPOSALS);
    assert_eq!(chain.act(governor(0), approve(1)), refused(GovernanceRefusal::NoSuchProposal));
}

#[test]
fn approvals_of_those_who_left_do_not_count() {
    let mut chain = Chain::new(5);
    chain.done(governor(0), propose(grant(50)));
    for number in [3, 4] {
        chain.done(governor(number), approve(1));
    }
    // Validator 4 goes: of the four that are left, three are a quorum, and two have approved.
    chain.done(governor(1), propose(remove(4)));
    for number in [0, 2, 3] {
        chain.done(governor(number), approve(2));
    }
    assert_eq!(chain.state.validators().len(), 4);
    assert_eq!(chain.status(1), ProposalStatus::Open);
    assert_eq!(chain.act(governor(4), approve(1)), refused(GovernanceRefusal::NotAGovernor));
    chain.done(governor(1), approve(1));
    assert!(matches!(chain.status(1), ProposalStatus::Executed { .. }));
    assert_eq!(chain.state.proposal(1).unwrap().approvals, [key(0), key(3), key(1)]);
}

#[test]
fn proposals_of_those_who_left_are_withdrawn() {
    let mut chain = Chain::new(4);
    chain.done(governor(3), propose(grant(50)));
    assert_eq!(chain.pass(remove(3)), Outcome::Success);
    let height = Height::new(chain.height);
    assert_eq!(chain.status(1), ProposalStatus::Withdrawn { height });
    assert_eq!(chain.status(2), ProposalStatus::Executed { height });
    assert!(chain.state.governance().open.is_empty());
    assert_eq!(chain.state.governance().closed, [2, 1]);
}

#[test]
fn the_state_remembers_the_last_blocks_and_no_more() {
    let mut chain = Chain::new(4);
    chain.empty_blocks(RECENT_BLOCKS + 5);
    let recent: BTreeMap<u64, RecentBlock> = chain
        .state
        .records()
        .filter_map(|(_, value)| match value {
            RecordValue::Recent(block) => Some((block.height.get(), *block)),
            _ => None,
        })
        .collect();
    let heights: Vec<u64> = recent.keys().copied().collect();
    assert_eq!(heights, (5..RECENT_BLOCKS + 5).collect::<Vec<_>>());
    for (height, block) in recent {
        assert_eq!(block.hash, block_hash(Height::new(height)));
        let signers = block.signers.unwrap();
        assert!((0..4).all(|index| signers.contains(crate::types::ValidatorIndex::new(index))));
        assert!(!signers.contains(crate::types::ValidatorIndex::new(4)));
        assert!(!signers.contains(crate::types::ValidatorIndex::new(u16::MAX)));
    }
}

#[test]
fn an_awaited_joiner_submits_its_word_and_connects_among_members() {
    let rules = Parameters { access: AccessMode::Members, ..Parameters::default() };
    let mut chain = Chain::with(4, rules);
    let may = |chain: &Chain, action| {
        let body = Body::Governance(action);
        chain.state.may_submit(&key(4).address(), &body, Height::new(chain.height + 1))
    };
    let node = candidate(4).network_key;
    let id = chain.nearly_pass(add(4));
    assert!(!may(&chain, chain.ready(id, 1)) && !chain.state.may_connect(&node));
    chain.done(governor(2), approve(id));
    assert!(may(&chain, chain.ready(id, 1)) && chain.state.may_connect(&node));
    assert!(!may(&chain, approve(id)), "nothing else");
    let open_in = |blocks| {
        let body = Body::Governance(chain.ready(id, 1));
        chain.state.may_submit(&key(4).address(), &body, Height::new(chain.height + blocks))
    };
    assert!(!open_in(u64::from(rules.proposal_lifetime) + 1), "not when it expired");
    chain.done(signer(4), chain.ready(id, 1));
    assert!(chain.state.may_connect(&node), "as a validator");
}

#[test]
fn the_access_mode_holds_from_the_next_transaction_on() {
    let mut chain = Chain::new(4);
    let members = Change::SetParameter { parameter: Parameter::Access(AccessMode::Members) };
    let id = chain.nearly_pass(members);
    let outsider = || Transaction::Signed(sign(&signer(1000), 0, approve(1)));
    let nonce = chain.state.account(&governor(2).public().address()).nonce;
    let last = Transaction::Signed(sign(&governor(2), nonce, approve(id)));
    let before = execute(&chain.state, &chain.context(), &[outsider(), last.clone()]);
    assert!(before.is_ok());
    let after = execute(&chain.state, &chain.context(), &[last, outsider()]).unwrap_err();
    assert_eq!((after.index, after.reason), (1, crate::execute::InvalidReason::NotAMember));
}
