use chain::crypto::{Keypair, PublicKey, Signature};
use chain::transaction::{Body, MalformedTransaction, Payload};
use chain::types::Amount;
use chain::validator::ValidatorSet;

use super::*;

/// A signature rule with a bug.
#[derive(Debug)]
struct Broken;

impl Verifier for Broken {
    fn verify(&self, _: &PublicKey, _: &Digest, _: &Signature) -> bool {
        panic!("on purpose: the message above belongs to a test")
    }
}

fn pool(chain_id: Digest, sender: &Keypair) -> TransactionPool {
    let key = |seed| Keypair::from_seed(&[seed; 32]).public();
    let validator = chain::validator::Validator {
        consensus_key: key(101),
        network_key: key(102),
        governance_key: key(103),
        jailed: false,
        accused: false,
        since: Default::default(),
    };
    let validators = ValidatorSet::new(Default::default(), Default::default(), 0, vec![validator]);
    let balances = [(sender.public().address(), Amount::new(1))];
    let state = chain::genesis::genesis_state(
        balances,
        validators,
        chain::governance::Parameters::default(),
        [],
    )
    .unwrap();
    let (gossip, _) = mpsc::channel(1);
    let hooks = PoolHooks { wake: Box::new(|| {}), gossip };
    let limits = MempoolLimits::default();
    TransactionPool::start(chain_id, limits, state, Height::new(0), Arc::new(Broken), hooks)
        .unwrap()
}

#[tokio::test]
async fn a_verifying_thread_that_dies_is_noticed_and_leaves_nobody_waiting() {
    let (chain_id, alice) = (Digest([1; 32]), Keypair::from_seed(&[1; 32]));
    let pool = pool(chain_id, &alice);
    let body = Body::Put { key: b"a".to_vec(), value: b"b".to_vec() };
    let (sender, expiry) = (alice.public(), Height::new(9));
    let transaction =
        Payload { chain_id, account: None, sender, nonce: 0, expiry, body }.sign(&alice);
    assert_eq!(
        pool.submit(HashedTransaction::new(transaction.clone())).await,
        Err(SubmitError::Closed)
    );
    pool.failed().await;
    assert_eq!(pool.submit(HashedTransaction::new(transaction)).await, Err(SubmitError::Closed));
}

#[test]
fn a_batch_of_a_peer_is_judged_by_what_is_in_it() {
    let good = Ok(Digest::ZERO);
    let useless = Err(SubmitError::Refused(RejectReason::Duplicate));
    let busy = Err(SubmitError::Overloaded);
    let forged = Err(SubmitError::Refused(MalformedTransaction::BadSignature.into()));
    assert_eq!(PeerVerdict::of(&[useless.clone(), busy.clone()]), PeerVerdict::Ignore);
    assert_eq!(PeerVerdict::of(&[useless, busy, good.clone()]), PeerVerdict::Accept);
    assert_eq!(PeerVerdict::of(&[good, forged]), PeerVerdict::Reject);
    assert_eq!(PeerVerdict::of(&[]), PeerVerdict::Ignore);
}
