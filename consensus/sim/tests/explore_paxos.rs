//! Every schedule of production Paxos in a small scope.

use std::marker::PhantomData;
use std::time::Instant;

use consensus::paxos::Paper;
use consensus_sim::explore::explore;
use consensus_sim::explore::paxos::Ballots;

#[test]
fn two_ballots() {
    let started = Instant::now();
    let rules = PhantomData::<Paper>;
    let found = explore(&Ballots {
        highest: 2,
        timeouts: 1,
        crashes: 0,
        transactions: 1,
        max_states: 200_000,
        rules,
    });
    println!("{found} in {:?}", started.elapsed());
    assert_eq!(found.violation, None);
}
