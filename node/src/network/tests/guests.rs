//! Peers that are no validators.

use chain::types::Address;

use super::*;

/// Admits nobody but validators, until it is told otherwise.
#[derive(Default)]
struct Closed(RwLock<BTreeSet<Address>>);

impl AccessPolicy for Closed {
    fn admits(&self, node: &Address) -> bool {
        self.0.read().unwrap().contains(node)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_hears_and_spreads_gossip_and_has_no_say_in_consensus() {
    let mut nodes = connected(2).await;
    // It takes itself for a third validator: the others do not.
    let addresses: Vec<_> = nodes.iter().map(Node::address).collect();
    let mut guest = Node::start(2, 3, CHAIN, addresses).await;
    for node in &nodes {
        eventually("all have met", || node.met() == 2 && guest.met() == 2).await;
        assert!(!node.peer(2).member && guest.peer(0).member);
    }

    guest.handle().gossip_transactions([&transaction(1)]);
    for node in &mut nodes {
        let batch = node.receive_batch().await;
        assert_eq!((batch.author, told(&batch)), (id(2), vec![transaction(1)]));
        batch.accept();
    }
    nodes[0].handle().gossip_transactions([&transaction(2)]);
    let batch = guest.receive_batch().await;
    assert_eq!((batch.author, told(&batch)), (id(0), vec![transaction(2)]));
    batch.accept();
    nodes[0].handle().announce_final(&certificate(7));
    eventually("the guest hears of it", || guest.handle().best_final() == Height::new(7)).await;

    // What it says as a validator is read and dropped: the next message to arrive is another's.
    guest.send(0, &Note::new([1]));
    eventually("it was said", || nodes[0].peer(2).bytes_in > 0).await;
    nodes[1].send(0, &Note::new([2]));
    assert_eq!(nodes[0].receive(1).await, [(id(1), Note::new([2]))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_admitted_hears_why_and_no_gossip() {
    let closed = Arc::new(Closed::default());
    let access = Arc::clone(&closed) as Arc<dyn AccessPolicy>;
    let host = Node::configured(0, 2, NetworkConfig { access, ..config(0, 2, vec![]) }).await;
    let mut stranger = Node::start(2, 3, CHAIN, vec![host.address()]).await;
    eventually("it knows why", || {
        stranger.peer(0).banned.is_some_and(|why| why.contains("needs the role observer"))
    })
    .await;
    eventually("they part", || stranger.met() == 0 && host.met() == 0).await;
    host.handle().gossip_transactions([&transaction(1)]);

    // Once the chain admits it, it comes back by itself, and then hears what is said.
    closed.0.write().unwrap().insert(network_key(2).public().address());
    eventually("it is let in", || stranger.met() == 1 && host.met() == 1).await;
    host.handle().gossip_transactions([&transaction(2)]);
    loop {
        let batch = stranger.receive_batch().await;
        if told(&batch).contains(&transaction(2)) {
            break;
        }
    }

    // And is sent away when the chain takes that back.
    closed.0.write().unwrap().clear();
    host.handle().recheck_access();
    eventually("it is gone", || host.handle().peers().iter().all(|peer| peer.member)).await;
    eventually("it knows why again", || stranger.peer(0).banned.is_some()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_is_removed_stays_as_a_guest() {
    let nodes = connected(3).await;
    // Two changes: after the first, those of the epoch before are still members.
    for _ in 0..2 {
        nodes[0].handle().set_validators(&[validators(2)]);
    }
    eventually("it is no member", || !nodes[0].peer(2).member).await;
    assert!(nodes[0].peer(2).connected);
    nodes[2].handle().gossip_transactions([&transaction(1)]);
    let mut nodes = nodes;
    assert_eq!(nodes[0].receive_batch().await.author, id(2));
}
