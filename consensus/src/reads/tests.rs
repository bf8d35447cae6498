//! The rounds of reads, without an engine.

use super::*;

const ME: ValidatorIndex = ValidatorIndex::new(0);
const QUORUM: usize = 3;
const RETRY: Duration = Duration::from_millis(100);

fn peer(index: u16) -> ValidatorIndex {
    ValidatorIndex::new(index)
}

fn height(height: u64) -> Height {
    Height::new(height)
}

fn at(root: u64, voted: u64) -> Standing {
    let view = (View::new(3), true);
    Standing { root: height(root), view, start: height(0), voted: height(voted) }
}

fn advance(reads: &mut Reads, standing: &Standing, now: u64) -> Vec<ReadStep> {
    let now = Time::from_nanos(now * 1_000_000);
    reads.advance(ME, QUORUM, standing, (now, RETRY))
}

#[test]
fn a_quorum_of_heights_that_the_own_chain_covers_makes_a_read_ready() {
    let mut reads = Reads::default();
    reads.ask(7);
    assert_eq!(advance(&mut reads, &at(5, 5), 0), [ReadStep::Ask { id: 7 }]);
    reads.heard(peer(1), 7, height(6));
    // A liar's height is never reached, and an old round's answer is none.
    reads.heard(peer(2), 7, height(u64::MAX));
    reads.heard(peer(3), 6, height(5));
    assert_eq!(advance(&mut reads, &at(6, 6), 0), []);
    reads.heard(peer(3), 7, height(7));
    assert_eq!(advance(&mut reads, &at(6, 6), 0), [], "the chain is not there yet");
    assert_eq!(advance(&mut reads, &at(7, 7), 0), [ReadStep::Ready { id: 7 }]);
    assert!(reads.is_idle());
}

#[test]
fn who_voted_for_a_block_answers_once_it_is_final() {
    let mut reads = Reads::default();
    reads.hold(peer(2), 9, &at(5, 8));
    assert_eq!(advance(&mut reads, &at(7, 11), 0), []);
    // Later votes are no concern of an earlier question, asked once more or not.
    reads.hold(peer(2), 9, &at(7, 11));
    let answer = ReadStep::Answer { to: peer(2), id: 9, height: height(8) };
    assert_eq!(advance(&mut reads, &at(8, 12), 0), [answer]);
}

#[test]
fn a_new_view_says_what_became_of_older_votes() {
    let mut reads = Reads::default();
    reads.hold(peer(1), 1, &at(5, 8));
    let mut standing = at(5, 8);
    standing.view = (View::new(4), false);
    standing.start = height(0);
    assert_eq!(advance(&mut reads, &standing, 0), [], "the view has not started here");
    standing.view = (View::new(4), true);
    standing.start = height(6);
    assert_eq!(advance(&mut reads, &standing, 0), [], "6 may be final");
    standing.root = height(6);
    let answer = ReadStep::Answer { to: peer(1), id: 1, height: height(6) };
    assert_eq!(advance(&mut reads, &standing, 0), [answer]);
}

#[test]
fn reads_that_come_during_a_round_share_the_next_one() {
    let mut reads = Reads::default();
    reads.ask(1);
    assert_eq!(advance(&mut reads, &at(5, 5), 0), [ReadStep::Ask { id: 1 }]);
    reads.ask(2);
    reads.ask(3);
    assert_eq!(advance(&mut reads, &at(5, 5), 99), []);
    assert_eq!(advance(&mut reads, &at(5, 5), 100), [ReadStep::Ask { id: 1 }]);
    reads.heard(peer(1), 1, height(5));
    reads.heard(peer(2), 1, height(5));
    let steps = [ReadStep::Ready { id: 1 }, ReadStep::Ask { id: 3 }];
    assert_eq!(advance(&mut reads, &at(5, 5), 101), steps);
    reads.enter_epoch();
    assert_eq!(advance(&mut reads, &at(5, 5), 102), [ReadStep::Ask { id: 3 }], "another set");
    for id in 4..4 + 2 * MAX_READS as u64 {
        reads.ask(id);
    }
    assert_eq!(reads.waiting.len(), MAX_READS);
}

#[test]
fn a_lone_validator_asks_nobody_but_itself() {
    let mut reads = Reads::default();
    reads.ask(1);
    let steps = reads.advance(ME, 1, &at(5, 5), (Time::default(), RETRY));
    assert_eq!(steps, [ReadStep::Ask { id: 1 }, ReadStep::Ready { id: 1 }]);
}
