//! The write-ahead log, where a crash or a bad disk leaves it torn or changed.

use std::fs;
use std::path::{Path, PathBuf};

use chain::certificate::VoteKind;

use super::super::columns::{RECORD_KEY, SAFETY, TX_INDEX};
use super::fixture::{Chain, Draft, every};

/// The log that was written last. What is in it is in no table yet.
fn newest_log(chain: &Chain) -> PathBuf {
    log_in(&chain.database())
}

fn log_in(database: &Path) -> PathBuf {
    let entries = fs::read_dir(database).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let logs = paths.filter(|path| path.extension().is_some_and(|found| found == "log"));
    logs.max().expect("a log")
}

fn flip(path: &Path, place: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[place] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Where these bytes are in the log.
fn find(path: &Path, wanted: &[u8]) -> usize {
    let bytes = fs::read(path).unwrap();
    bytes.windows(wanted.len()).position(|window| window == wanted).expect("in the log")
}

#[test]
fn a_torn_last_record_is_forgiven_and_only_that_one_is_lost() {
    let mut chain = Chain::new(every(100));
    chain.grow(3);
    let before = length(&chain) as u64;
    let mut with_all = chain.crashed();
    chain.grow(1);
    let after = length(&chain) as u64;
    assert!(after > before);
    // Nothing of the record, some of its header, most of it, all but its last byte.
    for length in [before, before + 3, (before + after) / 2, after - 1] {
        let mut torn = chain.crashed();
        let log = fs::OpenOptions::new().write(true).open(newest_log(&torn)).unwrap();
        log.set_len(length).unwrap();
        torn.blocks.pop();
        torn.reopen();
        // And the place of what was lost is written again.
        torn.grow(2);
        torn.reopen();
    }
    with_all.reopen();
}

#[test]
fn a_torn_vote_never_counted_and_the_one_before_stands() {
    let mut chain = Chain::new(every(100));
    let block = chain.execute(&chain.draft());
    let vote = chain.vote(VoteKind::Prepare, &block);
    chain.persist(vote, std::slice::from_ref(&block));
    let mut torn = chain.crashed();
    let before = length(&torn) as u64;
    let later = chain.vote(VoteKind::Commit, &block);
    chain.persist(later, &[]);
    fs::copy(newest_log(&chain), newest_log(&torn)).unwrap();
    let log = fs::OpenOptions::new().write(true).open(newest_log(&torn)).unwrap();
    log.set_len(before + 20).unwrap();
    torn.reopen();
    assert_eq!(torn.record, Some(vote));
}

#[test]
fn a_flipped_bit_in_the_log_is_refused_wherever_it_is() {
    let mut chain = Chain::new(every(100));
    chain.grow(5);
    let block = chain.execute(&chain.draft());
    let vote = chain.vote(VoteKind::Prepare, &block);
    chain.persist(vote, std::slice::from_ref(&block));
    // In the first record, in the middle, and in the last: a vote that left this machine.
    let wanted = [chain.blocks[0].hash(), chain.blocks[2].hash(), block.hash()];
    for hash in wanted {
        let damaged = chain.crashed();
        let log = newest_log(&damaged);
        flip(&log, find(&log, &hash.0));
        let refusal = damaged.refusal();
        assert!(refusal.contains("damaged at the database (Corruption"), "{refusal}");
        // Looking does not heal it.
        assert_eq!(damaged.refusal(), refusal);
    }
    chain.crashed().reopen();
}

/// Length of the newest log.
fn length(chain: &Chain) -> usize {
    usize::try_from(fs::metadata(newest_log(chain)).unwrap().len()).unwrap()
}

#[test]
fn damage_to_the_frame_of_a_record_is_refused_except_at_the_end_where_it_looks_torn() {
    let mut chain = Chain::new(every(100));
    chain.grow(2);
    let record = length(&chain);
    chain.grow(1);
    let small = chain.crashed();
    // The reader takes in 32 KiB at a time.
    let transactions = vec![chain.put(50_000)];
    let block = chain.execute(&Draft { transactions, ..chain.draft() });
    chain.commit(&[block]);
    // A record begins with a checksum of four bytes, then its length. Too long, and never written.
    for frame in [&[1, 2, 3, 4, 0xff, 0xff, 1], &[0; 7]] {
        for (chain, at_the_end) in [(&chain, false), (&small, true)] {
            let mut damaged = chain.crashed();
            let path = newest_log(&damaged);
            let mut bytes = fs::read(&path).unwrap();
            bytes[record..record + frame.len()].copy_from_slice(frame);
            fs::write(&path, bytes).unwrap();
            if at_the_end {
                damaged.blocks.pop();
                damaged.reopen();
            } else {
                let refusal = damaged.refusal();
                assert!(refusal.contains("damaged at the database (Corruption"), "{refusal}");
            }
        }
    }
}

#[test]
fn a_missing_log_is_damage_although_the_rest_of_the_database_is_whole() {
    let mut chain = Chain::new(every(100));
    chain.grow(2);
    chain.reopen();
    chain.grow(2);
    let damaged = chain.crashed();
    fs::remove_file(newest_log(&damaged)).unwrap();
    let refusal = damaged.refusal();
    assert!(refusal.contains("damaged at the write-ahead log"), "{refusal}");

    // One of several: RocksDB counts those that are complete.
    let block = chain.execute(&chain.draft());
    let vote = chain.vote(VoteKind::Prepare, &block);
    chain.persist(vote, &[block]);
    let mut complete = PathBuf::new();
    let database = chain.database();
    chain.tamper(|db| {
        complete = log_in(&database);
        db.put(SAFETY, RECORD_KEY, db.get(SAFETY, RECORD_KEY).unwrap());
        db.put(TX_INDEX, [0; 9], []);
        db.flush(TX_INDEX);
    });
    assert_ne!(newest_log(&chain), complete);
    chain.crashed().reopen();
    fs::remove_file(complete).unwrap();
    let refusal = chain.refusal();
    assert!(refusal.contains("damaged at the database (Corruption"), "{refusal}");
}
