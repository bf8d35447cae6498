use proptest::prelude::*;

use super::*;
use crate::access::Role;
use crate::codec::{self, CodecError};
use crate::crypto::Signer;
use crate::execute::{Execution, execute};
use crate::governance::{Change, GovernanceAction, Parameter};
use crate::testing::{
    CHAIN, Cheap, account, address, cases, context, ed25519, expiring, put, signed, signer,
    state_with, transfer, transfer_body, verified,
};
use crate::transaction::{MalformedTransaction, Payload, Transaction, key_rotation_digest};
use crate::types::Amount;

fn limits() -> MempoolLimits {
    MempoolLimits {
        transactions: 100,
        bytes: 1_000_000,
        per_sender: 10,
        nonce_gap: 12,
        lifetime: 1_000,
    }
}

fn pool(state: &State) -> Mempool {
    Mempool::new(CHAIN, limits(), state.clone(), Height::new(5))
}

/// Adds what must fit without anybody making room.
fn add(pool: &mut Mempool, transaction: SignedTransaction) -> Digest {
    let hash = transaction.hash();
    assert_eq!(pool.insert(verified(transaction)), Ok(Vec::new()));
    hash
}

fn hashed(transaction: &SignedTransaction) -> HashedTransaction {
    HashedTransaction::new(transaction.clone())
}

fn reject(pool: &Mempool, transaction: &SignedTransaction) -> RejectReason {
    pool.precheck(&hashed(transaction)).unwrap_err()
}

/// (account, nonce) of the candidates, for the first `senders` accounts.
fn candidates(pool: &Mempool, state: &State, max: usize, senders: u16) -> Vec<(u16, u64)> {
    pool.candidates(state, max)
        .iter()
        .map(|transaction| {
            let number = (0..senders).find(|n| address(*n) == transaction.sender()).unwrap();
            (number, transaction.transaction().payload.nonce)
        })
        .collect()
}

/// Executes transactions in a block at a height and lets the pool follow.
fn commit(pool: &mut Mempool, height: u64, list: &[SignedTransaction]) -> Execution {
    let transactions: Vec<_> = list.iter().cloned().map(Transaction::Signed).collect();
    let execution = execute(&pool.state, &context(height), &transactions).unwrap();
    pool.advance(execution.state.clone(), Height::new(height), &execution.changes);
    check(pool);
    execution
}

/// What must hold of the books at all times.
fn check(pool: &Mempool) {
    let mut bytes = 0;
    let mut orders = Orders::default();
    let mut index = Index::default();
    let mut senders = BTreeMap::new();
    for (id, queue) in &pool.queues {
        let sender = queue.sender();
        senders.insert(sender, id);
        assert!(!queue.is_empty() && queue.len() <= pool.limits.per_sender);
        bytes += queue.bytes();
        let rank = queue.rank();
        orders.by_load.insert((queue.bytes(), id));
        if rank.gapped > 0 {
            orders.by_gapped.insert((rank.gapped, id));
        }
        assert_eq!(queue.gapped().count(), rank.gapped);
        assert_eq!(rank.run + rank.gapped, queue.len());
        assert_eq!(rank.turn.is_some(), rank.run > 0);
        orders.executable += rank.run;
        if let Some(turn) = rank.turn {
            let before = orders.ready.insert(turn, id);
            assert_eq!(before, None, "two senders have one turn");
        }
        let account = pool.state.account(&sender);
        assert_eq!(*queue.account(), account);
        let next = account.nonce;
        let run = (next..).take_while(|nonce| queue.get(*nonce).is_some()).count();
        assert_eq!(rank.run, run);
        let mut found = 0;
        for waiting in queue.waiting() {
            let transaction = &waiting.transaction;
            let payload = &transaction.transaction().payload;
            assert!((next..next + pool.limits.nonce_gap).contains(&payload.nonce));
            assert_eq!(queue.get(payload.nonce).unwrap().hash(), transaction.hash());
            assert!(payload.expiry > pool.height);
            assert!(payload.expiry.get() <= pool.height.get() + pool.limits.lifetime);
            index.add(id, waiting);
            found += transaction.encoded_len();
        }
        assert_eq!(queue.bytes(), found);
    }
    assert_eq!((pool.bytes(), pool.executable_count()), (bytes, orders.executable));
    assert_eq!((&pool.index, &pool.orders, &pool.senders), (&index, &orders, &senders));
    assert!(pool.len() <= pool.limits.transactions && pool.bytes() <= pool.limits.bytes);
    assert_eq!(pool.oldest_executable().is_some(), orders.executable > 0);
}

