use consensus::hybrid::Safety;

use super::*;
use crate::application::Snapshot;
use crate::dice::Purpose;
use crate::signatures::SignatureRule;
use chain::block::Mode;
use chain::types::{Epoch, View};

fn disk() -> Disk<Safety> {
    let rule = SignatureRule::Cheap;
    let validators = Genesis::validators(rule, 1, 4, 1);
    let hash = Digest([1; 32]);
    let snapshot = Snapshot::hash_chain(validators.clone(), &hash);
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

#[test]
fn a_write_that_reached_the_disk_in_part_is_dropped_whole() {
    let mut torn = 0;
    for seed in 0..20 {
        let disk = disk();
        let mut storage = SimStorage(disk.clone());
        storage.persist(&record(1), &[]).unwrap();
        disk.arm(CrashPoint::MidWrite);
        assert!(storage.persist(&record(2), &[]).is_err());
        disk.crash(&mut Dice::new(seed, Purpose::Disk));
        assert_eq!(stored_view(&disk), Some(1), "seed {seed}");
        torn += disk.torn();
    }
    assert!((1..20).contains(&torn), "{torn} of 20 crashes left a part of the write behind");
}

#[test]
fn a_failed_sync_stops_the_node_and_nobody_knows_what_was_written() {
    let survivors: std::collections::BTreeSet<Option<u64>> = (0..20)
        .map(|seed| {
            let disk = disk();
            let mut storage = SimStorage(disk.clone());
            disk.fail_next_sync();
            assert!(disk.is_armed());
            let error = storage.persist(&record(6), &[]).unwrap_err();
            assert_eq!(error.source.to_string(), "the simulated disk failed to sync");
            assert!(!disk.may_send(), "what waited for the sync must not leave");
            assert!(storage.persist(&record(7), &[]).is_err(), "nor is anything written later");
            disk.crash(&mut Dice::new(seed, Purpose::Disk));
            let survivor = stored_view(&disk);
            storage.persist(&record(8), &[]).unwrap();
            assert_eq!(stored_view(&disk), Some(8), "after a restart the disk works again");
            survivor
        })
        .collect();
    assert_eq!(survivors, [None, Some(6)].into());
}

#[test]
#[should_panic(expected = "refuses to start")]
fn nobody_starts_from_a_damaged_disk() {
    let disk = disk();
    SimStorage(disk.clone()).persist(&record(1), &[]).unwrap();
    disk.damage();
    assert!(disk.is_damaged());
    let _ = disk.recover();
}

#[test]
fn a_lost_disk_is_like_a_new_one() {
    let disk = disk();
    SimStorage(disk.clone()).persist(&record(1), &[]).unwrap();
    disk.damage();
    disk.wipe();
    assert_eq!(stored_view(&disk), None);
    assert_eq!(disk.final_height(), Height::default());
}
