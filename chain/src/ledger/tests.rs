mod governance;

use std::cell::RefCell;

use super::*;
use crate::block::Block;
use crate::crypto::Signature;
use crate::execute::{InvalidReason, InvalidTransaction};
use crate::governance::RecentBlock;
use crate::receipt::Outcome;
use crate::state::{RecordKey, RecordValue};
use crate::testing::{
    CHAIN, NOW_MS, Proposal, address, double_vote, ed25519, keypair, ledger, ledger_with, put,
    received, state_with, transfer, validators, verified,
};
use crate::transaction::{Body, Payload, Transaction};
use crate::types::{Amount, Epoch, View};

fn none_known(_: &Digest) -> bool {
    false
}

/// Executes as a follower does.
fn follow(ledger: &mut Ledger, block: &SealedBlock) -> Result<Option<ValidatorSet>, InvalidBlock> {
    ledger.execute(block, &none_known)
}

/// An honest leader's block on this parent, executed by the leader too.
fn lead(ledger: &mut Ledger, proposal: &Proposal) -> SealedBlock {
    let block = proposal.sealed(ledger);
    follow(ledger, &block).unwrap();
    block
}

fn transfers(parent: Digest, list: &[(u16, u64, u16, u128)]) -> Proposal {
    let transactions = list
        .iter()
        .map(|(from, nonce, to, amount)| transfer(*from, *nonce, *to, *amount))
        .collect();
    Proposal { transactions, ..Proposal::on(parent) }
}

fn balance(state: &State, number: u16) -> u128 {
    state.account(&address(number)).balance.get()
}

#[test]
fn leader_and_follower_agree_block_after_block() {
    let genesis = state_with(&[100, 100]);
    let (mut leader, mut follower) = (ledger(&genesis), ledger(&genesis));
    let mut parent = CHAIN;
    for height in 1..=5 {
        let block = lead(&mut leader, &transfers(parent, &[(0, height - 1, 1, 10)]));
        assert_eq!(follow(&mut follower, &block), Ok(None));
        assert_eq!(follow(&mut follower, &block), Ok(None), "the same verdict again");
        parent = block.hash();
        assert_eq!(
            follower.state_at(&parent).unwrap().root(),
            leader.state_at(&parent).unwrap().root()
        );
        assert_eq!(block.header.state_root, follower.state_at(&parent).unwrap().root());
        assert_eq!(follower.tip_at(&parent), Some(&Tip::from(&block)));
    }
    assert_eq!(follower.overlay_count(), 5);
    assert_eq!(balance(follower.state(), 1), 100, "nothing is committed yet");
    let committed = follower.commit(&parent).unwrap();
    let heights: Vec<u64> = committed.iter().map(|block| block.height.get()).collect();
    assert_eq!(heights, [1, 2, 3, 4, 5]);
    assert_eq!(committed[4].hash, parent);
    assert_eq!(committed[0].executed.receipts[0].outcome, Outcome::Success);
    assert_eq!(committed[0].executed.transactions, [transfer(0, 0, 1, 10).hash()]);
    let changed: Vec<&RecordKey> =
        committed[0].executed.changes.iter().map(|(key, _)| key).collect();
    assert!(changed.contains(&&RecordKey::Account(address(0))));
    assert_eq!((follower.tip().hash, follower.overlay_count()), (parent, 0));
    assert_eq!(balance(follower.state(), 1), 150);
    assert_eq!(follow(&mut follower, &leader_block_again(&mut leader, parent)), Ok(None));
    assert!(follower.commit(&parent).unwrap().is_empty(), "committing again changes nothing");
}

fn leader_block_again(leader: &mut Ledger, parent: Digest) -> SealedBlock {
    lead(leader, &Proposal::on(parent))
}

