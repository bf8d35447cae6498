//! Every schedule of the production hybrid with a lying leader, in a small scope.

use std::time::Instant;

use chain::block::Mode;
use consensus::hybrid::Hybrid;
use consensus_sim::explore::hybrid::{LyingLeader, Reach};
use consensus_sim::explore::{Found, explore};

fn search(mode: Mode, reach: Reach, max_states: usize) -> Found {
    let started = Instant::now();
    let found = explore(&LyingLeader::<Hybrid>::new(mode, reach, max_states));
    println!("{mode:?}, {reach:?}: {found} in {:?}", started.elapsed());
    found
}

#[test]
fn fast_view_change() {
    let found = search(Mode::Fast, Reach::ViewChange, 150_000);
    assert_eq!(found.violation, None);
}
