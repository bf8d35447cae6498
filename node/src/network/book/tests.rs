use chain::crypto::Keypair;
use chain::types::Address;

use super::*;
use crate::network::access::Open;

/// Admits the nodes on a list.
#[derive(Default)]
struct List(Mutex<Vec<Address>>);

impl AccessPolicy for List {
    fn admits(&self, node: &Address) -> bool {
        self.0.lock().unwrap().contains(node)
    }
}

fn key(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

fn id(seed: u8) -> PeerId {
    identity::peer_id(&key(seed).public()).unwrap()
}

fn book() -> Book {
    Book::new(id(1), 100, Arc::new(Open))
}

#[test]
fn members_may_connect_unless_blocked_banned_or_gone() {
    let [me, a, b, c, stranger] = [1, 2, 3, 4, 5].map(id);
    let book = book();
    book.set_members([me, a, b, c]);
    assert_eq!(book.allowed(), BTreeSet::from([a, b, c]));
    assert!(book.get(&me).is_none() && book.get(&stranger).is_none());

    book.set_blocked([a]);
    book.refuse(&b, Mismatch::OtherVersion(9));
    assert_eq!(book.allowed(), BTreeSet::from([c]));
    assert!(book.get_allowed(&a).is_none() && book.get(&a).is_some());
    assert_eq!([a, b, c].map(|id| book.may_write(&id)), [false, false, true]);

    for _ in 0..2 {
        book.fault(&c, Misbehaviour::Oversized, "too long");
    }
    assert!(book.allowed().is_empty());
    let infos = book.infos();
    assert_eq!(infos.iter().filter(|info| info.banned.is_some()).count(), 2);
    assert_eq!(infos.iter().filter(|info| info.blocked).count(), 1);

    book.set_blocked([]);
    let record = book.get(&a).expect("a member");
    // In the new epoch and in the one before: one peer, with the record and the queue it had.
    book.set_members([me, a, a]);
    assert!(Arc::ptr_eq(&record, &book.get(&a).expect("still a member")));
    assert_eq!(book.allowed(), BTreeSet::from([a]));
}

#[test]
fn guests_are_bounded_and_the_last_ones_are_told_at_most_so_many_at_once() {
    let book = book();
    book.set_members([id(2)]);
    book.set_configured([id(3)]);
    let guests: Vec<PeerId> = (10..).map(id).take(MAX_GUESTS + MAX_PARTING + 1).collect();
    let (inside, outside) = guests.split_at(MAX_GUESTS);
    assert!(inside.iter().all(|id| book.admit(id) == Admission::Welcome));
    let (told, closed) = outside.split_at(MAX_PARTING);
    assert!(told.iter().all(|id| book.admit(id) == Admission::ToBeTold));
    assert!(told.iter().all(|id| book.refusal(id) == Some(Refusal::Full)));
    assert!(closed.iter().all(|id| book.admit(id) == Admission::Closed));
    // Never at the cost of those who are named.
    assert!([id(2), id(3)].iter().all(|id| book.admit(id) == Admission::Welcome));
    assert!(told.iter().all(|id| book.get(id).is_none() && !book.allowed().contains(id)));

    assert!(book.overdue(Instant::now()).is_empty());
    book.told(&told[0]);
    let soon = Instant::now() + TOLD_TIME;
    assert_eq!(book.overdue(soon), [told[0]]);
    assert_eq!(book.overdue(soon + PARTING_TIME).len(), MAX_PARTING);
    book.leave(&told[0]);
    book.leave(&inside[0]);
    assert_eq!(book.admit(&told[0]), Admission::Welcome, "there is room again");
}

#[test]
fn a_guest_that_was_shut_out_is_so_when_it_comes_back() {
    let (book, guest) = (book(), id(9));
    assert_eq!(book.admit(&guest), Admission::Welcome);
    for _ in 0..2 {
        book.fault(&guest, Misbehaviour::Oversized, "too long");
    }
    book.leave(&guest);
    assert!(book.get(&guest).is_none());
    assert_eq!(book.admit(&guest), Admission::Closed);
    assert!(!book.may_write(&guest));
}

#[test]
fn where_the_chain_says_who_may_connect_others_are_refused_and_sent_away_when_it_changes() {
    let list = Arc::new(List::default());
    let book = Book::new(id(1), 100, Arc::clone(&list) as Arc<dyn AccessPolicy>);
    let (member, observer) = (id(2), id(9));
    book.set_members([member]);
    assert_eq!(book.admit(&observer), Admission::ToBeTold);
    assert_eq!(book.refusal(&observer), Some(Refusal::NotAdmitted));
    assert!(!book.may_write(&observer) && book.may_write(&member));
    book.leave(&observer);

    list.0.lock().unwrap().push(key(9).public().address());
    assert!(book.may_write(&observer), "others may bring what it wrote");
    assert_eq!(book.admit(&observer), Admission::Welcome);
    book.recheck();
    assert!(book.allowed().contains(&observer));

    list.0.lock().unwrap().clear();
    book.recheck();
    assert_eq!(book.allowed(), BTreeSet::from([member]));
}

#[test]
fn a_member_that_is_removed_stays_as_a_guest_with_its_record() {
    let (book, removed) = (book(), id(2));
    book.set_members([removed, id(3)]);
    let record = book.get(&removed).unwrap();
    record.connected.send_replace(true);
    book.set_members([id(3)]);
    assert!(Arc::ptr_eq(&record, &book.get(&removed).unwrap()));
    assert!(!book.is_member(&removed) && book.allowed().contains(&removed));
    book.leave(&removed);
    assert!(book.get(&removed).is_none());
}