#[test]
fn each_reason_to_refuse_has_its_text_and_code() {
    let state = state_with(&[10, 10]);
    let mut pool = pool(&state);
    commit(&mut pool, 6, &[put(0, 0, "a", "a"), put(0, 1, "a", "b")]);
    let waiting = put(0, 2, "a", "c");
    add(&mut pool, waiting.clone());
    let other_chain = {
        let payload = Payload { chain_id: Digest([1; 32]), ..put(0, 3, "a", "a").payload };
        payload.sign(&account(0))
    };
    let table = [
        (waiting, "duplicate", "it is waiting already".to_owned()),
        (
            put(0, 2, "a", "d"),
            "nonce_waiting",
            "another transaction with nonce 2 is waiting".into(),
        ),
        (put(0, 1, "a", "d"), "nonce_used", "nonce 1 was already used (next is 2)".into()),
        (
            put(0, 14, "a", "d"),
            "nonce_gap",
            "nonce 14 is too far ahead (next is 2, at most 12 may wait)".into(),
        ),
        (
            put(0, u64::MAX, "a", "d"),
            "nonce_gap",
            format!("nonce {} is too far ahead (next is 2, at most 12 may wait)", u64::MAX),
        ),
        (transfer(1, 0, 0, 11), "insufficient_balance", "balance 10 is below 11".into()),
        (
            expiring(1, 0, transfer_body(0, 1), 6),
            "expired",
            "it expired at height 6, the chain is at 6".into(),
        ),
        (
            expiring(1, 0, transfer_body(0, 1), 1_007),
            "expiry_too_far",
            "it expires at height 1007, more than 1000 above the last final one (6)".into(),
        ),
        (other_chain, "other_chain", format!("made for another chain ({})", Digest([1; 32]))),
        (put(1, 0, "", "d"), "empty_key", "the key is empty".into()),
        (
            put(1, 0, &"k".repeat(257), ""),
            "too_long",
            "the key has 257 bytes where at most 256 are allowed".into(),
        ),
    ];
    for (transaction, code, text) in table {
        let reason = reject(&pool, &transaction);
        assert_eq!((reason.code(), reason.to_string()), (code, text));
        // Inserting judges alike and changes nothing.
        assert_eq!(pool.insert(verified(transaction)), Err(reason));
        assert_eq!(pool.len(), 1);
    }
    let last = expiring(1, 0, transfer_body(0, 10), 1_006);
    for good in [expiring(1, 0, transfer_body(0, 10), 7), last, put(0, 13, "a", "d")] {
        assert_eq!(pool.precheck(&hashed(&good)), Ok(()));
    }
}

#[test]
fn only_a_checked_signature_makes_a_verified_transaction() {
    let good = put(0, 0, "a", "a");
    let mut bad = put(0, 1, "a", "a");
    bad.signature.0[0] ^= 1;
    let refused = Err(MalformedTransaction::BadSignature);
    assert_eq!(VerifiedTransaction::check(bad.clone(), &Cheap), refused);
    let batch = || {
        let transactions = [good.clone(), bad.clone(), good.clone()];
        transactions.map(HashedTransaction::new).to_vec()
    };
    // What was checked before is not checked again.
    let checked = VerifiedTransaction::check_batch(batch(), &[false, true, false], &Cheap);
    assert!(checked.iter().all(Result::is_ok));
    let checked = VerifiedTransaction::check_batch(batch(), &[false; 3], &Cheap);
    assert_eq!(checked[1], refused);
    for place in [0, 2] {
        let verified = checked[place].as_ref().unwrap();
        assert_eq!(verified.transaction(), &good);
        assert_eq!((verified.hash(), verified.sender()), (good.hash(), address(0)));
        assert_eq!(verified.encoded_len(), codec::encode(&good).len());
    }
    // A signature of the tests' cheap rule is none by the real one.
    assert_eq!(VerifiedTransaction::check(good, ed25519().as_ref()), refused);
}

