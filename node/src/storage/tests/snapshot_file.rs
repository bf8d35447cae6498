//! Snapshot files: written, read, and damaged in every place.

use std::fs;
use std::path::{Path, PathBuf};

use chain::crypto::Ed25519;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::super::*;
use super::fixture::{Chain, Draft, every, genesis};
use crate::snapshot::file::{self, SnapshotFileError};
use crate::snapshot::{Judge, Snapshot, SnapshotSink};

struct Sample {
    chain: Chain,
    directory: TempDir,
    bytes: Vec<u8>,
}

/// A chain with a change of its validators, short enough to try every byte.
fn sample() -> Sample {
    let mut chain = Chain::new(every(64));
    chain.grow(1);
    let evidence = vec![chain.double_vote(0)];
    let barrier = chain.execute(&Draft { evidence, ..chain.draft() });
    chain.commit(&[barrier]);
    chain.grow(2);
    let (height, state) = (chain.tip().0, chain.ledger().state().clone());
    let snapshot = Snapshot::take(chain.store(), height, state).unwrap().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("good");
    let mut steps = Vec::new();
    let bytes = file::write(&path, &snapshot, &mut |done, of| steps.push((done, of))).unwrap();
    assert_eq!(steps, [(1, 1)]);
    let again = file::write(&path, &snapshot, &mut |_, _| {});
    assert!(matches!(again, Err(SnapshotFileError::Exists { .. })));
    let content = fs::read(&path).unwrap();
    assert_eq!(content.len() as u64, bytes);
    Sample { chain, directory, bytes: content }
}

impl Sample {
    fn path(&self) -> PathBuf {
        self.directory.path().join("tried")
    }

    fn load(&self, bytes: &[u8]) -> Result<SnapshotSink, SnapshotFileError> {
        fs::write(self.path(), bytes).unwrap();
        let judge = Judge::new(&self.chain.genesis, None, false);
        file::load(&self.path(), &judge, &Ed25519, &mut |_, _| {})
    }

    #[track_caller]
    fn refusal(&self, bytes: &[u8]) -> String {
        let error = self.load(bytes).expect_err("no good snapshot").to_string();
        assert!(error.len() > 20 && !error.contains('\n'), "{error:?}");
        error
    }
}

#[test]
fn a_chain_survives_its_file() {
    let sample = sample();
    let mut copy = sample.chain.elsewhere(|directory| {
        sample.load(&sample.bytes).unwrap().install(directory).unwrap();
    });
    copy.reopen();
    copy.grow(2);
    copy.reopen();
    let manifest = file::describe(&sample.path()).unwrap();
    assert_eq!((manifest.height(), manifest.tip.hash()), sample.chain.tip());
    assert_eq!(manifest.epoch(), Epoch::new(1));
}

#[test]
fn damage_in_any_place_is_found() {
    let sample = sample();
    for place in 0..sample.bytes.len() {
        let mut bytes = sample.bytes.clone();
        bytes[place] ^= 1 << (place % 8);
        let error = sample.refusal(&bytes);
        let expected = match place {
            0..8 => "is not a snapshot file",
            8..12 => "of version",
            _ => "is damaged",
        };
        assert!(error.contains(expected), "byte {place}: {error}");
        assert!(file::describe(&sample.path()).is_err());
        let cut = sample.refusal(&sample.bytes[..place]);
        assert!(place < 8 || cut.contains("it ends within"), "cut at {place}: {cut}");
    }
    let more = [sample.bytes.as_slice(), &[0]].concat();
    assert!(sample.refusal(&more).contains("goes on after its last part"));
    println!("{} flips and as many cuts refused", sample.bytes.len());
}

/// A forger fixes the checksums: what is left are the proofs, and they cover every byte.
#[test]
fn forgery_in_any_place_is_found() {
    let sample = sample();
    let frames = frames(&sample.bytes);
    assert_eq!(sample.bytes, joined(&frames));
    let mut tried = 0;
    for (number, frame) in frames.iter().enumerate() {
        for place in 0..frame.len() {
            let mut forged = frames.clone();
            forged[number][place] ^= 1 << (place % 8);
            let error = sample.refusal(&joined(&forged));
            assert!(!error.contains("checksum"), "{error}");
            tried += 1;
        }
    }
    println!("{tried} forgeries refused");
    assert!(sample.refusal(&joined(&frames[..1])).contains("it ends within part 1"));
}

#[test]
fn another_chains_file_is_refused() {
    let mut sample = sample();
    sample.chain.genesis = genesis(Digest([8; 32]));
    assert!(sample.refusal(&sample.bytes).contains("it is of chain"));
    let missing = file::describe(Path::new("/nonexistent/file")).unwrap_err().to_string();
    assert!(missing.contains("/nonexistent/file"), "{missing}");
}

/// The contents of the frames of a file.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = &bytes[12..];
    let mut frames = Vec::new();
    while !rest.is_empty() {
        let len = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        frames.push(rest[36..36 + len].to_vec());
        rest = &rest[36 + len..];
    }
    frames
}

fn joined(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"CATSNAP\n\x00\x00\x00\x01".to_vec();
    for (number, frame) in (0u32..).zip(frames) {
        bytes.extend((frame.len() as u32).to_be_bytes());
        bytes.extend(
            Sha256::new().chain_update(number.to_be_bytes()).chain_update(frame).finalize(),
        );
        bytes.extend(frame);
    }
    bytes
}
