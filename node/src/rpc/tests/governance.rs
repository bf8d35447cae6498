//! Proposals as clients see them.

use ::chain::access::Role;
use ::chain::codec;
use ::chain::crypto::Keypair;
use ::chain::governance::{Candidate, Change, GovernanceAction};
use ::chain::transaction::{Body, Payload};
use ::chain::types::Height;
use node_api::governance::{ProposalFilter, ProposalState, WaitsFor};
use node_api::{
    AccountApiClient, ApiError, ChainApiClient, ErrorCode, GovernanceApiClient, HexBytes,
    TxApiClient as _,
};

use super::fixture::{Fixture, alice};

/// Has the only validator propose a change, which passes with that, in the next block.
async fn propose(chain: &mut Fixture, nonce: u64, change: Change) {
    let governor = Keypair::from_seed(&[103; 32]);
    let payload = Payload {
        chain_id: chain.genesis.hash(),
        account: None,
        sender: governor.public(),
        nonce,
        expiry: Height::new(1000),
        body: Body::Governance(GovernanceAction::Propose { change }),
    };
    let bytes = HexBytes(codec::encode(&payload.sign(&governor)));
    chain.http().submit(bytes).await.unwrap();
    chain.make_block();
}

#[tokio::test(flavor = "multi_thread")]
async fn proposals_tell_where_they_stand_and_what_they_wait_for() {
    let mut chain = Fixture::start().await;
    let client = chain.http();
    let none = GovernanceApiClient::proposals(&client, Some(ProposalFilter::All)).await.unwrap();
    assert!(none.proposals.is_empty() && none.height == Height::new(0));
    let rules = GovernanceApiClient::parameters(&client).await.unwrap();
    assert_eq!((rules.quorum, rules.validators), (1, 1));
    assert_eq!(rules.parameters, chain.view.head().state.parameters());

    let account = alice().public().address();
    propose(&mut chain, 0, Change::Grant { account, role: Role::Member }).await;
    assert!(GovernanceApiClient::proposals(&client, None).await.unwrap().proposals.is_empty());
    let done = GovernanceApiClient::proposal(&client, 1).await.unwrap();
    assert_eq!((done.status, done.settled_at), (ProposalState::Executed, Some(Height::new(1))));
    assert_eq!((done.waits_for, done.expires_in), (WaitsFor::Nothing, 0));
    assert_eq!(done.proposer_name.as_deref(), Some("only"));
    let roles = AccountApiClient::get(&client, account).await.unwrap().roles;
    assert_eq!(roles, [Role::Member]);

    let key = |seed| Keypair::from_seed(&[seed; 32]).public();
    let candidate =
        Candidate { consensus_key: key(110), network_key: key(111), governance_key: key(112) };
    propose(&mut chain, 1, Change::AddValidator { candidate }).await;
    let pending = GovernanceApiClient::proposals(&client, None).await.unwrap();
    let [waiting] = pending.proposals.as_slice() else { panic!("{pending:?}") };
    assert_eq!((waiting.id, waiting.status), (2, ProposalState::AwaitsReady));
    assert_eq!((waiting.counted, waiting.quorum), (1, 1));
    let consensus_key = candidate.consensus_key;
    assert_eq!(waiting.waits_for, WaitsFor::Ready { consensus_key });
    let lifetime = u64::from(rules.parameters.proposal_lifetime);
    assert_eq!(waiting.expires_in, lifetime, "{waiting:?}");
    let all = GovernanceApiClient::proposals(&client, Some(ProposalFilter::All)).await.unwrap();
    let numbers: Vec<u64> = all.proposals.iter().map(|proposal| proposal.id).collect();
    assert_eq!(numbers, [2, 1], "newest first");

    let unknown = GovernanceApiClient::proposal(&client, 99).await.unwrap_err();
    let unknown = ApiError::from_client(&unknown).unwrap();
    assert_eq!(unknown.code, ErrorCode::NotFound);
    assert!(unknown.message.contains("the newest is 2"), "{unknown}");
    let validators = ChainApiClient::validators(&client, None).await.unwrap().validators;
    assert_eq!(validators[0].took_part, None, "its blocks carry no certificates");
}