#[test]
fn a_transaction_from_its_bytes_is_the_same_as_one_that_is_encoded() {
    for transaction in [transfer(0, 0, 1, 1), with_new_key(3)] {
        let bytes = codec::encode(&transaction);
        let hashed = HashedTransaction::decode(&bytes).unwrap();
        assert_eq!(hashed, HashedTransaction::new(transaction.clone()));
        assert_eq!((hashed.hash(), hashed.sender()), (transaction.hash(), transaction.sender()));
        let longer = [bytes, vec![0]].concat();
        assert_eq!(HashedTransaction::decode(&longer), Err(CodecError::Trailing { left: 1 }));
    }
}

#[test]
fn transactions_wait_for_the_nonces_before_them() {
    let state = state_with(&[100]);
    let mut pool = pool(&state);
    let third = add(&mut pool, transfer(0, 2, 1, 1));
    assert_eq!((pool.len(), pool.executable_count(), pool.oldest_executable()), (1, 0, None));
    assert_eq!(pool.next_nonce(&address(0)), 0);
    let first = add(&mut pool, transfer(0, 0, 1, 1));
    assert_eq!((pool.executable_count(), pool.oldest_executable()), (1, Some(first)));
    assert_eq!(candidates(&pool, &state, 9, 1), [(0, 0)]);
    assert_eq!(pool.next_nonce(&address(0)), 1);
    let second = add(&mut pool, transfer(0, 1, 1, 1));
    assert_eq!((pool.executable_count(), pool.oldest_executable()), (3, Some(first)));
    assert_eq!(candidates(&pool, &state, 9, 1), [(0, 0), (0, 1), (0, 2)]);
    assert_eq!(candidates(&pool, &state, 2, 1), [(0, 0), (0, 1)]);
    assert_eq!(pool.next_nonce(&address(0)), 3);
    check(&pool);
    commit(&mut pool, 6, &[transfer(0, 0, 1, 1)]);
    assert_eq!(pool.oldest_executable(), Some(second));
    assert!(!pool.contains(&first) && pool.contains(&third));
    assert_eq!(pool.get(&third).unwrap().hash(), third);
    // A block may use a nonce that waits here in another transaction.
    commit(&mut pool, 7, &[transfer(0, 1, 1, 2), transfer(0, 2, 1, 2)]);
    assert!(pool.is_empty());
    assert_eq!((pool.bytes(), pool.next_nonce(&address(0))), (0, 3));
}

#[test]
fn a_sender_with_much_waits_for_its_turn_behind_one_with_little() {
    let state = state_with(&[10, 10, 10]);
    let mut pool = pool(&state);
    for nonce in 0..6 {
        add(&mut pool, put(0, nonce, "a", "a"));
        add(&mut pool, put(1, nonce, "b", "b"));
    }
    add(&mut pool, put(2, 0, "c", "c"));
    assert_eq!(candidates(&pool, &state, 2, 3), [(0, 0), (1, 0)]);
    let block = [put(0, 0, "a", "a"), put(1, 0, "b", "b")];
    let above = execute(&state, &context(6), &block.clone().map(Transaction::Signed)).unwrap();
    assert_eq!(candidates(&pool, &above.state, 2, 3), [(2, 0), (0, 1)], "it is not committed yet");
    let execution = commit(&mut pool, 6, &block);
    // Their next ones came before that of the third, and they had their turns.
    let next = candidates(&pool, &execution.state, 3, 3);
    assert_eq!(next[0], (2, 0));
    assert_eq!(next.len(), 3);
    let execution = commit(&mut pool, 7, &[put(2, 0, "c", "c"), put(1, 1, "b", "b")]);
    assert_eq!(candidates(&pool, &execution.state, 2, 3), [(0, 1), (1, 2)]);
}

