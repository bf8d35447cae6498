//! What was there before a restart is there after it, also where nobody closed anything.

use chain::block::Mode;
use chain::certificate::VoteKind;
use chain::ledger::BuildKind;
use chain::types::Height;

use super::super::*;
use super::fixture::{Chain, Draft, every};

/// Where each transaction of the chain is found.
#[track_caller]
fn assert_located(chain: &Chain) {
    for block in &chain.blocks {
        for (index, hash) in (0..).zip(block.transaction_hashes()) {
            let found = chain.store().locate(hash).unwrap().expect("a final transaction");
            assert_eq!((found.height, found.index), (block.header.height, index));
            assert_eq!((found.block, found.receipt.transaction), (block.hash(), *hash));
            assert!(found.receipt.outcome.is_success());
        }
    }
}

#[test]
fn what_was_committed_and_promised_is_there_again() {
    let mut chain = Chain::new(every(100));
    chain.grow(3);
    let a = chain.execute(&chain.draft());
    let b = chain.execute(&chain.draft_on(a.hash()));
    let vote = chain.vote(VoteKind::Prepare, &b);
    chain.persist(vote, &[a, b]);
    assert_eq!(chain.reopen(), 3);
    // Again: the first restart wrote the log to tables.
    assert_eq!(chain.reopen(), 3);
    assert_located(&chain);
}

#[test]
fn a_promise_needs_neither_a_commit_nor_a_clean_end() {
    let mut chain = Chain::new(every(100));
    let block = chain.execute(&chain.draft());
    let vote = chain.vote(VoteKind::Prepare, &block);
    chain.persist(vote, std::slice::from_ref(&block));
    chain.crashed().reopen();
    let vote = chain.vote(VoteKind::Commit, &block);
    chain.persist(vote, &[]);
    let mut crashed = chain.crashed();
    crashed.reopen();
    assert_eq!(crashed.record, Some(vote));
    assert_eq!(crashed.store().block(&block.hash()).unwrap(), Some(block));
}

#[test]
fn a_restart_at_every_height_around_checkpoints_finds_the_chain_and_goes_on() {
    let mut chain = Chain::new(every(3));
    for height in 0..8_u64 {
        let mut crashed = chain.crashed();
        assert_eq!(crashed.reopen(), height % 3, "at height {height}");
        assert_eq!(crashed.store().checkpoint_height(), Height::new(height - height % 3));
        assert_located(&crashed);
        // Past the next checkpoint, which holds what was executed before and after the restart.
        crashed.grow(4);
        let mut crashed = crashed.crashed();
        assert_eq!(crashed.reopen(), (height + 4) % 3, "at height {height}");
        assert_located(&crashed);
        chain.grow(1);
    }
    chain.reopen();
    assert_located(&chain);
}

#[test]
fn a_checkpoint_is_due_by_transactions_too() {
    let mut chain = Chain::new(CheckpointPolicy { blocks: 100, transactions: 4 });
    chain.grow(3);
    assert_eq!(chain.store().checkpoint_height(), Height::new(0));
    // Counted over restarts.
    chain.reopen();
    chain.grow(1);
    assert_eq!(chain.store().checkpoint_height(), Height::new(4));
    chain.grow(3);
    assert_eq!(chain.reopen(), 3);
}

#[test]
fn blocks_of_one_commit_share_its_checkpoint_and_its_proof() {
    let mut chain = Chain::new(every(2));
    let mut blocks = Vec::new();
    let mut parent = chain.tip().1;
    for _ in 0..5 {
        let transactions = vec![chain.put(1), chain.put(1)];
        let block = chain.execute(&Draft { transactions, ..chain.draft_on(parent) });
        parent = block.hash();
        blocks.push(block);
    }
    chain.commit(&blocks);
    assert_eq!(chain.store().checkpoint_height(), Height::new(5));
    assert_eq!(chain.reopen(), 0);
    assert_located(&chain);
}

