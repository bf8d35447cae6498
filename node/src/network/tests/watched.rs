//! What is counted for those who watch.

use super::*;

fn said(traffic: &Traffic) -> Vec<(Option<ValidatorIndex>, &'static str, u64, u64)> {
    let sums = traffic.take();
    sums.into_iter().map(|(sort, sum)| (sort.to, sort.kind, sum.count, sum.bytes)).collect()
}

#[test]
fn messages_are_added_up_only_while_somebody_watches() {
    let traffic = Traffic::default();
    let one = Recipients::One(ValidatorIndex::new(2));
    traffic.note(one, &Note::new("unseen"), 10);
    assert!(said(&traffic).is_empty() && !traffic.is_watched());

    let watching = traffic.watch();
    let second = traffic.watch();
    for _ in 0..3 {
        traffic.note(one, &Note::new("seen"), 10);
        traffic.note(Recipients::Others, &Note::new("seen"), 7);
    }
    let expected = [(None, "note", 3, 21), (Some(ValidatorIndex::new(2)), "note", 3, 30)];
    assert_eq!(said(&traffic), expected);
    assert!(said(&traffic).is_empty(), "taken");

    drop(watching);
    assert!(traffic.is_watched());
    drop(second);
    traffic.note(one, &Note::new("unseen"), 10);
    assert!(said(&traffic).is_empty());
}
