use consensus::hybrid::Safety;

use super::*;
use crate::application::{Snapshot, Workload};
use crate::dice::Purpose;
use crate::signatures::SignatureRule;
use chain::block::Mode;
use chain::types::{Epoch, View};

fn disk() -> Disk<Safety> {
    let rule = SignatureRule::Cheap;
    let validators = Genesis::validators(rule, 1, 4, 1);
    let snapshot = Snapshot::genesis(Workload::HashChain, validators.clone());
    let hash = Digest([1; 32]);
    Disk::new(Rc::new(Genesis {
        chain_id: hash,
        hash,
        mode: Mode::Fast,
        fault_model: consensus::engine::FaultModel::Byzantine,
        rule,
        validators,
        snapshot,
    }))
}

fn record(view: u64) -> Safety {
    Safety::new(Epoch::default(), View::new(view))
}

fn stored_view(disk: &Disk<Safety>) -> Option<u64> {
    disk.recover().0.record.map(|record| record.view.get())
}

#[test]
fn a_synced_record_survives_and_the_last_one_counts() {
    let disk = disk();
    let mut storage = SimStorage(disk.clone());
    storage.persist(&record(1), &[]).unwrap();
    storage.persist(&record(2), &[]).unwrap();
    disk.crash(&mut Dice::new(1, Purpose::Disk));
    assert_eq!(stored_view(&disk), Some(2));
}

#[test]
fn a_crash_before_the_write_keeps_the_old_record() {
    let disk = disk();
    let mut storage = SimStorage(disk.clone());
    storage.persist(&record(1), &[]).unwrap();
    disk.arm(CrashPoint::BeforeWrite);
    assert!(storage.persist(&record(2), &[]).is_err());
    assert!(!disk.may_send(), "a dead node sends nothing");
    disk.crash(&mut Dice::new(1, Purpose::Disk));
    assert_eq!(stored_view(&disk), Some(1));
}

#[test]
fn a_crash_before_the_sync_may_lose_the_write_or_keep_it() {
    let survivors: std::collections::BTreeSet<Option<u64>> = (0..20)
        .map(|seed| {
            let disk = disk();
            disk.arm(CrashPoint::BeforeSync);
            assert!(SimStorage(disk.clone()).persist(&record(3), &[]).is_err());
            disk.crash(&mut Dice::new(seed, Purpose::Disk));
            stored_view(&disk)
        })
        .collect();
    assert_eq!(survivors, [None, Some(3)].into());
}

#[test]
fn a_crash_before_the_release_keeps_the_promise_and_sends_nothing() {
    let disk = disk();
    disk.arm(CrashPoint::BeforeRelease);
    assert!(SimStorage(disk.clone()).persist(&record(4), &[]).is_err());
    assert!(!disk.may_send());
    disk.crash(&mut Dice::new(1, Purpose::Disk));
    assert_eq!(stored_view(&disk), Some(4));
}

#[test]
fn sends_stop_after_the_chosen_number() {
    let disk = disk();
    disk.arm(CrashPoint::AfterSends(2));
    assert_eq!([disk.may_send(), disk.may_send(), disk.may_send()], [true, true, false]);
    assert!(disk.is_blown());
}

#[test]
fn a_planted_bug_changes_what_comes_back() {
    let disk = disk();
    disk.set_tamper(Rc::new(|record: &mut Safety| record.view = View::new(0)));
    SimStorage(disk.clone()).persist(&record(5), &[]).unwrap();
    disk.crash(&mut Dice::new(1, Purpose::Disk));
    assert_eq!(stored_view(&disk), Some(0));
}
