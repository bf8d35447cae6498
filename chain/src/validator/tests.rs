use super::*;
use crate::codec;
use crate::crypto::Signer;
use crate::testing::{signer, validators};

fn index(seat: u16) -> ValidatorIndex {
    ValidatorIndex::new(seat)
}

/// A validator that is in no set of `validators(n)` with n at most 50.
fn joiner(number: u16) -> Validator {
    let member = validators(1).get(index(0)).unwrap().clone();
    Validator {
        consensus_key: signer(50 + number).public(),
        network_key: signer(250 + number).public(),
        ..member
    }
}

fn taken(set: &ValidatorSet) -> Vec<u16> {
    set.indices().map(ValidatorIndex::get).collect()
}

#[test]
fn members_keep_their_seats_while_others_leave_and_join() {
    let mut set = validators(5);
    let before = set.clone();
    assert_eq!(set.remove(index(1)).as_ref(), before.get(index(1)));
    assert_eq!((set.len(), set.seats(), taken(&set)), (4, 5, vec![0, 2, 3, 4]));
    assert_eq!(set.get(index(1)), None);
    assert_eq!(set.remove(index(1)), None);
    assert_eq!(set.get(index(9)), None);
    for (seat, member) in set.members() {
        assert_eq!(before.get(seat), Some(member));
        assert_eq!(set.index_of(&member.consensus_key), Some(seat));
    }
    assert_eq!(set.admit(joiner(0)), index(1), "the lowest free seat");
    assert_eq!(set.admit(joiner(1)), index(5), "a new seat at the end");
    assert_eq!((set.len(), set.seats()), (6, 6));
    assert_eq!(set.check(), Ok(()));
}

#[test]
fn who_replaces_another_sits_elsewhere() {
    let mut set = validators(4);
    assert_eq!(set.replace(index(2), joiner(0)), index(4));
    assert_eq!(taken(&set), [0, 1, 3, 4]);
    assert_eq!(set.replace(index(4), joiner(1)), index(2), "back in the free seat");
    assert_eq!((taken(&set), set.seats()), (vec![0, 1, 2, 3], 4));
    assert_eq!(set.check(), Ok(()));
}

#[test]
fn free_seats_at_the_end_are_given_up() {
    let mut set = validators(5);
    set.remove(index(3));
    assert_eq!(set.seats(), 5);
    set.remove(index(4));
    assert_eq!((set.seats(), taken(&set)), (3, vec![0, 1, 2]));
}

#[test]
fn quorums_and_leaders_go_by_members() {
    let mut set = validators(5);
    set.remove(index(0));
    assert_eq!((set.quorums().n, set.quorums().quorum), (4, 3));
    let leaders = |set: &ValidatorSet| -> Vec<u16> {
        (0..5).map(|view| set.leader(View::new(view)).get()).collect()
    };
    assert_eq!(leaders(&set), [1, 2, 3, 4, 1]);
    set.get_mut(index(3)).unwrap().jailed = true;
    assert_eq!(leaders(&set), [1, 2, 4, 1, 2]);
    assert_eq!(set.check(), Ok(()));
}

#[test]
fn sets_that_break_an_invariant_are_refused() {
    use ValidatorSetError as E;
    let check = |change: fn(&mut ValidatorSet)| {
        let mut set = validators(4);
        change(&mut set);
        set.check()
    };
    assert_eq!(check(|set| set.seats.push(None)), Err(E::LastSeatFree(5)));
    assert_eq!(check(|set| set.seats.clear()), Err(E::Quorum(QuorumError::Empty)));
    assert!(matches!(
        check(|set| {
            set.remove(index(0));
        }),
        Err(E::Quorum(_))
    ));
    let twice = check(|set| {
        set.remove(index(0));
        let key = set.get(index(1)).unwrap().network_key;
        set.admit(Validator { network_key: key, ..joiner(0) });
    });
    assert_eq!(twice, Err(E::SharedKey(index(0), index(1))));
    let jailed = check(|set| set.seats.iter_mut().flatten().for_each(|v| v.jailed = true));
    assert_eq!(jailed, Err(E::TooManyJailed { jailed: 4, max: 1 }));
    assert_eq!(check(|set| set.seats.resize(200, None)), Err(E::TooManySeats(200)));
    let mut full = validators(ValidatorSet::MAX as u16);
    assert_eq!(full.check(), Ok(()));
    full.replace(index(3), Validator { consensus_key: signer(999).public(), ..joiner(0) });
    assert_eq!((full.seats(), full.len()), (ValidatorSet::MAX_SEATS, ValidatorSet::MAX));
    full.admit(Validator { consensus_key: signer(998).public(), ..joiner(1) });
    assert_eq!(full.check(), Err(E::TooMany(129)));
}

#[test]
fn free_seats_are_part_of_the_encoding_and_the_hash() {
    let mut set = validators(5);
    set.remove(index(2));
    assert_eq!(codec::decode::<ValidatorSet>(&codec::encode(&set)).as_ref(), Ok(&set));
    let moved = ValidatorSet::new(
        set.epoch,
        set.first_view,
        set.max_faulty,
        set.members().map(|(_, member)| member.clone()),
    );
    let chain = Digest([1; 32]);
    assert_eq!(moved.len(), set.len());
    assert_ne!(moved.hash(&chain), set.hash(&chain));
}
