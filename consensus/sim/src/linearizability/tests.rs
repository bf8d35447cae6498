//! Histories that could have happened, and histories that could not.

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
