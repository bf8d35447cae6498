//! Reading the chain back: transactions, changes of mode, evidence, runs for peers.

use chain::block::Mode;
use chain::finality::FinalityProof;
use chain::types::{Digest, Height};
use consensus::application::Finals;
use consensus::engine::{FaultModel, Reason};
use consensus::registry::EngineName;

use super::super::*;
use super::fixture::{Chain, Draft, every};

#[test]
fn transactions_are_found_before_and_after_checkpoints_and_unknown_ones_are_not() {
    let mut chain = Chain::new(every(3));
    for _ in 0..11 {
        let transactions = vec![chain.put(1), chain.put(1)];
        let block = chain.execute(&Draft { transactions, ..chain.draft() });
        chain.commit(&[block]);
    }
    for _ in 0..2 {
        for block in &chain.blocks {
            for (index, hash) in (0..).zip(block.transaction_hashes()) {
                let found = chain.store().locate(hash).unwrap().unwrap();
                assert_eq!((found.height, found.index), (block.header.height, index));
                assert_eq!((found.block, found.receipt.transaction), (block.hash(), *hash));
                // The index keeps the first bytes only: the receipt decides.
                let mut similar = *hash;
                similar.0[31] ^= 1;
                assert_eq!(chain.store().locate(&similar).unwrap(), None);
            }
            let receipts = chain.store().receipts(block.header.height).unwrap().unwrap();
            let hashes: Vec<_> = receipts.iter().map(|receipt| receipt.transaction).collect();
            assert_eq!(hashes, block.transaction_hashes());
        }
        for salt in 0..=255 {
            assert_eq!(chain.store().locate(&Digest([salt; 32])).unwrap(), None);
        }
        chain.reopen();
    }
}

#[test]
fn changes_of_mode_say_why_and_evidence_says_who() {
    let mut chain = Chain::new(every(4));
    let add = |chain: &mut Chain, view, mode, evidence| {
        let block = chain.execute(&Draft { view, mode, evidence, ..chain.draft() });
        chain.commit(&[block]);
    };
    add(&mut chain, 0, Mode::Fast, vec![]);
    // The leader of view 1 was silent.
    add(&mut chain, 2, Mode::Pbft, vec![]);
    add(&mut chain, 2, Mode::Pbft, vec![]);
    add(&mut chain, 3, Mode::Fast, vec![]);
    // Somebody signed twice in view 3; the barrier ends the epoch.
    let evidence = chain.double_vote(3);
    add(&mut chain, 4, Mode::Pbft, vec![evidence.clone()]);
    add(&mut chain, 5, Mode::Fast, vec![]);
    // The first block of this epoch may have left every view of it behind.
    add(&mut chain, 7, Mode::Pbft, vec![]);

    let change = |height, to, reason| {
        let from = if to == Mode::Fast { Mode::Pbft } else { Mode::Fast };
        ModeChange { height: Height::new(height), from, to, reason }
    };
    let expected = [
        change(2, Mode::Pbft, Reason::Timeout),
        change(4, Mode::Fast, Reason::Calm),
        change(5, Mode::Pbft, Reason::Equivocation),
        change(6, Mode::Fast, Reason::Calm),
        change(7, Mode::Pbft, Reason::Timeout),
    ];
    for _ in 0..2 {
        let store = chain.store();
        assert_eq!(store.mode_changes(100).unwrap(), expected);
        assert_eq!(store.mode_changes(2).unwrap(), expected[3..]);
        assert_eq!(store.mode_changes(0).unwrap(), []);
        let on_chain = EvidenceOnChain { height: Height::new(5), evidence: evidence.clone() };
        assert_eq!(store.evidence().unwrap(), [on_chain]);
        let start = store.epoch_start(Epoch::new(1)).unwrap().unwrap();
        assert_eq!((start.height, start.mode), (Height::new(5), Mode::Pbft));
        assert_eq!(start.hash, chain.blocks[4].hash());
        let first = store.epoch_start(Epoch::new(0)).unwrap().unwrap();
        assert_eq!((first.height, first.hash), (Height::new(0), chain.genesis.chain_id));
        assert_eq!(store.epoch_start(Epoch::new(2)).unwrap(), None);
        chain.reopen();
    }
}

#[test]
fn the_mode_before_a_restart_is_remembered() {
    for checkpoint in [1, 100] {
        let mut chain = Chain::new(every(checkpoint));
        let block = chain.execute(&Draft { view: 1, mode: Mode::Pbft, ..chain.draft() });
        chain.commit(&[block]);
        chain.reopen();
        // The same mode and view again: no change.
        let block = chain.execute(&Draft { view: 1, mode: Mode::Pbft, ..chain.draft() });
        chain.commit(&[block]);
        let changes = chain.store().mode_changes(9).unwrap();
        assert_eq!(changes.iter().map(|change| change.height.get()).collect::<Vec<_>>(), [1]);
    }
}

/// A pipeline of blocks that became final together.
fn commit_run(chain: &mut Chain, count: usize) {
    let mut parent = chain.tip().1;
    let mut blocks = Vec::new();
    for _ in 0..count {
        let block = chain.execute(&chain.draft_on(parent));
        parent = block.hash();
        blocks.push(block);
    }
    chain.commit(&blocks);
}