#[test]
fn candidates_start_behind_the_blocks_that_are_not_final() {
    let mut pool = pool(&state_with(&[100, 100]));
    for nonce in 0..4 {
        add(&mut pool, transfer(0, nonce, 1, 1));
    }
    add(&mut pool, transfer(1, 0, 0, 1));
    let above = {
        let mut copy = Mempool::new(CHAIN, limits(), pool.state.clone(), pool.height);
        let list = [transfer(0, 0, 1, 1), transfer(0, 1, 1, 1), transfer(1, 0, 0, 1)];
        commit(&mut copy, 6, &list).state
    };
    assert_eq!(candidates(&pool, &above, 9, 2), [(0, 2), (0, 3)]);
    assert_eq!(candidates(&pool, &pool.state, 3, 2), [(0, 0), (1, 0), (0, 1)]);
    assert_eq!(pool.executable_count(), 5, "counted on the last final state");
}

#[test]
fn candidates_go_round_the_senders_and_the_longest_waiting_first() {
    let state = state_with(&[100; 5]);
    let mut pool = pool(&state);
    for nonce in 0..6 {
        add(&mut pool, transfer(3, nonce, 0, 1));
    }
    for number in [2, 0, 4] {
        for nonce in 0..2 {
            add(&mut pool, transfer(number, nonce, 3, 1));
        }
    }
    let expected = [(3, 0), (2, 0), (0, 0), (4, 0), (3, 1), (2, 1), (0, 1), (4, 1), (3, 2), (3, 3)];
    assert_eq!(candidates(&pool, &state, 10, 5), expected);
    assert_eq!(candidates(&pool, &state, 3, 5), expected[..3]);
    assert_eq!(candidates(&pool, &state, 0, 5), []);
    assert_eq!(candidates(&pool, &state, usize::MAX, 5).len(), 12);
}

/// One sender floods; another's single transaction is in the very next block, however small.
#[test]
fn a_flood_from_one_sender_holds_up_nobody() {
    let state = state_with(&[1_000, 1_000]);
    let mut pool = pool(&state);
    for nonce in 0..10 {
        add(&mut pool, transfer(0, nonce, 1, 1));
    }
    assert_eq!(reject(&pool, &transfer(0, 10, 1, 1)).code(), "sender_full");
    add(&mut pool, transfer(1, 0, 0, 1));
    assert_eq!(candidates(&pool, &state, 2, 2), [(0, 0), (1, 0)]);
}

#[test]
fn a_full_pool_takes_room_from_whoever_fills_it() {
    let mut pool = Mempool::new(
        CHAIN,
        MempoolLimits { transactions: 12, per_sender: 10, ..limits() },
        state_with(&[100; 8]),
        Height::new(5),
    );
    for nonce in 0..10 {
        add(&mut pool, transfer(0, nonce, 1, 1));
    }
    add(&mut pool, transfer(1, 0, 0, 1));
    add(&mut pool, transfer(2, 0, 0, 1));
    // The flooder's last ones go, until nobody has more than a newcomer would.
    for (number, victim) in [(3, 9), (4, 8), (5, 7), (3, 6)] {
        let nonce = pool.next_nonce(&address(number));
        let newcomer = transfer(number, nonce, 0, 1);
        assert_eq!(pool.precheck(&hashed(&newcomer)), Ok(()));
        let evicted = pool.insert(verified(newcomer)).unwrap();
        assert_eq!(evicted, [transfer(0, victim, 1, 1).hash()]);
        assert_eq!(pool.len(), 12);
        check(&pool);
    }
    // The flooder itself gets no room, and is told before its signature is looked at.
    assert_eq!(reject(&pool, &transfer(0, 6, 1, 1)), RejectReason::PoolFull);
    assert_eq!(reject(&pool, &transfer(0, 6, 1, 1)).to_string(), "the pool is full");
}

