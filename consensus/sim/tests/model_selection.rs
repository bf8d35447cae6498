//! The selection rule, searched exhaustively, and its mutants.
//!
//! `MODEL_BLOCKS=5` widens the searches to five blocks in the view and every `n` up to ten:
//! minutes instead of seconds. `-- --nocapture` shows the table.

use chain::quorum::Quorums;
use consensus_sim::model::mutants::Mutant;
use consensus_sim::model::selection::{Outcome, Property, Scope, search};
use consensus_sim::model::table::{grouped, markdown};

/// Blocks of the view where the default scope has `usual`.
fn blocks(usual: usize) -> usize {
    let wide = std::env::var("MODEL_BLOCKS").map(|text| text.parse().expect("a number of blocks"));
    wide.unwrap_or(usual)
}

fn quorums(n: usize) -> Quorums {
    Quorums::new(n, Quorums::default_max_faulty(n)).unwrap()
}

fn scope(n: usize, usual: usize, property: Property) -> Scope {
    Scope { n, f: Quorums::default_max_faulty(n), blocks: blocks(usual), property }
}

/// The real rule in one scope: holds, and was not searched in vain.
fn holds(scope: Scope) -> Outcome {
    let outcome = search(scope, None);
    assert_eq!(outcome.broken, None, "{scope:?}");
    assert!(outcome.cases > 0, "{scope:?}: nothing searched");
    println!(
        "{:?} n={} f={} blocks={}: {} cases, {} sets rejected, none broken",
        scope.property,
        scope.n,
        scope.f,
        scope.blocks,
        grouped(outcome.cases),
        grouped(outcome.rejected)
    );
    outcome
}

#[test]
fn no_final_block_is_lost_among_four_to_seven() {
    for n in 4..=7 {
        let outcome = holds(scope(n, 4, Property::Final));
        assert!(outcome.rejected > 0, "n = {n}: no equivocator was ever among the senders");
    }
}

#[test]
fn no_final_block_is_lost_among_eight_to_ten() {
    for n in [8, 9] {
        holds(scope(n, 4, Property::Final));
    }
    holds(scope(10, 3, Property::Final));
}

#[test]
fn no_final_block_is_lost_for_any_max_faulty() {
    for n in 1..=9 {
        for f in 0..Quorums::default_max_faulty(n) {
            holds(Scope { n, f, blocks: blocks(3), property: Property::Final });
        }
    }
}

#[test]
fn no_ordered_block_is_lost_in_crashes_for_any_max_faulty() {
    for n in 1..=10 {
        for f in 0..=Quorums::default_max_faulty(n) {
            holds(Scope { n, f, blocks: blocks(3), property: Property::Ordered });
        }
    }
}

/// Every mutant is caught where it is unsafe and nowhere else, four, seven and nine included.
#[test]
fn every_mutant_is_caught_where_it_is_unsafe() {
    const SIZES: [usize; 7] = [4, 5, 6, 7, 8, 9, 10];
    let mut rows = Vec::new();
    for mutant in Mutant::ALL {
        if mutant == Mutant::SupportIgnoresQuorum {
            continue;
        }
        let mut row = vec![mutant.name().to_owned()];
        for n in SIZES {
            // Where nothing is to be found the whole scope is searched: one block less for eight.
            let usual = if n == 8 { 3 } else { 4 };
            let outcome = search(scope(n, usual, Property::Final), Some(mutant));
            let is_unsafe = mutant.is_unsafe(quorums(n));
            assert_eq!(outcome.broken.is_some(), is_unsafe, "{mutant:?} at n = {n}: {outcome:?}");
            let must_be_caught = [4, 7, 9].contains(&n);
            assert!(is_unsafe || !must_be_caught, "{mutant:?} is not even unsafe at n = {n}");
            let cases = grouped(outcome.cases);
            row.push(if is_unsafe { cases } else { format!("equivalent ({cases})") });
        }
        rows.push(row);
    }
    let head = ["cases until caught, n =", "4", "5", "6", "7", "8", "9", "10"];
    println!("\n{}", markdown(&head, &rows));
}

/// The bound of `support` by `quorum` - f is what keeps ordered blocks: n - 2f - p alone does not.
#[test]
fn support_above_what_a_quorum_leaves_loses_ordered_blocks() {
    let mut rows = Vec::new();
    for (n, f) in [(3, 0), (8, 1), (4, 1), (7, 2)] {
        let scope = Scope { n, f, blocks: blocks(3), property: Property::Ordered };
        let mutant = Mutant::SupportIgnoresQuorum;
        let outcome = search(scope, Some(mutant));
        let is_unsafe = mutant.is_unsafe(Quorums::new(n, f).unwrap());
        assert_eq!(is_unsafe, [(3, 0), (8, 1)].contains(&(n, f)));
        assert_eq!(outcome.broken.is_some(), is_unsafe, "n = {n}, f = {f}: {outcome:?}");
        let verdict = if is_unsafe { "caught" } else { "equivalent" };
        rows.push(vec![format!("({n}, {f})"), verdict.to_owned(), grouped(outcome.cases)]);
    }
    println!("\n{}", markdown(&[Mutant::SupportIgnoresQuorum.name(), "verdict", "cases"], &rows));
}

/// Where `support` is no more than f, liars alone can make a tip: hence nobody acknowledges a tip
/// that it has not executed.
#[test]
fn liars_alone_make_a_tip_only_where_support_is_no_more_than_f() {
    for n in 4..=10 {
        let outcome = search(scope(n, 2, Property::Voted), None);
        let reachable = quorums(n).support <= quorums(n).f;
        assert_eq!(reachable, [4, 7, 10].contains(&n));
        assert_eq!(outcome.broken.is_some(), reachable, "n = {n}: {outcome:?}");
        println!("a tip without honest votes, n={n}: {reachable}, {} cases", outcome.cases);
    }
}