/// Heights of a served run; its last block must be proven.
#[track_caller]
fn served(chain: &Chain, from: u64, max_bytes: usize) -> Option<std::ops::RangeInclusive<u64>> {
    let Finals { blocks, proof } =
        chain.store().final_run(Height::new(from), max_bytes).unwrap()?;
    let heights: Vec<_> = blocks.iter().map(|block| block.header.height.get()).collect();
    let last = blocks.last().unwrap();
    chain.assert_proves(&proof.unwrap(), last);
    assert_eq!(heights, (from..=last.header.height.get()).collect::<Vec<_>>());
    for block in &blocks {
        assert_eq!(block, &chain.blocks[block.header.height.get() as usize - 1]);
    }
    Some(from..=last.header.height.get())
}

#[test]
fn runs_end_at_a_proof_within_the_bytes_or_at_the_first_one() {
    let mut chain = Chain::new(every(100));
    for count in [3, 1, 2, 4] {
        commit_run(&mut chain, count);
    }
    // Proofs are at 3, 4, 6 and 10.
    let bytes = chain.blocks[0].encoded().len();
    assert_eq!(served(&chain, 1, usize::MAX), Some(1..=10));
    assert_eq!(served(&chain, 1, 0), Some(1..=3));
    assert_eq!(served(&chain, 2, 0), Some(2..=3));
    assert_eq!(served(&chain, 1, 4 * bytes), Some(1..=4));
    assert_eq!(served(&chain, 1, 5 * bytes + 1), Some(1..=4));
    assert_eq!(served(&chain, 1, 9 * bytes + 1), Some(1..=6));
    assert_eq!(served(&chain, 4, 0), Some(4..=4));
    assert_eq!(served(&chain, 10, 0), Some(10..=10));
    assert_eq!(served(&chain, 11, usize::MAX), None);
    assert_eq!(served(&chain, 0, usize::MAX), None);
}

#[test]
fn a_run_ends_with_its_epoch_and_with_the_most_that_one_may_have() {
    let mut chain = Chain::new(every(100));
    commit_run(&mut chain, 2);
    let evidence = vec![chain.double_vote(0)];
    let barrier = chain.execute(&Draft { view: 1, evidence, ..chain.draft() });
    chain.commit(&[barrier]);
    for _ in 0..Finals::MAX_BLOCKS {
        commit_run(&mut chain, 1);
    }
    commit_run(&mut chain, 3);
    assert_eq!(served(&chain, 1, usize::MAX), Some(1..=3));
    let last = 3 + Finals::MAX_BLOCKS as u64;
    assert_eq!(served(&chain, 4, usize::MAX), Some(4..=last));
    // The proof of the last commit is past the longest run.
    assert_eq!(served(&chain, 5, usize::MAX), Some(5..=last));
    assert_eq!(served(&chain, last + 1, 0), Some(last + 1..=last + 3));
}

#[test]
fn every_final_block_is_proven_by_its_own_proof_or_the_next_one() {
    let mut chain = Chain::new(every(100));
    commit_run(&mut chain, 1);
    commit_run(&mut chain, 4);
    commit_run(&mut chain, FinalityProof::MAX_HEADERS + 2);
    let store = chain.store();
    for (height, headers) in [(1, 0), (2, 3), (3, 2), (5, 0), (7, 64), (8, 63), (71, 0)] {
        let proof = store.prove(Height::new(height)).unwrap().expect("a proof in reach");
        assert_eq!(proof.headers.len(), headers, "height {height}");
        chain.assert_proves(&proof, &chain.blocks[height as usize - 1]);
    }
    // One too far from the next proof, and such that are not final.
    for height in [6, 0, 72] {
        assert_eq!(store.prove(Height::new(height)).unwrap(), None, "height {height}");
    }
    assert_eq!(store.proof(Height::new(2)).unwrap(), None);
}

/// Where finality is no certificate: whole runs are served, nothing is proven, modes mean nothing.
#[test]
fn a_chain_without_proofs_is_served_and_opened_again_but_proves_nothing() {
    let engines = EngineName::ALL.iter().filter(|e| e.fault_model() == FaultModel::Crash);
    for engine in engines.copied() {
        let mut chain = Chain::of(engine, every(4));
        commit_run(&mut chain, 3);
        let draft = Draft { mode: Mode::Pbft, ..chain.draft() };
        let block = chain.execute(&draft);
        chain.commit(&[block]);
        chain.grow(3);
        let run = |from, max_bytes| {
            let finals = chain.store().final_run(Height::new(from), max_bytes).unwrap()?;
            assert_eq!(finals.proof, None);
            let heights = finals.blocks.iter().map(|block| block.header.height.get());
            Some(heights.collect::<Vec<_>>())
        };
        assert_eq!(run(2, usize::MAX), Some(vec![2, 3, 4, 5, 6, 7]));
        assert_eq!(run(3, 1), Some(vec![3]), "one at least");
        assert_eq!((run(8, 1), run(0, 1)), (None, None));
        let store = chain.store();
        assert!((1..=7).all(|height| store.prove(Height::new(height)).unwrap().is_none()));
        assert_eq!(store.mode_changes(10).unwrap(), []);
        chain.reopen();
    }
}
