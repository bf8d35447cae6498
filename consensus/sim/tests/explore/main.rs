//! Every schedule of the production engines in small scopes, over the production driver. Planted
//! bugs show that the same searches would find something.
//!
//! `EXPLORE=full` searches the larger scopes, which takes minutes. `-- --nocapture` shows figures.

mod hybrid;
mod paxos;
mod pbft;
mod raft;
mod spoiled;

use std::time::Instant;

use consensus_sim::explore::{Case, Found, explore};

/// Whether the larger scopes are wanted.
fn is_full() -> bool {
    std::env::var("EXPLORE").is_ok_and(|scope| scope == "full")
}

fn search<C: Case>(name: &str, case: &C) -> Found {
    let started = Instant::now();
    let found = explore(case);
    println!("{name}: {found} in {:.1?}", started.elapsed());
    found
}

/// Nothing is wrong anywhere.
fn holds<C: Case>(name: &str, case: &C) -> Found {
    let found = search(name, case);
    assert_eq!(found.violation, None, "{name}");
    assert!(found.states > 1, "{name}: something happens");
    found
}

/// The planted bug shows, and how.
fn is_caught<C: Case>(name: &str, case: &C) -> String {
    let violation = search(name, case).violation.expect("the planted bug is found");
    assert!(!violation.steps.is_empty(), "{name}: nothing is wrong at the start");
    violation.what
}
