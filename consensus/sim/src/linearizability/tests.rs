//! Histories that could have happened, and histories that could not.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn call<O>(operation: O, asked: u64, answered: impl Into<Option<u64>>) -> Call<O> {
    let answered = answered.into().map(Time::from_nanos);
    Call { operation, asked: Time::from_nanos(asked), answered }
}

fn write(value: u64, asked: u64, answered: impl Into<Option<u64>>) -> Call<Access> {
    call(Access::Write(value), asked, answered)
}

fn read(value: impl Into<Option<u64>>, asked: u64, answered: u64) -> Call<Access> {
    call(Access::Read(value.into()), asked, answered)
}

fn verdict(calls: &[Call<Access>]) -> Verdict {
    check::<Register>(None, calls)
}

#[test]
fn nothing_and_one_call_at_a_time_are_fine() {
    assert_eq!(verdict(&[]), Verdict::Linearizable);
    let calls = [read(None, 0, 1), write(1, 2, 3), read(1, 4, 5), write(2, 6, 7), read(2, 8, 9)];
    assert_eq!(verdict(&calls), Verdict::Linearizable);
}

#[test]
fn a_stale_read_is_caught() {
    let calls = [write(1, 0, 1), write(2, 2, 3), read(1, 4, 5)];
    assert_eq!(verdict(&calls), Verdict::Impossible { stuck: 2 });
    let calls = [write(1, 0, 1), read(None, 2, 3)];
    assert_eq!(verdict(&calls), Verdict::Impossible { stuck: 1 });
}

#[test]
fn concurrent_calls_may_go_either_way() {
    for seen in [1, 2] {
        let calls = [write(1, 0, 10), write(2, 0, 10), read(seen, 11, 12)];
        assert_eq!(verdict(&calls), Verdict::Linearizable, "saw {seen}");
    }
    // But not both ways.
    let calls = [write(1, 0, 10), write(2, 0, 10), read(1, 11, 12), read(2, 13, 14)];
    assert_eq!(verdict(&calls), Verdict::Impossible { stuck: 3 });
}

#[test]
fn a_new_value_that_was_seen_does_not_go_away() {
    let during = |first, second| [write(1, 0, 100), read(first, 10, 20), read(second, 30, 40)];
    assert_eq!(verdict(&during(None, Some(1))), Verdict::Linearizable);
    assert_eq!(verdict(&during(Some(1), Some(1))), Verdict::Linearizable);
    assert_eq!(verdict(&during(Some(1), None)), Verdict::Impossible { stuck: 2 });
}

#[test]
fn a_write_of_unknown_outcome_happened_late_or_never_but_not_before_it_was_asked() {
    let never = [write(1, 0, 1), write(2, 2, None), read(1, 50, 51)];
    assert_eq!(verdict(&never), Verdict::Linearizable);
    let late = [write(1, 0, 1), write(2, 2, None), read(1, 50, 51), read(2, 60, 61)];
    assert_eq!(verdict(&late), Verdict::Linearizable);
    let back = [write(1, 0, 1), write(2, 2, None), read(2, 50, 51), read(1, 60, 61)];
    assert_eq!(verdict(&back), Verdict::Impossible { stuck: 3 });
    let early = [write(1, 0, 1), read(2, 2, 3), write(2, 4, None)];
    assert_eq!(verdict(&early), Verdict::Impossible { stuck: 1 });
}

#[test]
fn what_nobody_wrote_cannot_be_read() {
    assert_eq!(verdict(&[write(1, 0, 1), read(7, 0, 5)]), Verdict::Impossible { stuck: 1 });
}

#[test]
fn a_chain_numbers_its_writes() {
    use VersionedAccess::{Read, Write};
    let good = [
        call(Write(2), 0, 30),
        call(Write(1), 0, 30),
        call(Read(0), 5, 10),
        call(Read(1), 5, 20),
        call(Read(2), 5, 40),
    ];
    assert_eq!(check::<VersionedRegister>(0, &good), Verdict::Linearizable);
    // Acknowledged before the other was even sent, but behind it on the chain.
    let swapped = [call(Write(2), 0, 10), call(Write(1), 20, 30)];
    assert_eq!(check::<VersionedRegister>(0, &swapped), Verdict::Impossible { stuck: 0 });
    let lost = [call(Write(1), 0, 10), call(Read(0), 20, 30)];
    assert_eq!(check::<VersionedRegister>(0, &lost), Verdict::Impossible { stuck: 1 });
}

#[test]
fn a_thousand_calls_are_checked_at_once() {
    use VersionedAccess::{Read, Write};
    let mut calls = Vec::new();
    for version in 1..=500 {
        calls.push(call(Write(version), version * 10, version * 10 + 200));
        calls.push(call(Read(version), version * 10, version * 10 + 400));
    }
    assert_eq!(check::<VersionedRegister>(0, &calls), Verdict::Linearizable);
    calls.push(call(Read(1), 900, 5_000));
    assert!(matches!(check::<VersionedRegister>(0, &calls), Verdict::Impossible { .. }));
}

