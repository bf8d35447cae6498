//! Round trips, and what a leader makes of them.

use std::sync::Arc;

use chain::crypto::{Ed25519, PublicKey};
use chain::types::Digest;

use super::*;
use crate::policy::Policy;

const MS: Duration = Duration::from_millis(1);
const MAX: usize = Block::MAX_TRANSACTION_BYTES;

fn config(pipeline: u64) -> Config {
    Config {
        chain_id: Digest::ZERO,
        me: PublicKey([0; 32]),
        verifier: Arc::new(Ed25519),
        timeout_min: MS * 400,
        timeout_max: MS * 4_000,
        heartbeat: MS * 50,
        grace: MS * 5,
        block_interval: MS * 5,
        batch: 100,
        pipeline,
        policy: Policy::Adaptive,
    }
}

fn measure(pacing: &mut Pacing, times: usize, round_trip: Duration, bytes: usize, config: &Config) {
    (0..times).for_each(|_| pacing.certified(round_trip, bytes, config));
}

#[test]
fn the_whole_pipeline_is_used_until_blocks_wait_for_each_other() {
    let config = config(8);
    let mut pacing = Pacing::new(&config);
    measure(&mut pacing, 64, MS * 10, 0, &config);
    assert_eq!((pacing.depth(), pacing.batch(&config)), (8, 100));
    measure(&mut pacing, 64, MS * 25, 0, &config);
    assert_eq!(pacing.depth(), 8, "two and a half times the shortest is no queue yet");
    measure(&mut pacing, 64, MS * 31, 0, &config);
    assert_eq!((pacing.depth(), pacing.batch(&config)), (4, 200), "fewer and fuller");
    measure(&mut pacing, 1_000, MS * 31, 0, &config);
    assert_eq!(pacing.depth(), 8, "once nothing shorter is remembered, this is how the network is");
}

#[test]
fn a_queue_shrinks_the_depth_to_two_at_least() {
    for (pipeline, least) in [(1, 1), (2, 2), (32, 2)] {
        let config = config(pipeline);
        let mut pacing = Pacing::new(&config);
        let mut lowest = pipeline;
        for _ in 0..40 {
            measure(&mut pacing, 1, MS, 0, &config);
            measure(&mut pacing, 15, MS * 50, 0, &config);
            lowest = lowest.min(pacing.depth());
            assert!((least..=pipeline).contains(&pacing.depth()));
        }
        assert_eq!(lowest, least);
        measure(&mut pacing, 16 * 32, MS, 0, &config);
        assert_eq!(pacing.depth(), pipeline);
    }
}

#[test]
fn a_few_lost_messages_change_nothing() {
    let config = config(8);
    let mut pacing = Pacing::new(&config);
    for _ in 0..50 {
        measure(&mut pacing, 6, MS * 4, 0, &config);
        measure(&mut pacing, 4, MS * 90, 0, &config);
    }
    assert_eq!(pacing.depth(), 8, "four of ten are late");
}

#[test]
fn blocks_too_large_for_the_network_become_smaller_and_grow_again() {
    let config = config(8);
    let mut pacing = Pacing::new(&config);
    measure(&mut pacing, 10, MS * 20, 1_000, &config);
    assert_eq!(pacing.bytes(), MAX);
    measure(&mut pacing, 1, MS * 230, MAX, &config);
    assert_eq!(pacing.bytes(), MAX / 2);
    measure(&mut pacing, 20, MS * 230, 1_000, &config);
    assert_eq!(pacing.bytes(), MAX / 2, "slow for another reason than its size");
    measure(&mut pacing, 1, MS * 900, LEAST_BYTES + 1, &config);
    assert_eq!(pacing.bytes(), LEAST_BYTES);
    measure(&mut pacing, 5, MS * 30, 1_000, &config);
    assert_eq!(pacing.bytes(), LEAST_BYTES, "small blocks say nothing about larger ones");
    for _ in 0..40 {
        let full = pacing.bytes();
        measure(&mut pacing, 1, MS * 60, full, &config);
    }
    assert_eq!(pacing.bytes(), MAX);
}

/// A long way is no reason for small blocks.
#[test]
fn distance_alone_shrinks_nothing() {
    let config = config(8);
    let mut pacing = Pacing::new(&config);
    measure(&mut pacing, 300, MS * 350, MAX, &config);
    assert_eq!((pacing.depth(), pacing.bytes()), (8, MAX));
}

#[test]
fn it_says_what_it_does() {
    let config = config(8);
    let mut pacing = Pacing::new(&config);
    assert_eq!(pacing.explain(&config), "at most 8 blocks in flight; no round trip measured yet");
    measure(&mut pacing, 3, MS * 20, 1_000, &config);
    measure(&mut pacing, 3, MS * 31, 1_000, &config);
    let sentence = "at most 8 of 8 blocks in flight, 2048 KiB each; a round trip takes 31.0 ms";
    assert_eq!(pacing.explain(&config), sentence);
}
