use std::sync::Arc;

use super::*;

fn frame(lane: Lane, tag: u8, len: usize) -> Frame {
    Frame { lane, bytes: Arc::new(vec![tag; len]) }
}

fn drain(queue: &OutQueue) -> Vec<(Lane, u8)> {
    std::iter::from_fn(|| queue.try_pop()).map(|frame| (frame.lane, frame.bytes[0])).collect()
}

fn connected(max_bytes: usize) -> OutQueue {
    let queue = OutQueue::new(max_bytes);
    queue.connect();
    queue
}

#[test]
fn votes_leave_before_blocks_and_blocks_before_sync() {
    let queue = connected(1000);
    queue.push(frame(Lane::Sync, 1, 10));
    queue.push(frame(Lane::Blocks, 2, 10));
    queue.push(frame(Lane::Votes, 3, 10));
    queue.push(frame(Lane::Votes, 4, 10));
    assert_eq!(
        drain(&queue),
        [(Lane::Votes, 3), (Lane::Votes, 4), (Lane::Blocks, 2), (Lane::Sync, 1)]
    );
}

#[test]
fn a_full_queue_drops_the_oldest_of_the_least_important() {
    let queue = connected(40);
    queue.push(frame(Lane::Votes, 1, 10));
    queue.push(frame(Lane::Blocks, 2, 10));
    queue.push(frame(Lane::Sync, 3, 10));
    queue.push(frame(Lane::Sync, 4, 10));
    queue.push(frame(Lane::Votes, 5, 20));
    assert_eq!(drain(&queue), [(Lane::Votes, 1), (Lane::Votes, 5), (Lane::Blocks, 2)]);
    assert_eq!(queue.dropped(), 2);
}

#[test]
fn what_matters_less_never_pushes_out_what_matters_more() {
    let queue = connected(20);
    queue.push(frame(Lane::Votes, 1, 10));
    queue.push(frame(Lane::Blocks, 2, 10));
    queue.push(frame(Lane::Sync, 3, 10));
    assert_eq!(drain(&queue), [(Lane::Votes, 1), (Lane::Blocks, 2)]);
    assert_eq!(queue.dropped(), 1);
}

#[test]
fn the_number_of_messages_is_bounded_and_newer_votes_replace_older_ones() {
    let queue = connected(usize::MAX);
    for _ in 0..MAX_FRAMES {
        queue.push(frame(Lane::Votes, 1, 1));
    }
    queue.push(frame(Lane::Votes, 2, 1));
    let left = drain(&queue);
    assert_eq!(left.len(), MAX_FRAMES);
    assert_eq!(left.last(), Some(&(Lane::Votes, 2)));
    assert_eq!(queue.dropped(), 1);
}

#[test]
fn a_message_larger_than_the_queue_is_dropped_and_costs_nobody() {
    let queue = connected(20);
    queue.push(frame(Lane::Sync, 1, 10));
    queue.push(frame(Lane::Votes, 2, 21));
    assert_eq!(drain(&queue), [(Lane::Sync, 1)]);
}

#[test]
fn without_a_stream_only_votes_wait() {
    let queue = OutQueue::new(1000);
    queue.push(frame(Lane::Blocks, 1, 10));
    queue.push(frame(Lane::Votes, 2, 10));
    queue.connect();
    queue.push(frame(Lane::Blocks, 3, 10));
    queue.push(frame(Lane::Sync, 4, 10));
    assert!(queue.disconnect() && !queue.disconnect());
    assert_eq!(drain(&queue), [(Lane::Votes, 2)]);
    assert_eq!(queue.dropped(), 3);
    queue.connect();
    queue.push(frame(Lane::Sync, 5, 1000));
    assert_eq!(drain(&queue), [(Lane::Sync, 5)], "the bytes of what was dropped are free again");
}

#[tokio::test]
async fn waiting_ends_when_something_arrives() {
    let queue = Arc::new(connected(100));
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.pop().await.bytes[0] }
    });
    tokio::task::yield_now().await;
    queue.push(frame(Lane::Votes, 9, 1));
    assert_eq!(waiting.await.unwrap(), 9);
}
