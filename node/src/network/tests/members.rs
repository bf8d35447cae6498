//! Who is let in, and what members can say to each other.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_validators_exchange_messages_and_gossip() {
    let mut nodes = connected(4).await;
    for (place, node) in nodes.iter_mut().enumerate() {
        node.outbox.send(Recipients::Others, &Note::new([place as u8]));
    }
    for (place, node) in nodes.iter().enumerate() {
        let heard: BTreeSet<_> =
            node.receive(3).await.into_iter().map(|(from, note)| (from, note.body)).collect();
        let others: BTreeSet<_> =
            (0..4).filter(|other| *other != place).map(|o| (id(o), vec![o as u8])).collect();
        assert_eq!(heard, others);
    }

    let transactions: Vec<_> = (0..5).map(transaction).collect();
    assert_eq!(nodes[2].handle().gossip_transactions(&transactions), 5);
    for place in [0, 1, 3] {
        let batch = nodes[place].receive_batch().await;
        assert_eq!((batch.author, told(&batch)), (id(2), transactions.clone()));
        batch.accept();
    }

    nodes[1].handle().announce_final(&certificate(7));
    for place in [0, 2, 3] {
        let handle = nodes[place].handle();
        eventually("the height is known", || handle.best_final() == Height::new(7)).await;
    }
    let infos = nodes[0].handle().peers();
    assert!(infos.iter().all(|peer| peer.connected && peer.bytes_in > 0 && peer.score == 100));
    let version = concat!("catamaran/", env!("CARGO_PKG_VERSION"));
    eventually("versions and round trips are known", || {
        nodes[0]
            .handle()
            .peers()
            .iter()
            .all(|peer| peer.version.as_deref() == Some(version) && peer.round_trip_us.is_some())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_proves_nothing_is_refused_and_costs_its_relay() {
    let nodes = connected(4).await;
    let mut forged = certificate(9);
    forged.ballot.position.height = Height::new(1000);
    nodes[1].handle().announce_final(&forged);
    eventually("the relay is scored", || nodes[0].peer(1).score < 100).await;
    nodes[1].handle().announce_final(&certificate(8));
    eventually("the true one counts", || nodes[0].handle().best_final() == Height::new(8)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heights_of_epochs_that_cannot_be_checked_count_once_an_honest_member_claims_them() {
    let nodes = connected(4).await;
    let far = |height| certificate_of(Epoch::new(3), height);
    let best = || nodes[0].handle().best_final().get();
    // One of four may lie: alone it moves nothing, whatever it says and however often.
    eventually("what is proven counts, and nothing else", || {
        nodes[1].handle().announce_final(&far(2_000_000));
        nodes[1].handle().announce_final(&certificate(5));
        best() == 5
    })
    .await;
    for (place, height) in [(2, 700), (3, 800)] {
        eventually("two say at least so much", || {
            nodes[place].handle().announce_final(&far(height));
            best() == height
        })
        .await;
    }
}

/// Where validators only crash, a member's word is enough, and there is no certificate to show.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claimed_height_counts_where_nobody_lies_and_nowhere_else() {
    let start = async |place, peers| {
        let config = NetworkConfig {
            chain_id: CHAIN,
            key: network_key(place),
            listen: "/ip4/127.0.0.1/tcp/0".parse().unwrap(),
            peers,
            announce: Vec::new(),
            validators: validators(2),
            fault_model: FaultModel::Crash,
            verifier: Arc::new(Ed25519),
            access: Arc::new(Open),
        };
        Node::configured(place, 2, config).await
    };
    let first = start(0, Vec::new()).await;
    let second = start(1, vec![first.address()]).await;
    eventually("the word of one counts", || {
        second.handle().claim_final(Height::new(6));
        first.handle().best_final() == Height::new(6)
    })
    .await;

    let nodes = connected(2).await;
    eventually("a word costs", || {
        nodes[1].handle().claim_final(Height::new(6));
        nodes[0].peer(1).score < 100
    })
    .await;
    assert_eq!(nodes[0].handle().best_final(), Height::new(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_of_another_chain_is_turned_away_and_remembered() {
    let here = Node::start(0, 2, CHAIN, Vec::new()).await;
    let there = Node::start(1, 2, Digest([2; 32]), vec![here.address()]).await;
    eventually("both know why", || {
        let reasons = [here.peer(1).banned, there.peer(0).banned];
        let expected = [Digest([2; 32]), CHAIN];
        reasons.iter().zip(expected).all(|(reason, chain)| {
            reason.as_ref().is_some_and(|reason| reason.contains(&chain.to_string()))
        })
    })
    .await;
    eventually("they part", || !here.peer(1).connected && !there.peer(0).connected).await;
    assert_eq!(here.met() + there.met(), 0);
}

/// One that joined later, or has a new network key, is in nobody's configuration.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_only_share_a_peer_meet() {
    let hub = Node::start(0, 3, CHAIN, Vec::new()).await;
    let first = Node::start(1, 3, CHAIN, vec![hub.address()]).await;
    let second = Node::start(2, 3, CHAIN, vec![hub.address()]).await;
    eventually("each hears from the hub where the other is", || {
        first.peer(2).connected && second.peer(1).connected
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_that_comes_back_is_met_again() {
    let mut nodes = connected(3).await;
    let node = nodes.pop().unwrap();
    let listen = node.network.addresses[0].clone();
    drop(node);
    for node in &nodes {
        eventually("its end is noticed", || node.met() == 1).await;
    }
    // It knows nobody's address now; the others have never been told its own.
    let peers = nodes.iter().map(Node::address).collect();
    let mut back = Node::listen(2, 3, CHAIN, peers, listen).await;
    eventually("it is connected", || back.met() == 2).await;
    for (place, node) in nodes.iter_mut().enumerate() {
        eventually("it is met", || node.met() == 2).await;
        node.send(2, &Note::new([place as u8]));
    }
    assert_eq!(back.receive(2).await.len(), 2);
    back.send(0, &Note::new([9]));
    assert_eq!(nodes[0].receive(1).await, [(id(2), Note::new([9]))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_may_dial_and_large_messages_pass() {
    // Two free ports; nobody else is likely to take them within this test.
    let listen: Vec<Multiaddr> = (0..2)
        .map(|_| {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            format!("/ip4/127.0.0.1/tcp/{}", socket.local_addr().unwrap().port()).parse().unwrap()
        })
        .collect();
    let mut nodes = Vec::new();
    for place in 0..2 {
        let other = listen[1 - place].clone().with(Protocol::P2p(id(1 - place)));
        nodes.push(Node::listen(place, 2, CHAIN, vec![other], listen[place].clone()).await);
    }
    for node in &nodes {
        eventually("they meet", || node.met() == 1).await;
    }
    let large = Note { lane: 1, ..Note::new(vec![7; Note::MAX_BYTES - 100]) };
    nodes[0].send(1, &large);
    nodes[1].send(0, &Note::new([1]));
    assert_eq!(nodes[1].receive(1).await, [(id(0), large)]);
    assert_eq!(nodes[0].receive(1).await.len(), 1);
}

#[tokio::test]
async fn mistakes_in_the_configuration_are_named() {
    let start = |listen: &str, peers: Vec<Multiaddr>| {
        Network::<Note>::start(NetworkConfig {
            chain_id: CHAIN,
            key: network_key(0),
            listen: listen.parse().unwrap(),
            peers,
            announce: Vec::new(),
            validators: validators(1),
            fault_model: FaultModel::Byzantine,
            verifier: Arc::new(Ed25519),
            access: Arc::new(Open),
        })
    };
    let without_id = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
    let error = start("/ip4/127.0.0.1/tcp/0", vec![without_id]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "address of peer /ip4/127.0.0.1/tcp/1 does not end in /p2p/ and a peer id"
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("/ip4/127.0.0.1/tcp/{}", taken.local_addr().unwrap().port());
    let error = start(&address, Vec::new()).await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen for peers on {address}: ")), "{error}");
}