/// Whether any order fits, by trying them all.
fn some_order_fits(state: Option<u64>, calls: &[Call<CasAccess>], done: &mut Vec<usize>) -> bool {
    let waiting: Vec<usize> = (0..calls.len()).filter(|call| !done.contains(call)).collect();
    let deadline = waiting.iter().filter_map(|call| calls[*call].answered).min();
    let Some(deadline) = deadline else {
        return true;
    };
    waiting.into_iter().filter(|call| calls[*call].asked <= deadline).any(|call| {
        let Some(after) = CasRegister::apply(&state, &calls[call].operation) else {
            return false;
        };
        done.push(call);
        let fits = some_order_fits(after, calls, done);
        done.pop();
        fits
    })
}

/// Up to seven calls of few values, so that about half of the histories are impossible.
fn small_history(random: &mut ChaCha8Rng) -> Vec<Call<CasAccess>> {
    let count = random.random_range(1..=7);
    (0..count)
        .map(|_| {
            let value = random.random_range(1..=4);
            let expected = Some(random.random_range(0..=4)).filter(|value| *value != 0);
            let operation = match random.random_range(0..4) {
                0 => CasAccess::Read(expected),
                1 => CasAccess::Write(value),
                2 => CasAccess::Swapped { expected, value },
                _ => CasAccess::Mismatch { expected },
            };
            let asked = random.random_range(0..20);
            let unknown = random.random_bool(0.3)
                && matches!(operation, CasAccess::Write(_) | CasAccess::Swapped { .. });
            let answered = (!unknown).then(|| asked + random.random_range(1..12));
            call(operation, asked, answered)
        })
        .collect()
}

#[test]
fn the_search_agrees_with_trying_every_order() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (cases, mut possible) = (50_000, 0);
    for case in 0..cases {
        let calls = small_history(&mut random);
        let fits = some_order_fits(None, &calls, &mut Vec::new());
        possible += u32::from(fits);
        let found = check::<CasRegister>(None, &calls);
        assert_eq!(found == Verdict::Linearizable, fits, "case {case}: {calls:#?} {found:?}");
        assert_ne!(found, Verdict::GaveUp, "case {case}");
    }
    println!("{cases} histories compared, {possible} of them possible");
    assert!(possible > cases / 10 && possible < cases * 9 / 10, "{possible} of {cases}");
}

/// Clients of one register as they were: each call took its effect somewhere in between. One in
/// `losses` writes has an unknown outcome, half of these happened.
fn long_history(random: &mut ChaCha8Rng, count: u64, losses: u32) -> Vec<Call<CasAccess>> {
    let mut effects: Vec<u64> = (0..count).map(|_| random.random_range(0..count * 10)).collect();
    effects.sort_unstable();
    let (mut state, mut before) = (None, None);
    let mut calls = Vec::new();
    for (number, at) in effects.into_iter().enumerate() {
        let value = number as u64 + 1;
        let mut operation = match random.random_range(0..4) {
            0 | 1 => CasAccess::Read(state),
            2 => CasAccess::Write(value),
            _ if random.random_bool(0.5) => CasAccess::Swapped { expected: state, value },
            _ if before != state => CasAccess::Mismatch { expected: before },
            _ => CasAccess::Read(state),
        };
        let unknown = CasRegister::gives(&operation).is_some() && random.random_ratio(1, losses);
        if unknown && matches!(operation, CasAccess::Swapped { .. }) {
            operation = CasAccess::Swapped { expected: before, value };
        }
        let happens = !unknown || random.random_bool(0.5);
        if let Some(after) = CasRegister::apply(&state, &operation).filter(|_| happens) {
            (before, state) = (state, after);
        }
        let asked = at.saturating_sub(random.random_range(0..80));
        let answered = (!unknown).then(|| at + random.random_range(1..80));
        calls.push(call(operation, asked, answered));
    }
    calls
}

#[test]
fn long_histories_with_many_unknown_outcomes_are_decided_either_way() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let (cases, mut unknown) = (40, 0);
    for case in 0..cases {
        let mut calls = long_history(&mut random, 2_000, 12);
        unknown += calls.iter().filter(|call| call.answered.is_none()).count();
        assert_eq!(check::<CasRegister>(None, &calls), Verdict::Linearizable, "case {case}");
        // A read near the end that sees the start.
        let end = calls.iter().filter_map(|call| call.answered).max().unwrap_or_default();
        let stale = calls.iter().find_map(|call| match call.operation {
            CasAccess::Read(Some(value)) => Some(value),
            _ => None,
        });
        calls.push(Call {
            operation: CasAccess::Read(stale),
            asked: end,
            answered: Some(Time::from_nanos(end.as_nanos() + 1)),
        });
        let found = check::<CasRegister>(None, &calls);
        assert!(matches!(found, Verdict::Impossible { .. }), "case {case}: {found:?}");
    }
    println!("{cases} histories of 2000 calls, {unknown} of them of unknown outcome");
}
