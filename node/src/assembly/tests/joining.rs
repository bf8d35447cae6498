//! A node joins, changes its keys and leaves, while the others go on.

use chain::governance::{Candidate, Change, GovernanceAction, KeyKind, ProposalId};
use chain::receipt::{FailureReason, GovernanceRefusal, Outcome};
use chain::validator::ValidatorSet;
use genesis::config::OnRetire;
use genesis::keyfile;

use super::*;
use crate::chain_view::TxStatus;

impl Cluster {
    /// The governance transaction of a validator; what came of it.
    async fn govern(&self, home: &Home, action: GovernanceAction) -> Outcome {
        let key = keyfile::read(&home.key_path(KeyKind::Governance)).unwrap();
        let node = self.running().next().unwrap();
        let head = node.view.head();
        let (sender, body) = (key.public(), Body::Governance(action));
        let nonce = head.state.account(&sender.address()).nonce;
        let expiry = Height::new(head.height.get() + 1_000);
        let chain_id = self.chain_id;
        let signed = Payload { chain_id, account: None, sender, nonce, expiry, body }.sign(&key);
        let hash = node.pool.submit(HashedTransaction::new(signed)).await.unwrap();
        self.wait_final(&[hash]).await;
        match node.view.transaction(&hash).await.unwrap() {
            TxStatus::Final(at) => at.receipt.outcome,
            status => panic!("{status:?}"),
        }
    }

    /// Has a change proposed by the first validator and approved by the others, until it passes.
    pub(super) async fn decide(&mut self, governors: &[Home], change: Change) -> ProposalId {
        let propose = GovernanceAction::Propose { change };
        let outcome = self.govern(&governors[0], propose).await;
        assert_eq!(outcome, Outcome::Success);
        let proposal = self.running().next().unwrap().view.head().state.governance().newest;
        for governor in &governors[1..] {
            let deadline = Instant::now() + PATIENCE;
            loop {
                match self.govern(governor, GovernanceAction::Approve { proposal }).await {
                    Outcome::Success => break,
                    // It was enough before.
                    Outcome::Failed(FailureReason::Governance(
                        GovernanceRefusal::NoSuchProposal,
                    )) => return proposal,
                    // Not everybody has signed a certificate yet.
                    Outcome::Failed(FailureReason::Governance(GovernanceRefusal::NoSlack {
                        ..
                    })) => {}
                    outcome => panic!("{outcome:?}"),
                }
                assert!(Instant::now() < deadline, "no slack");
                let hashes = self.submit_transfers().await;
                self.wait_final(&hashes).await;
            }
        }
        proposal
    }

    /// Goes on making blocks until the first validator's set is as wanted.
    pub(super) async fn until(&mut self, what: &str, wanted: impl Fn(&ValidatorSet) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !wanted(self.nodes[0].as_ref().unwrap().view.head().state.validators()) {
            assert!(Instant::now() < deadline, "waited in vain for: {what}");
            let hashes = self.submit_transfers().await;
            self.wait_final(&hashes).await;
        }
    }

    /// How the newest node ends, for its own reasons; it is stopped then.
    async fn turn_of_last(&mut self) -> Turn {
        let mut node = self.nodes.pop().unwrap().unwrap();
        let ended = tokio::time::timeout(PATIENCE, node.ended()).await.expect("it turns");
        node.stop().await;
        match ended {
            Ended::Turn(turn) => turn,
            Ended::Failed(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_admitted_by_itself_changes_all_its_keys_and_is_retired() {
    let mut cluster = Cluster::start().await;
    let governors: Vec<Home> = cluster.homes.iter().map(Home::new).collect();
    let peers = (0..4).map(|place| cluster.address(place)).collect();
    let mut joiner = cluster.observer(peers);
    joiner.config.on_retire = OnRetire::Stop;
    let home = joiner.home.clone();
    cluster.nodes.push(Some(start(joiner.clone()).await.unwrap()));

    let public = |kind| keyfile::read(&home.key_path(kind)).unwrap().public();
    let candidate = Candidate {
        consensus_key: public(KeyKind::Consensus),
        network_key: public(KeyKind::Network),
        governance_key: public(KeyKind::Governance),
    };
    let began = Instant::now();
    cluster.decide(&governors[..3], Change::AddValidator { candidate }).await;
    let joined = candidate.consensus_key;
    cluster.until("the joiner is in the set", |set| set.index_of(&joined).is_some()).await;
    println!("admitted {} ms after the proposal", began.elapsed().as_millis());
    cluster.wait_equal().await;
    let mut status = cluster.nodes[4].as_ref().unwrap().consensus.handle.status();
    let votes = status.wait_for(|status| status.me.is_some());
    tokio::time::timeout(PATIENCE, votes).await.unwrap().unwrap();

    // Another key of each kind, staged while it runs.
    for kind in [KeyKind::Consensus, KeyKind::Network, KeyKind::Governance] {
        let (validator, old) = (public(KeyKind::Consensus), public(kind));
        let new_key = crate::home::key_at(&home.next_key_path(kind)).unwrap().public();
        let change = Change::RotateKey { validator, key: kind, new_key };
        cluster.decide(&governors, change).await;
        let named = |set: &ValidatorSet| {
            set.members().any(|(_, member)| {
                [member.consensus_key, member.network_key, member.governance_key].contains(&new_key)
            })
        };
        cluster.until("the new key is in the set", named).await;
        if kind == KeyKind::Governance {
            // Nothing in the node signs with it: it takes its place at once.
            let deadline = Instant::now() + PATIENCE;
            while public(kind) != new_key {
                assert!(Instant::now() < deadline, "its file is in force");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        } else {
            assert_eq!(cluster.turn_of_last().await, Turn::NewKeys);
            assert_eq!(public(kind), old, "until it starts again");
            cluster.nodes.push(Some(start(joiner.clone()).await.unwrap()));
            assert_eq!(public(kind), new_key);
        }
        let hashes = cluster.submit_transfers().await;
        cluster.wait_final(&hashes).await;
        cluster.wait_equal().await;
    }
    let status = cluster.nodes[4].as_ref().unwrap().consensus.handle.status();
    assert!(status.borrow().me.is_some(), "{:?}", status.borrow());

    let validator = public(KeyKind::Consensus);
    cluster.decide(&governors, Change::RemoveValidator { validator }).await;
    cluster.until("it left", |set| set.index_of(&validator).is_none()).await;
    assert_eq!(cluster.turn_of_last().await, Turn::Retired);
    let hashes = cluster.submit_transfers().await;
    cluster.wait_final(&hashes).await;
    cluster.stop_all().await;
}