#[test]
fn a_pool_full_of_equals_refuses_newcomers() {
    let mut pool = Mempool::new(
        CHAIN,
        MempoolLimits { transactions: 4, ..limits() },
        state_with(&[100; 8]),
        Height::new(5),
    );
    let before: Vec<Digest> = (0..4).map(|n| add(&mut pool, transfer(n, 0, 7, 1))).collect();
    let newcomer = transfer(5, 0, 7, 1);
    assert_eq!(pool.insert(verified(newcomer)), Err(RejectReason::PoolFull));
    assert!(before.iter().all(|hash| pool.contains(hash)));
}

/// Keys cost nothing: transactions that can never execute must not keep out those that can.
#[test]
fn what_cannot_execute_makes_room_for_what_can() {
    let mut pool = Mempool::new(
        CHAIN,
        MempoolLimits { transactions: 6, ..limits() },
        state_with(&[100; 3]),
        Height::new(5),
    );
    add(&mut pool, transfer(0, 0, 1, 1));
    add(&mut pool, transfer(0, 1, 1, 1));
    add(&mut pool, put(50, 1, "k", "v"));
    for nonce in [1, 2, 7] {
        add(&mut pool, put(51, nonce, "k", "v"));
    }
    check(&pool);
    // One more of the kind gets no room, neither of its equals nor of anyone.
    assert_eq!(reject(&pool, &put(52, 1, "k", "v")), RejectReason::PoolFull);
    // Newcomers take the place of the last ones of whoever has most of them.
    for (number, (sender, victim)) in [(1, (51, 7)), (2, (51, 2))] {
        let newcomer = transfer(number, 0, 0, 1);
        assert_eq!(pool.precheck(&hashed(&newcomer)), Ok(()));
        let evicted = pool.insert(verified(newcomer)).unwrap();
        assert_eq!(evicted, [put(sender, victim, "k", "v").hash()]);
        check(&pool);
    }
    // The missing nonce makes a sender's own wait for nothing no more: others give way.
    let evicted = pool.insert(verified(put(50, 0, "k", "v"))).unwrap();
    assert_eq!(evicted, [put(51, 1, "k", "v").hash()]);
    assert_eq!((pool.len(), pool.executable_count()), (6, 6));
    check(&pool);
}

#[test]
fn bytes_are_bounded_and_shared_by_weight() {
    let large = |from, nonce| signed(from, nonce, Body::Put { key: vec![1], value: vec![0; 900] });
    let len = codec::encode(&large(0, 0)).len();
    let mut pool = Mempool::new(
        CHAIN,
        MempoolLimits { bytes: 5 * len, ..limits() },
        state_with(&[100; 3]),
        Height::new(5),
    );
    for nonce in 0..5 {
        add(&mut pool, large(0, nonce));
    }
    assert_eq!(pool.bytes(), 5 * len);
    let small = put(1, 0, "k", "v");
    let evicted = pool.insert(verified(small.clone())).unwrap();
    assert_eq!(evicted, [large(0, 4).hash()]);
    assert!(pool.bytes() <= 5 * len && pool.contains(&small.hash()));
    let evicted = pool.insert(verified(large(1, 1))).unwrap();
    assert_eq!(evicted, [large(0, 3).hash()]);
    let evicted = pool.insert(verified(large(1, 2))).unwrap();
    assert_eq!(evicted, [large(0, 2).hash()]);
    // Two large ones against two and a small one: neither gets more.
    assert_eq!(pool.insert(verified(large(1, 3))), Err(RejectReason::PoolFull));
    assert_eq!(pool.insert(verified(large(0, 2))), Err(RejectReason::PoolFull));
    check(&pool);
}

#[test]
fn what_expires_is_dropped_and_cuts_the_run() {
    let mut pool = pool(&state_with(&[100]));
    add(&mut pool, expiring(0, 0, transfer_body(1, 1), 20));
    let short = add(&mut pool, expiring(0, 1, transfer_body(1, 1), 8));
    let later = add(&mut pool, expiring(0, 2, transfer_body(1, 1), 20));
    assert_eq!(pool.executable_count(), 3);
    pool.advance(pool.state.clone(), Height::new(7), []);
    assert_eq!(pool.executable_count(), 3, "it may still be in the block at height 8");
    pool.advance(pool.state.clone(), Height::new(8), []);
    check(&pool);
    assert!(!pool.contains(&short) && pool.contains(&later));
    assert_eq!((pool.len(), pool.executable_count()), (2, 1));
    assert_eq!(pool.next_nonce(&address(0)), 1);
    add(&mut pool, expiring(0, 1, transfer_body(1, 2), 20));
    assert_eq!(pool.executable_count(), 3);
    pool.advance(pool.state.clone(), Height::new(1_000), []);
    assert!(pool.is_empty() && pool.oldest_executable().is_none());
    check(&pool);
}