#[test]
fn an_empty_block_changes_nothing_but_what_the_state_remembers_of_the_last_blocks() {
    let mut leader = ledger(&state_with(&[7]));
    let block = lead(&mut leader, &Proposal::on(CHAIN));
    let genesis = RecentBlock { height: Height::new(0), hash: CHAIN, signers: None };
    let executed = leader.executed(&block.hash()).unwrap();
    let expected = (RecordKey::recent(genesis.height), Some(RecordValue::Recent(genesis)));
    assert_eq!(executed.changes, [expected]);
    assert_eq!(block.header.state_root, leader.state_at(&block.hash()).unwrap().root());
    assert_eq!(block.header.receipts_root, crate::merkle::receipts_root(&[]));
    assert_eq!(block.header.kind, BlockKind::Ordinary);
}

/// Changes one thing of a good block on top of a good block, and says what must be found.
#[test]
fn every_lie_of_a_header_is_found() {
    type Lie = (&'static str, fn(&mut Block), fn(&InvalidBlock) -> bool);
    use InvalidBlock as Found;
    let other = Digest([0xee; 32]);
    let lies: Vec<Lie> = vec![
        ("chain", |b| b.header.chain_id = Digest([1; 32]), |e| matches!(e, Found::OtherChain(_))),
        ("parent", |b| b.header.parent = Digest([1; 32]), |e| *e == Found::UnknownParent),
        (
            "height",
            |b| b.header.height = Height::new(3),
            |e| *e == Found::WrongHeight { found: Height::new(3), expected: Height::new(2) },
        ),
        (
            "epoch",
            |b| b.header.epoch = Epoch::new(1),
            |e| *e == Found::WrongEpoch { found: Epoch::new(1), expected: Epoch::new(0) },
        ),
        (
            "time of the parent",
            |b| b.header.timestamp_ms = NOW_MS,
            |e| *e == Found::TimestampTooEarly { found: NOW_MS, parent: NOW_MS },
        ),
        (
            "transactions root",
            |b| b.header.transactions_root = Digest([1; 32]),
            |e| *e == Found::TransactionsRoot,
        ),
        (
            "justification",
            |b| b.header.justification_hash = Digest([1; 32]),
            |e| *e == Found::TransactionsRoot,
        ),
        (
            "receipts root",
            |b| b.header.receipts_root = Digest([1; 32]),
            |e| *e == Found::ReceiptsRoot,
        ),
        ("state root", |b| b.header.state_root = Digest([1; 32]), |e| *e == Found::StateRoot),
        ("set", |b| b.header.validators_hash = Digest([1; 32]), |e| *e == Found::ValidatorsHash),
        (
            "next set",
            |b| b.header.next_validators_hash = Digest([1; 32]),
            |e| *e == Found::NextValidatorsHash,
        ),
        (
            "barrier without evidence",
            |b| b.header.kind = BlockKind::Barrier,
            |e| *e == Found::WrongKind { found: BlockKind::Barrier, expected: BlockKind::Ordinary },
        ),
        (
            "seal of nothing",
            |b| b.header.kind = BlockKind::Seal,
            |e| *e == Found::MisplacedKind { found: BlockKind::Seal, parent: BlockKind::Ordinary },
        ),
        ("missing transaction", |b| drop(b.transactions.pop()), |e| *e == Found::TransactionsRoot),
        ("other order", |b| b.transactions.reverse(), |e| *e == Found::TransactionsRoot),
    ];
    let genesis = state_with(&[100, 100]);
    let mut leader = ledger(&genesis);
    let below = lead(&mut leader, &Proposal::on(CHAIN));
    let good = transfers(below.hash(), &[(0, 0, 1, 10), (1, 0, 0, 3)]).block(&mut leader);
    assert_ne!(good.header.state_root, other);
    let mut follower = ledger(&genesis);
    follow(&mut follower, &below).unwrap();
    for (name, lie, expected) in &lies {
        let mut block = good.clone();
        lie(&mut block);
        let block = received(block);
        // The leader, who remembers what it built, is no easier to fool.
        for judge in [&mut follower, &mut leader] {
            let found = follow(judge, &block).unwrap_err();
            assert!(expected(&found), "{name}: {found}");
            assert_eq!(follow(judge, &block), Err(found), "{name}: the same verdict again");
        }
    }
    println!("{} lies", lies.len());
    assert_eq!(follower.overlay_count(), 1);
    assert_eq!(follow(&mut follower, &received(good)), Ok(None));
}

#[test]
fn a_block_from_the_future_is_valid_for_all_whatever_their_clocks_say() {
    let genesis = state_with(&[]);
    for time in [NOW_MS + 1, NOW_MS + 2 * MAX_CLOCK_LEAD_MS, u64::MAX] {
        let mut block = Proposal::on(CHAIN).block(&mut ledger(&genesis));
        block.header.timestamp_ms = time;
        assert_eq!(follow(&mut ledger(&genesis), &received(block)), Ok(None));
    }
}

#[test]
fn time_moves_on_even_if_the_clock_does_not() {
    let mut leader = ledger(&state_with(&[]));
    let first = lead(&mut leader, &Proposal::on(CHAIN));
    assert_eq!(first.header.timestamp_ms, NOW_MS);
    let second = lead(&mut leader, &Proposal::on(first.hash()));
    assert_eq!(second.header.timestamp_ms, NOW_MS + 1);
}

/// The header, and with it the hash, is the good block's: only the body is not.
#[test]
fn a_body_that_is_not_the_headers_is_refused_before_and_after_the_good_one() {
    let genesis = state_with(&[100]);
    let good = transfers(CHAIN, &[(0, 0, 1, 10)]).block(&mut ledger(&genesis));
    let mut bad = good.clone();
    bad.transactions = vec![Transaction::Signed(transfer(0, 0, 1, 11))];
    let (good, bad) = (received(good), received(bad));
    assert_eq!(good.hash(), bad.hash());
    assert!(good.matches_header() && !bad.matches_header());
    let mut follower = ledger(&genesis);
    assert_eq!(follow(&mut follower, &bad), Err(InvalidBlock::TransactionsRoot));
    assert_eq!(follow(&mut follower, &good), Ok(None));
    assert_eq!(follow(&mut follower, &bad), Err(InvalidBlock::TransactionsRoot));
}

fn with_transactions(genesis: &State, transactions: Vec<Transaction>) -> SealedBlock {
    let mut block = Proposal::on(CHAIN).block(&mut ledger(genesis));
    let hashes: Vec<Digest> = transactions.iter().map(|item| item.hash(&CHAIN)).collect();
    block.header.transactions_root = crate::merkle::List::Transactions.root(&hashes);
    block.transactions = transactions;
    SealedBlock::new(block)
}

#[test]
fn signatures_that_nobody_checked_are_checked() {
    let genesis = state_with(&[100, 100]);
    let honest = transfers(CHAIN, &[(0, 0, 1, 10), (1, 0, 0, 5)]).sealed(&mut ledger(&genesis));
    let asked = RefCell::new(Vec::new());
    let known = |hash: &Digest| {
        asked.borrow_mut().push(*hash);
        true
    };
    assert_eq!(ledger(&genesis).execute(&honest, &known), Ok(None));
    assert_eq!(*asked.borrow(), honest.transaction_hashes());

    let mut forged = transfer(1, 0, 0, 5);
    forged.signature = Signature([3; 64]);
    let transactions =
        vec![Transaction::Signed(transfer(0, 0, 1, 10)), Transaction::Signed(forged)];
    let block = with_transactions(&genesis, transactions);
    assert_eq!(follow(&mut ledger(&genesis), &block), Err(InvalidBlock::BadSignature));
    // Known or not is known by the hash, which covers the signature.
    let first = block.transaction_hashes()[0];
    let verdict = ledger(&genesis).execute(&block, &|hash| *hash == first);
    assert_eq!(verdict, Err(InvalidBlock::BadSignature));
}

#[test]
fn real_signatures_are_verified_together() {
    let genesis = state_with(&[]);
    let sign = |number: u8, nonce| {
        let key = keypair(number);
        let body = Body::Put { key: vec![number], value: vec![1] };
        let (sender, expiry) = (key.public(), Height::new(9));
        Payload { chain_id: CHAIN, account: None, sender, nonce, expiry, body }.sign(&key)
    };
    let mut transactions: Vec<_> = (1..=20).map(|number| sign(number, 0)).collect();
    let candidates: Vec<_> = mempool_batch(transactions.clone());
    let mut leader = ledger_with(&genesis, ed25519());
    let task = BuildTask {
        parent: CHAIN,
        view: View::new(0),
        kind: BuildKind::Ordinary,
        evidence: &[],
        now_ms: NOW_MS,
    };
    let built = leader.build(&task, candidates, &BuildLimits::default()).unwrap();
    assert_eq!(built.transactions.len(), 20);
    let mut block = Proposal::on(CHAIN).block(&mut ledger(&genesis));
    block.header.transactions_root = built.transactions_root;
    block.header.receipts_root = built.receipts_root;
    block.header.state_root = built.state_root;
    block.transactions = built.transactions;
    let mut follower = ledger_with(&genesis, ed25519());
    assert_eq!(follow(&mut follower, &received(block)), Ok(None));
    transactions[11].signature.0[40] ^= 1;
    let transactions = transactions.into_iter().map(Transaction::Signed).collect();
    let forged = with_transactions(&genesis, transactions);
    assert_eq!(follow(&mut follower, &forged), Err(InvalidBlock::BadSignature));
}

fn mempool_batch(
    transactions: Vec<crate::transaction::SignedTransaction>,
) -> Vec<Arc<crate::mempool::VerifiedTransaction>> {
    let unknown = vec![false; transactions.len()];
    let transactions =
        transactions.into_iter().map(crate::mempool::HashedTransaction::new).collect();
    crate::mempool::VerifiedTransaction::check_batch(transactions, &unknown, ed25519().as_ref())
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn an_invalid_transaction_makes_the_block_invalid() {
    let genesis = state_with(&[100]);
    let twice = vec![Transaction::Signed(transfer(0, 0, 1, 10)); 2];
    let reason = InvalidReason::WrongNonce { found: 0, expected: 1 };
    assert_eq!(
        follow(&mut ledger(&genesis), &with_transactions(&genesis, twice)),
        Err(InvalidBlock::Transaction(InvalidTransaction { index: 1, reason }))
    );
}

#[test]
fn blocks_that_are_too_large_are_refused() {
    let genesis = state_with(&[]);
    let value = "v".repeat(60 * 1024);
    let large = |count: u64| {
        (0..count).map(|nonce| Transaction::Signed(put(0, nonce, "k", &value))).collect::<Vec<_>>()
    };
    let block = with_transactions(&genesis, large(35));
    let bytes: usize = block.transactions.iter().map(Transaction::encoded_len).sum();
    assert_eq!(block.transaction_bytes(), bytes);
    let max = Block::MAX_TRANSACTION_BYTES;
    assert!(bytes > max);
    assert_eq!(
        follow(&mut ledger(&genesis), &block),
        Err(InvalidBlock::TooLarge { found: bytes, max })
    );
    let count = Block::MAX_TRANSACTIONS + 1;
    let many = vec![Transaction::Signed(put(0, 0, "k", "")); count];
    assert_eq!(
        follow(&mut ledger(&genesis), &with_transactions(&genesis, many)),
        Err(InvalidBlock::TooManyTransactions { found: count, max: Block::MAX_TRANSACTIONS })
    );
    // A leader stops in time, and what it builds is valid.
    let mut leader = ledger(&genesis);
    let transactions = (0..40).map(|nonce| put(0, nonce, "k", &value)).collect();
    let block = lead(&mut leader, &Proposal { transactions, ..Proposal::on(CHAIN) });
    assert_eq!(block.transactions.len(), 34);
    assert_eq!(follow(&mut ledger(&genesis), &block), Ok(None));
}

#[test]
fn a_leader_takes_what_executes_and_skips_the_rest() {
    let mut leader = ledger(&state_with(&[100, 100]));
    let proposal = transfers(
        CHAIN,
        &[(0, 0, 1, 10), (0, 0, 1, 11), (1, 3, 0, 1), (0, 1, 1, 1_000), (1, 0, 0, 1)],
    );
    let block = lead(&mut leader, &proposal);
    let taken: Vec<Digest> =
        [0, 3, 4].iter().map(|place| proposal.transactions[*place].hash()).collect();
    assert_eq!(block.transaction_hashes(), taken);
    let executed = leader.executed(&block.hash()).unwrap();
    let failed: Vec<bool> =
        executed.receipts.iter().map(|receipt| !receipt.outcome.is_success()).collect();
    assert_eq!(failed, [false, true, false], "a failing transaction is still executed");
    // On top of it the same candidates are used up; on another branch they are not.
    let above = lead(&mut leader, &Proposal { parent: block.hash(), ..proposal.clone() });
    assert!(above.transactions.is_empty());
    let limits = BuildLimits { transactions: 2, ..BuildLimits::default() };
    let candidates: Vec<_> = proposal.transactions.into_iter().map(verified).collect();
    let task = BuildTask {
        parent: CHAIN,
        view: View::new(1),
        kind: BuildKind::Ordinary,
        evidence: &[],
        now_ms: 0,
    };
    assert_eq!(leader.build(&task, candidates, &limits).unwrap().transactions.len(), 2);
}

#[test]
fn a_built_block_is_not_executed_again() {
    let mut leader = ledger(&state_with(&[100]));
    let proposal = transfers(CHAIN, &[(0, 0, 1, 10)]);
    let block = proposal.sealed(&mut leader);
    let built = Arc::clone(
        &leader
            .built
            .as_ref()
            .unwrap()
            .outcome_of(&CHAIN, View::new(0), &block.transactions)
            .unwrap()
            .executed,
    );
    follow(&mut leader, &block).unwrap();
    assert!(Arc::ptr_eq(&built, leader.executed(&block.hash()).unwrap()));
    // Not so for other transactions, another view or another parent.
    let memo = leader.built.as_ref().unwrap();
    assert!(memo.outcome_of(&CHAIN, View::new(0), &[]).is_none());
    assert!(memo.outcome_of(&CHAIN, View::new(1), &block.transactions).is_none());
    assert!(memo.outcome_of(&block.hash(), View::new(0), &block.transactions).is_none());
    let other = [Transaction::Signed(transfer(0, 0, 1, 11))];
    assert!(memo.outcome_of(&CHAIN, View::new(0), &other).is_none());
}

/// A barrier with its ledger: evidence against validator 2 in view 6.
fn barrier(genesis: &State) -> (Ledger, SealedBlock) {
    let mut leader = ledger(genesis);
    let proposal = Proposal {
        view: 6,
        evidence: vec![double_vote(0, 2, 1), double_vote(0, 2, 2), double_vote(9, 1, 1)],
        ..transfers(CHAIN, &[(0, 0, 1, 10)])
    };
    let block = lead(&mut leader, &proposal);
    (leader, block)
}

#[test]
fn evidence_makes_a_barrier_and_the_next_epoch_starts_on_it() {
    let genesis = state_with(&[100]);
    let (mut leader, block) = barrier(&genesis);
    assert_eq!(block.header.kind, BlockKind::Barrier);
    assert_eq!(block.transactions.len(), 2, "one piece of evidence counts");
    assert_ne!(block.header.next_validators_hash, block.header.validators_hash);
    let mut follower = ledger(&genesis);
    assert!(follower.evidence_counts(&double_vote(0, 2, 1)));
    let next = follow(&mut follower, &block).unwrap().expect("a barrier has a next set");
    assert_eq!((next.epoch, next.first_view), (Epoch::new(1), View::new(7)));
    assert_eq!(next.hash(&CHAIN), block.header.next_validators_hash);
    assert_eq!(follow(&mut follower, &block), Ok(Some(next.clone())), "the same verdict again");
    let above = lead(&mut leader, &Proposal { view: 7, ..Proposal::on(block.hash()) });
    assert_eq!(above.header.epoch, Epoch::new(1));
    assert_eq!(above.header.validators_hash, next.hash(&CHAIN));
    assert_eq!(follow(&mut follower, &above), Ok(None));
    follower.commit(&block.hash()).unwrap();
    assert!(!follower.evidence_counts(&double_vote(0, 2, 1)), "it counted once");
    assert_eq!(follow(&mut follower, &block), Ok(Some(next)), "also when it is committed");
    // Who starts from the committed barrier judges alike.
    let mut restarted =
        Ledger::new(CHAIN, ledger_verifier(), *follower.tip(), follower.state().clone());
    assert_eq!(follow(&mut restarted, &above), Ok(None));
}

fn ledger_verifier() -> Arc<dyn Verifier> {
    Arc::new(crate::testing::Cheap)
}

#[test]
fn a_barrier_must_say_so_and_name_its_view() {
    let genesis = state_with(&[100]);
    let (_, good) = barrier(&genesis);
    let changed = |change: fn(&mut Block)| {
        let mut block = (*good).clone();
        change(&mut block);
        follow(&mut ledger(&genesis), &received(block)).unwrap_err()
    };
    assert_eq!(
        changed(|block| block.header.kind = BlockKind::Ordinary),
        InvalidBlock::WrongKind { found: BlockKind::Ordinary, expected: BlockKind::Barrier }
    );
    // The next set starts in the view after the block's: another view, another state.
    assert_eq!(changed(|block| block.header.view = View::new(5)), InvalidBlock::StateRoot);
}

#[test]
fn seals_stand_above_barriers_and_are_void() {
    let genesis = state_with(&[100]);
    let (mut leader, below) = barrier(&genesis);
    let seal = |parent, view| Proposal {
        view,
        kind: BuildKind::Seal,
        transactions: vec![transfer(0, 1, 1, 1)],
        ..Proposal::on(parent)
    };
    let first = lead(&mut leader, &seal(below.hash(), 7));
    let second = lead(&mut leader, &seal(first.hash(), 8));
    for block in [&first, &second] {
        assert_eq!(block.header.kind, BlockKind::Seal);
        assert_eq!(block.header.epoch, Epoch::new(0));
        assert_eq!(block.header.state_root, below.header.state_root);
        assert_eq!(block.header.validators_hash, below.header.validators_hash);
        assert_eq!(block.header.next_validators_hash, below.header.next_validators_hash);
        assert!(block.transactions.is_empty());
    }
    let mut follower = ledger(&genesis);
    follow(&mut follower, &below).unwrap();
    assert_eq!(follow(&mut follower, &first), Ok(None));
    assert_eq!(follow(&mut follower, &second), Ok(None));
    assert_eq!(follower.commit(&second.hash()).unwrap_err(), CommitError::Seal(second.hash()));
    assert_eq!(follower.tip().hash, CHAIN);

    // Nothing but seals above a seal.
    let task = BuildTask {
        parent: first.hash(),
        view: View::new(9),
        kind: BuildKind::Ordinary,
        evidence: &[],
        now_ms: NOW_MS,
    };
    let misplaced =
        InvalidBlock::MisplacedKind { found: BlockKind::Ordinary, parent: BlockKind::Seal };
    let refused = follower.build(&task, [], &BuildLimits::default());
    assert_eq!(refused.unwrap_err(), misplaced);
    let mut ordinary = (*second).clone();
    ordinary.header.kind = BlockKind::Ordinary;
    assert_eq!(follow(&mut follower, &received(ordinary)), Err(misplaced));
    // A seal of the wrong epoch, and one with transactions.
    let mut later = (*first).clone();
    later.header.epoch = Epoch::new(1);
    assert!(matches!(
        follow(&mut follower, &received(later)),
        Err(InvalidBlock::WrongEpoch { .. })
    ));
    let mut full = (*first).clone();
    full.transactions = vec![Transaction::Signed(transfer(0, 1, 1, 1))];
    let hashes: Vec<Digest> = full.transactions.iter().map(|item| item.hash(&CHAIN)).collect();
    full.header.transactions_root = crate::merkle::List::Transactions.root(&hashes);
    assert_eq!(follow(&mut follower, &received(full)), Err(InvalidBlock::SealWithTransactions));

    // With the barrier committed, its seals are forgotten or answered as before, and the next epoch
    // starts on the barrier.
    let opening = lead(&mut leader, &Proposal { view: 7, ..Proposal::on(below.hash()) });
    follow(&mut follower, &opening).unwrap();
    follower.commit(&below.hash()).unwrap();
    assert_eq!(follow(&mut follower, &first), Ok(None));
    let committed = follower.commit(&opening.hash()).unwrap();
    assert_eq!(committed.len(), 1);
    assert_eq!(follower.overlay_count(), 0);
    assert_eq!(follow(&mut follower, &first), Err(InvalidBlock::UnknownParent));
}

#[test]
fn committing_drops_what_does_not_descend() {
    let genesis = state_with(&[100]);
    let mut ledger = ledger(&genesis);
    let a1 = lead(&mut ledger, &transfers(CHAIN, &[(0, 0, 1, 1)]));
    let a2 = lead(&mut ledger, &transfers(a1.hash(), &[(0, 1, 1, 1)]));
    let a3 = lead(&mut ledger, &Proposal { view: 3, ..Proposal::on(a2.hash()) });
    let a3_other = lead(&mut ledger, &Proposal { view: 4, ..Proposal::on(a2.hash()) });
    let b1 = lead(&mut ledger, &Proposal { view: 1, ..Proposal::on(CHAIN) });
    let b2 = lead(&mut ledger, &Proposal { view: 1, ..Proposal::on(b1.hash()) });
    assert_eq!(ledger.overlay_count(), 6);
    let unknown = Digest([1; 32]);
    assert_eq!(ledger.commit(&unknown).unwrap_err(), CommitError::NotExecuted(unknown));
    let committed = ledger.commit(&a2.hash()).unwrap();
    assert_eq!(
        committed.iter().map(|block| block.hash).collect::<Vec<_>>(),
        [a1.hash(), a2.hash()]
    );
    assert_eq!(balance(ledger.state(), 1), 2);
    for kept in [&a2, &a3, &a3_other] {
        assert!(ledger.state_at(&kept.hash()).is_some());
    }
    for dropped in [&a1, &b1, &b2] {
        assert!(ledger.state_at(&dropped.hash()).is_none());
        assert_eq!(
            ledger.commit(&dropped.hash()).unwrap_err(),
            CommitError::NotExecuted(dropped.hash())
        );
    }
    assert_eq!(follow(&mut ledger, &b2), Err(InvalidBlock::UnknownParent));
    assert!(ledger.built.is_none(), "what was built on an abandoned branch is forgotten");
}

#[test]
fn the_total_supply_stays_what_the_genesis_said() {
    let genesis = state_with(&[100, 1]);
    let (mut leader, below) = barrier(&genesis);
    lead(&mut leader, &Proposal { view: 7, ..transfers(below.hash(), &[(0, 1, 1, 10)]) });
    leader.commit(&below.hash()).unwrap();
    assert_eq!(leader.state().chain().total_supply, Amount::new(101));
    assert_eq!(leader.state().validators_of(Epoch::new(0)), Some(&validators(4)));
}