#[test]
fn another_checkpoint_interval_reads_what_the_last_one_wrote() {
    let mut chain = Chain::new(every(100));
    chain.grow(5);
    chain.policy = every(2);
    assert_eq!(chain.reopen(), 5);
    chain.grow(1);
    chain.policy = every(100);
    assert_eq!(chain.reopen(), 0);
    chain.grow(2);
    assert_eq!(chain.reopen(), 2);
    assert_located(&chain);
}

#[test]
fn abandoned_proposals_go_and_committed_ones_stay() {
    let mut chain = Chain::new(every(100));
    let genesis = chain.tip().1;
    let winner = chain.execute(&chain.draft());
    let loser = chain.execute(&Draft { view: 1, ..chain.draft() });
    let above_winner = chain.execute(&chain.draft_on(winner.hash()));
    let above_loser = chain.execute(&Draft { view: 1, ..chain.draft_on(loser.hash()) });
    let vote = chain.vote(VoteKind::Prepare, &above_winner);
    let all = [&winner, &loser, &above_winner, &above_loser].map(Clone::clone);
    chain.persist(vote, &all);
    chain.crashed().reopen();

    chain.commit(std::slice::from_ref(&winner));
    let store = chain.store();
    assert_eq!(store.block(&loser.hash()).unwrap(), None);
    // A rival above may still be one that somebody votes on: the engine knows, not the store.
    for block in [&winner, &above_winner, &above_loser] {
        assert_eq!(store.block(&block.hash()).unwrap().as_ref(), Some(block));
    }
    chain.reopen();

    let draft = Draft { view: 2, ..chain.draft() };
    let third = chain.execute(&draft);
    chain.commit(std::slice::from_ref(&third));
    for block in [&above_winner, &above_loser] {
        assert_eq!(chain.store().block(&block.hash()).unwrap(), None);
    }
    // Too late: what is final at these heights is decided.
    chain.persist(vote, &[above_loser.clone(), third.clone()]);
    assert_eq!(chain.store().block(&above_loser.hash()).unwrap(), None);
    chain.reopen();
    assert_eq!(chain.store().final_hash(Height::new(0)).unwrap(), Some(genesis));
    assert_eq!(chain.store().block(&third.hash()).unwrap(), Some(third));
}

#[test]
fn the_end_of_an_epoch_drops_its_proposals_above() {
    let mut chain = Chain::new(every(100));
    chain.grow(1);
    let evidence = vec![chain.double_vote(0)];
    let barrier = chain.execute(&Draft { view: 1, mode: Mode::Pbft, evidence, ..chain.draft() });
    let seal = chain.execute(&Draft {
        view: 1,
        mode: Mode::Pbft,
        kind: BuildKind::Seal,
        ..chain.draft_on(barrier.hash())
    });
    let vote = chain.vote(VoteKind::Prepare, &seal);
    chain.persist(vote, &[barrier.clone(), seal.clone()]);
    chain.crashed().reopen();
    chain.commit(std::slice::from_ref(&barrier));
    assert_eq!(chain.proposals, []);
    assert_eq!(chain.store().block(&seal.hash()).unwrap(), None);
    chain.reopen();

    // The next epoch stands on the barrier.
    let start = chain.store().epoch_start(Epoch::new(1)).unwrap().unwrap();
    assert_eq!(
        (start.height, start.hash, start.mode),
        (Height::new(2), barrier.hash(), Mode::Pbft)
    );
    chain.grow(1);
    chain.close();
    let recovered = chain.try_open().unwrap().recovered;
    assert_eq!(
        (recovered.opening_height, recovered.opening_hash, recovered.opening_mode),
        (start.height, start.hash, start.mode)
    );
    assert_eq!(recovered.validators.epoch, Epoch::new(1));
}

#[test]
fn the_headers_that_the_switching_policy_looks_at_are_the_last_ones() {
    let mut chain = Chain::new(every(50));
    chain.grow(270);
    assert_eq!(chain.reopen(), 20);
}
