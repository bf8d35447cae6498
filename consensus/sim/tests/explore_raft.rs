//! Every schedule of production Raft in a small scope.

use std::marker::PhantomData;
use std::time::Instant;

use consensus::raft::Thesis;
use consensus_sim::explore::explore;
use consensus_sim::explore::raft::Elections;

#[test]
fn two_terms() {
    let started = Instant::now();
    let rules = PhantomData::<Thesis>;
    let found = explore(&Elections {
        terms: 2,
        timeouts: 1,
        crashes: 0,
        transactions: 1,
        max_states: 200_000,
        rules,
    });
    println!("{found} in {:?}", started.elapsed());
    assert_eq!(found.violation, None);
}