#[test]
fn receiving_money_is_no_reason_to_drop_a_senders_transactions() {
    let mut pool = pool(&state_with(&[100, 100]));
    let waiting = add(&mut pool, transfer(1, 0, 0, 1));
    commit(&mut pool, 6, &[transfer(0, 0, 1, 50)]);
    assert!(pool.contains(&waiting));
    assert_eq!(pool.executable_count(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Insert {
        from: u16,
        nonce: u64,
        expiry: u64,
        size: usize,
    },
    /// A block of the first candidates.
    Commit {
        max: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0u16..5, 0u64..14, 6u64..40, 0usize..600)
            .prop_map(|(from, nonce, expiry, size)| Step::Insert { from, nonce, expiry, size }),
        1 => (0usize..8).prop_map(|max| Step::Commit { max }),
    ];
    prop::collection::vec(step, 0..150)
}

proptest! {
    #![proptest_config(cases(200))]

    /// Whatever comes in, the books add up, the bounds hold, and every candidate executes.
    #[test]
    fn the_books_add_up(steps in steps()) {
        let limits = MempoolLimits {
            transactions: 20,
            bytes: 8_000,
            per_sender: 8,
            nonce_gap: 9,
            lifetime: 30,
        };
        let mut pool = Mempool::new(CHAIN, limits, state_with(&[]), Height::new(5));
        let mut height = 5;
        for step in steps {
            match step {
                Step::Insert { from, nonce, expiry, size } => {
                    let body = Body::Put { key: vec![1], value: vec![0; size] };
                    let transaction = expiring(from, nonce, body, expiry);
                    let hash = transaction.hash();
                    let promised = pool.precheck(&hashed(&transaction));
                    let before = pool.len();
                    let executable = pool.executable_count();
                    let next = pool.next_nonce(&address(from));
                    let gapped_suffice = nonce == next && {
                        let others = pool.queues.iter().filter(|(_, at)| at.sender() != address(from));
                        let all: Vec<_> = others.flat_map(|(_, queue)| queue.gapped()).collect();
                        let bytes: usize = all.iter().map(|item| item.encoded_len()).sum();
                        let len = codec::encode(&transaction).len();
                        before < limits.transactions + all.len()
                            && pool.bytes() + len <= limits.bytes + bytes
                    };
                    match pool.insert(verified(transaction)) {
                        Ok(evicted) => {
                            prop_assert!(promised.is_ok() && pool.contains(&hash));
                            prop_assert_eq!(pool.len(), before + 1 - evicted.len());
                            prop_assert!(evicted.iter().all(|hash| !pool.contains(hash)));
                            // Only what could execute gets room, and first from what could not.
                            prop_assert!(evicted.is_empty() || nonce == next);
                            if gapped_suffice {
                                prop_assert!(pool.executable_count() > executable);
                            }
                        }
                        Err(reason) => {
                            prop_assert_eq!(promised, Err(reason));
                            prop_assert_eq!(pool.len(), before);
                        }
                    }
                }
                Step::Commit { max } => {
                    height += 1;
                    let chosen: Vec<SignedTransaction> = pool
                        .candidates(&pool.state, max)
                        .iter()
                        .map(|transaction| transaction.transaction().clone())
                        .collect();
                    prop_assert_eq!(chosen.len(), max.min(pool.executable_count()));
                    commit(&mut pool, height, &chosen);
                    prop_assert!(chosen.iter().all(|item| !pool.contains(&item.hash())));
                }
            }
            check(&pool);
        }
    }
}

#[test]
fn amounts_in_reasons_are_those_of_the_account() {
    let pool = pool(&state_with(&[10]));
    let reason = reject(&pool, &transfer(0, 0, 1, 50));
    let (balance, amount) = (Amount::new(10), Amount::new(50));
    assert_eq!(reason, RejectReason::InsufficientBalance { balance, amount });
}

/// A transaction of account 0 signed with the key of account 50.
fn with_new_key(nonce: u64) -> SignedTransaction {
    let key = account(50);
    Payload {
        chain_id: CHAIN,
        account: Some(address(0)),
        sender: key.public(),
        nonce,
        expiry: Height::new(100),
        body: transfer_body(1, 1),
    }
    .sign(&key)
}

#[test]
fn what_a_rotated_key_signed_is_dropped_and_refused() {
    let mut pool = pool(&state_with(&[10]));
    assert_eq!(reject(&pool, &with_new_key(0)), RejectReason::WrongKey);
    let possession = account(50).sign(&key_rotation_digest(&CHAIN, &address(0)));
    let body = Body::RotateKey { new_key: account(50).public(), possession };
    let rotation = signed(0, 0, body);
    add(&mut pool, rotation.clone());
    let late = add(&mut pool, transfer(0, 1, 1, 1));
    let gapped = add(&mut pool, transfer(0, 3, 1, 1));
    let other = add(&mut pool, put(1, 0, "k", "v"));
    commit(&mut pool, 6, &[rotation]);
    assert!(!pool.contains(&late) && !pool.contains(&gapped) && pool.contains(&other));
    assert_eq!(reject(&pool, &transfer(0, 1, 1, 1)), RejectReason::WrongKey);
    let waiting = add(&mut pool, with_new_key(1));
    add(&mut pool, with_new_key(2));
    commit(&mut pool, 7, &[with_new_key(1)]);
    assert_eq!((pool.contains(&waiting), pool.len()), (false, 2), "the next one may stay");
    check(&pool);
}

/// From the governance key of a validator, which owns nothing.
fn govern(number: u16, nonce: u64, action: GovernanceAction) -> SignedTransaction {
    let key = signer(400 + number);
    let (sender, expiry) = (key.public(), Height::new(100));
    let body = Body::Governance(action);
    Payload { chain_id: CHAIN, account: None, sender, nonce, expiry, body }.sign(&key)
}

/// Lets the validators 0 to 2 pass a change in the block at this height.
fn pass(pool: &mut Mempool, height: u64, round: u64, change: Change) {
    let approve = || GovernanceAction::Approve { proposal: round + 1 };
    let list = [
        govern(0, round, GovernanceAction::Propose { change }),
        govern(1, round, approve()),
        govern(2, round, approve()),
    ];
    for transaction in &list {
        add(pool, transaction.clone());
    }
    let execution = commit(pool, height, &list);
    assert!(execution.receipts.iter().all(|receipt| receipt.outcome.is_success()));
}

#[test]
fn the_pool_follows_who_may_submit() {
    let mut pool = pool(&state_with(&[]));
    let before = add(&mut pool, put(0, 0, "k", "v"));
    let grant = |number| Change::Grant { account: address(number), role: Role::Member };
    pass(&mut pool, 6, 0, grant(1));
    let member = add(&mut pool, put(1, 0, "k", "v"));
    let parameter = Parameter::Access(AccessMode::Members);
    pass(&mut pool, 7, 1, Change::SetParameter { parameter });
    assert!(!pool.contains(&before) && pool.contains(&member));
    assert_eq!(reject(&pool, &put(0, 0, "k", "v")), RejectReason::NotAMember);
    pass(&mut pool, 8, 2, grant(0));
    let granted = add(&mut pool, put(0, 0, "k", "v"));
    let revoke = Change::Revoke { account: address(1), role: Role::Member };
    pass(&mut pool, 9, 3, revoke);
    assert!(pool.contains(&granted) && !pool.contains(&member));
    assert_eq!(reject(&pool, &put(1, 0, "k", "v")), RejectReason::NotAMember);
    check(&pool);
}
