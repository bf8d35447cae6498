//! The filter of a node.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocked_peers_do_not_communicate_not_even_through_others() {
    let mut nodes = connected(3).await;
    nodes[0].handle().set_blocked([id(1)]);
    eventually("they are apart", || {
        nodes[0].met() + nodes[1].met() == 2 && nodes[0].peer(1).blocked
    })
    .await;

    assert_eq!(nodes[2].met(), 2);

    // The blocked one's gossip reaches the third, which passes it on; what the third says after
    // that is the first thing that arrives.
    nodes[1].handle().gossip_transactions([&transaction(1)]);
    let batch = nodes[2].receive_batch().await;
    assert_eq!((batch.author, told(&batch)), (id(1), vec![transaction(1)]));
    batch.accept();
    nodes[2].handle().gossip_transactions([&transaction(2)]);
    let batch = nodes[0].receive_batch().await;
    assert_eq!((batch.author, told(&batch)), (id(2), vec![transaction(2)]));
    batch.accept();

    // Nor do direct messages pass, in either direction.
    nodes[0].send(1, &Note::new([1]));
    nodes[1].send(0, &Note::new([2]));
    nodes[2].send(0, &Note::new([3]));
    nodes[2].send(1, &Note::new([4]));
    assert_eq!(nodes[0].receive(1).await, [(id(2), Note::new([3]))]);
    assert_eq!(nodes[1].receive(1).await, [(id(2), Note::new([4]))]);

    nodes[0].handle().set_blocked([]);
    for node in &nodes[..2] {
        eventually("they meet again", || node.met() == 2).await;
    }
    nodes[0].send(1, &Note::new([5]));
    assert_eq!(nodes[1].receive(1).await, [(id(0), Note::new([5]))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn view_changes_reach_those_whom_their_author_does_not() {
    let mut nodes = connected(3).await;
    let note = |number: u8| Note { gossip: true, ..Note::new([number]) };
    // With a stream from the author, gossip brings nothing twice.
    nodes[1].outbox.send(Recipients::Others, &note(1));
    for place in [0, 2] {
        assert_eq!(nodes[place].receive(1).await, [(id(1), note(1))]);
    }
    // The author shuts out the first: only the third can tell it.
    nodes[1].handle().set_blocked([id(0)]);
    eventually("they are apart", || !nodes[0].peer(1).connected).await;
    nodes[1].outbox.send(Recipients::Others, &note(2));
    let mut heard = nodes[0].receive(1).await;
    if heard == [(id(1), note(1))] {
        // The third was slow to pass on what the author could still say itself.
        heard = nodes[0].receive(1).await;
    }
    assert_eq!(heard, [(id(1), note(2))]);
}
