use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::evidence::Evidence;
use crate::governance::{GovernanceAction, Parameters};
use crate::receipt::Outcome::{Failed, Success};
use crate::testing::{
    CHAIN, Cheap, account, address, cases, context, double_proposal, double_vote, expiring, put,
    signed, state_with, transfer, validators,
};
use crate::transaction::Expected;
use crate::types::{Address, Amount, Epoch, ValidatorIndex};

fn run(state: &State, transactions: &[SignedTransaction]) -> Result<Execution, InvalidTransaction> {
    let transactions: Vec<Transaction> =
        transactions.iter().cloned().map(Transaction::Signed).collect();
    execute(state, &context(5), &transactions)
}

/// Which version a write made is for `namespaces::tests` to see.
fn outcomes(execution: &Execution) -> Vec<Outcome> {
    let plain = |outcome| match outcome {
        Outcome::Written { .. } => Success,
        other => other,
    };
    execution.receipts.iter().map(|receipt| plain(receipt.outcome)).collect()
}

/// What the accounts 0, 1, … have: (balance, nonce).
fn accounts(state: &State, count: u16) -> Vec<(u128, u64)> {
    (0..count)
        .map(|number| state.account(&address(number)))
        .map(|account| (account.balance.get(), account.nonce))
        .collect()
}

fn insufficient(balance: u128, amount: u128) -> Outcome {
    let (balance, amount) = (Amount::new(balance), Amount::new(amount));
    Failed(FailureReason::InsufficientBalance { balance, amount })
}

#[test]
fn transfers_move_what_is_there() {
    // (what it is, transfers (from, nonce, to, amount), outcomes, accounts 0 to 2 afterwards)
    type Row = (&'static str, Vec<(u16, u64, u16, u128)>, Vec<Outcome>, [(u128, u64); 3]);
    let table: Vec<Row> = vec![
        ("to another", vec![(0, 0, 1, 30)], vec![Success], [(70, 1), (30, 0), (0, 0)]),
        ("everything", vec![(0, 0, 1, 100)], vec![Success], [(0, 1), (100, 0), (0, 0)]),
        (
            "one too many",
            vec![(0, 0, 1, 101)],
            vec![insufficient(100, 101)],
            [(100, 1), (0, 0), (0, 0)],
        ),
        (
            "the largest amount",
            vec![(0, 0, 1, u128::MAX)],
            vec![insufficient(100, u128::MAX)],
            [(100, 1), (0, 0), (0, 0)],
        ),
        ("to itself", vec![(0, 0, 0, 60)], vec![Success], [(100, 1), (0, 0), (0, 0)]),
        (
            "to itself, too much",
            vec![(0, 0, 0, 160)],
            vec![insufficient(100, 160)],
            [(100, 1), (0, 0), (0, 0)],
        ),
        ("nothing", vec![(0, 0, 1, 0)], vec![Success], [(100, 1), (0, 0), (0, 0)]),
        ("from nobody, nothing", vec![(2, 0, 1, 0)], vec![Success], [(100, 0), (0, 0), (0, 1)]),
        ("from nobody", vec![(2, 0, 1, 1)], vec![insufficient(0, 1)], [(100, 0), (0, 0), (0, 1)]),
        (
            "on the way",
            vec![(0, 0, 1, 50), (1, 0, 2, 20), (2, 0, 0, 5)],
            vec![Success; 3],
            [(55, 1), (30, 1), (15, 1)],
        ),
        (
            "twice, the second too much",
            vec![(0, 0, 1, 80), (0, 1, 1, 80)],
            vec![Success, insufficient(20, 80)],
            [(20, 2), (80, 0), (0, 0)],
        ),
    ];
    for (name, transfers, expected, balances) in table {
        let state = state_with(&[100]);
        let transactions: Vec<_> = transfers
            .iter()
            .map(|(from, nonce, to, amount)| transfer(*from, *nonce, *to, *amount))
            .collect();
        let execution = run(&state, &transactions).unwrap();
        assert_eq!(outcomes(&execution), expected, "{name}");
        assert_eq!(accounts(&execution.state, 3), balances, "{name}");
        assert_eq!(accounts(&state, 3), [(100, 0), (0, 0), (0, 0)], "{name}: the state underneath");
        for (receipt, transaction) in execution.receipts.iter().zip(&transactions) {
            assert_eq!(receipt.transaction, transaction.hash(), "{name}");
        }
    }
}

#[test]
fn a_transfer_of_nothing_leaves_no_empty_account() {
    let execution = run(&state_with(&[100]), &[transfer(0, 0, 1, 0)]).unwrap();
    let changed: Vec<&RecordKey> = execution.changes.iter().map(|(key, _)| key).collect();
    let sender = RecordKey::Account(address(0));
    assert!(changed.len() == 2 && changed.contains(&&sender), "its nonce, and the block below");
    assert_eq!(execution.state.get(&RecordKey::Account(address(1))), None);
}

#[test]
fn values_are_written_compared_and_deleted() {
    let delete = |nonce, key: &str| signed(0, nonce, Body::Delete { key: key.into() });
    let swap = |nonce, key: &str, expected: Option<&str>, value: &str| {
        let expected = expected.map_or(Expected::Absent, |value| Expected::Value(value.into()));
        signed(0, nonce, Body::CompareAndSwap { key: key.into(), expected, value: value.into() })
    };
    let mismatch = Failed(FailureReason::CompareMismatch);
    let missing = Failed(FailureReason::KeyNotFound);
    // (transactions, outcomes, what "k" holds afterwards)
    type Row = (Vec<SignedTransaction>, Vec<Outcome>, Option<(&'static str, u64)>);
    let table: Vec<Row> = vec![
        (vec![put(0, 0, "k", "a")], vec![Success], Some(("a", 1))),
        (vec![put(0, 0, "k", "")], vec![Success], Some(("", 1))),
        (vec![put(0, 0, "k", "a"), put(0, 1, "k", "a")], vec![Success; 2], Some(("a", 2))),
        (vec![delete(0, "k")], vec![missing], None),
        (vec![put(0, 0, "k", "a"), delete(1, "k")], vec![Success; 2], None),
        (
            vec![put(0, 0, "k", "a"), delete(1, "k"), delete(2, "k")],
            vec![Success, Success, missing],
            None,
        ),
        (
            vec![put(0, 0, "k", "a"), delete(1, "k"), put(0, 2, "k", "b")],
            vec![Success; 3],
            Some(("b", 1)),
        ),
        (vec![swap(0, "k", None, "a")], vec![Success], Some(("a", 1))),
        (vec![swap(0, "k", Some(""), "a")], vec![mismatch], None),
        (
            vec![put(0, 0, "k", "a"), swap(1, "k", None, "b")],
            vec![Success, mismatch],
            Some(("a", 1)),
        ),
        (
            vec![put(0, 0, "k", "a"), swap(1, "k", Some("x"), "b")],
            vec![Success, mismatch],
            Some(("a", 1)),
        ),
        (vec![put(0, 0, "k", "a"), swap(1, "k", Some("a"), "b")], vec![Success; 2], Some(("b", 2))),
        (vec![put(0, 0, "other", "a")], vec![Success], None),
    ];
    for (row, (transactions, expected, held)) in table.into_iter().enumerate() {
        let execution = run(&state_with(&[]), &transactions).unwrap();
        assert_eq!(outcomes(&execution), expected, "row {row}");
        let found = execution.state.entry(b"k").map(|entry| (entry.value.clone(), entry.version));
        assert_eq!(found, held.map(|(value, version)| (value.into(), version)), "row {row}");
        let nonce = execution.state.account(&address(0)).nonce;
        assert_eq!(nonce, transactions.len() as u64, "row {row}");
    }
}

#[test]
fn versions_grow_over_blocks() {
    let first = run(&state_with(&[]), &[put(0, 0, "k", "a")]).unwrap();
    let second = run(&first.state, &[put(1, 0, "k", "b"), put(0, 1, "k", "c")]).unwrap();
    assert_eq!(second.state.entry(b"k").unwrap().version, 3);
}

#[test]
fn what_the_proposer_could_see_makes_the_block_invalid() {
    let other_chain = {
        let mut transaction = transfer(0, 0, 1, 1);
        transaction.payload.chain_id = Digest([1; 32]);
        transaction
    };
    let long = |len| Body::Transfer { to: address(1), amount: Amount::new(1), memo: vec![0; len] };
    let nonce = |found, expected| InvalidReason::WrongNonce { found, expected };
    let expired =
        |expiry| InvalidReason::Expired { expiry: Height::new(expiry), height: Height::new(5) };
    let malformed = |error| Some(InvalidReason::Malformed(error));
    let good = || transfer(0, 0, 1, 1);
    let table: Vec<(Vec<SignedTransaction>, Option<InvalidReason>)> = vec![
        (vec![good()], None),
        (vec![good(), good()], Some(nonce(0, 1))),
        (vec![good(), transfer(0, 0, 1, 2)], Some(nonce(0, 1))),
        (vec![good(), transfer(0, 2, 1, 2)], Some(nonce(2, 1))),
        (vec![transfer(0, 1, 1, 1)], Some(nonce(1, 0))),
        (vec![transfer(0, u64::MAX, 1, 1)], Some(nonce(u64::MAX, 0))),
        (vec![expiring(0, 0, long(0), 5)], None),
        (vec![expiring(0, 0, long(0), 4)], Some(expired(4))),
        (vec![expiring(0, 0, long(0), 0)], Some(expired(0))),
        (vec![signed(0, 0, long(256))], None),
        (
            vec![signed(0, 0, long(257))],
            malformed(MalformedTransaction::TooLong { what: "memo", len: 257, max: 256 }),
        ),
        (vec![put(0, 0, "", "a")], malformed(MalformedTransaction::EmptyKey)),
        (vec![other_chain], malformed(MalformedTransaction::OtherChain(Digest([1; 32])))),
    ];
    for (row, (transactions, expected)) in table.into_iter().enumerate() {
        let index = transactions.len() - 1;
        let verdict = run(&state_with(&[100]), &transactions).map(|_| ());
        let expected = expected.map_or(Ok(()), |reason| Err(InvalidTransaction { index, reason }));
        assert_eq!(verdict, expected, "row {row}");
    }
}

#[test]
fn the_last_nonce_is_never_used() {
    let chain = ChainRecord { epoch: Epoch::new(0), total_supply: Amount::ZERO };
    let parameters = Parameters::default();
    let last = Account { balance: Amount::ZERO, nonce: u64::MAX, key: None };
    let state = State::from_records([
        (RecordKey::Chain, RecordValue::Chain(chain)),
        (RecordKey::Validators(Epoch::new(0)), RecordValue::Validators(Box::new(validators(4)))),
        (RecordKey::Parameters, RecordValue::Parameters(parameters)),
        (RecordKey::Account(address(0)), RecordValue::Account(last)),
    ])
    .unwrap();
    let refused = run(&state, &[put(0, u64::MAX, "k", "v")]).unwrap_err();
    assert_eq!(refused.reason, InvalidReason::NoncesUsedUp);
}

fn evidence(list: Vec<Evidence>) -> Vec<Transaction> {
    list.into_iter().map(|evidence| Transaction::Evidence(Box::new(evidence))).collect()
}

#[test]
fn evidence_accuses_jails_and_opens_the_next_epoch() {
    let state = state_with(&[100]);
    let mut transactions = evidence(vec![double_vote(0, 2, 1)]);
    transactions.push(Transaction::Signed(transfer(0, 0, 1, 1)));
    let execution = execute(&state, &context(5), &transactions).unwrap();
    let next = execution.next_validators.clone().expect("the block is a barrier");
    assert_eq!(next.epoch, Epoch::new(1));
    assert_eq!(next.first_view, View::new(41));
    for (place, validator) in next.members() {
        let accused = place.get() == 2;
        assert_eq!((validator.accused, validator.jailed), (accused, accused), "{place}");
    }
    assert_eq!(execution.state.validators(), &next);
    assert_eq!(execution.state.validators_of(Epoch::new(0)), Some(&validators(4)));
    assert_eq!(execution.state.chain().total_supply, Amount::new(100));
    assert_eq!(outcomes(&execution), [Success, Success]);
    assert_eq!(execution.receipts[0].transaction, transactions[0].hash(&CHAIN));
    assert_eq!(state.validators(), &validators(4), "the state underneath is as it was");
}

#[test]
fn at_most_max_faulty_are_jailed_but_all_are_recorded() {
    let state = state_with(&[]);
    let transactions = evidence(vec![double_vote(0, 3, 1), double_vote(0, 1, 1)]);
    let first = execute(&state, &context(5), &transactions).unwrap();
    let flags = |set: &ValidatorSet| -> Vec<(bool, bool)> {
        set.members().map(|(_, validator)| (validator.accused, validator.jailed)).collect()
    };
    let none = (false, false);
    let set = first.next_validators.unwrap();
    assert_eq!(flags(&set), [none, (true, false), none, (true, true)]);
    assert_eq!(set.epoch, Epoch::new(1), "two accusations are one change");
    assert_eq!(set.check(), Ok(()));
    // In the next epoch another one, by evidence of the epoch before and of this one.
    for epoch in [0, 1] {
        let transactions = evidence(vec![double_vote(epoch, 0, 7)]);
        let second = execute(&first.state, &context(6), &transactions).unwrap();
        let set = second.next_validators.unwrap();
        assert_eq!(flags(&set), [(true, false), (true, false), none, (true, true)]);
        assert_eq!(set.epoch, Epoch::new(2));
        assert!(second.state.validators_of(Epoch::new(1)).is_some());
    }
}

/// A state whose current set is of epoch 3, with validator 1 admitted in epoch 2 and the holder of
/// validator 3's key of epoch 0 gone.
fn later_state() -> State {
    let mut current = validators(6);
    current.epoch = Epoch::new(3);
    current.remove(ValidatorIndex::new(3));
    current.get_mut(ValidatorIndex::new(1)).unwrap().since = Epoch::new(2);
    let old = |epoch| {
        let mut set = validators(4);
        set.epoch = Epoch::new(epoch);
        (RecordKey::Validators(set.epoch), RecordValue::Validators(Box::new(set)))
    };
    let chain = ChainRecord { epoch: Epoch::new(3), total_supply: Amount::ZERO };
    State::from_records([
        (RecordKey::Chain, RecordValue::Chain(chain)),
        (RecordKey::Validators(current.epoch), RecordValue::Validators(Box::new(current))),
        (RecordKey::Parameters, RecordValue::Parameters(Parameters::default())),
        old(0),
        old(1),
        old(2),
    ])
    .unwrap()
}

#[test]
fn evidence_counts_once_and_only_against_those_it_concerns() {
    let state = later_state();
    let forged = {
        let Evidence::Votes { first, mut second } = double_vote(2, 0, 1) else { unreachable!() };
        second.signature.0[0] ^= 1;
        Evidence::Votes { first, second }
    };
    let swapped = {
        let Evidence::Votes { first, second } = double_vote(2, 0, 1) else { unreachable!() };
        Evidence::Votes { first: second, second: first }
    };
    let same = {
        let Evidence::Votes { first, .. } = double_vote(2, 0, 1) else { unreachable!() };
        Evidence::Votes { first, second: first }
    };
    let table = [
        ("of an old epoch", double_vote(0, 0, 1), true),
        ("of the current epoch", double_vote(3, 0, 1), true),
        ("of the epoch that admitted it", double_vote(2, 1, 1), true),
        ("of the epoch before it was admitted", double_vote(1, 1, 1), false),
        ("against one who left", double_vote(2, 3, 1), false),
        ("against nobody", double_vote(2, 9, 1), false),
        ("of an epoch to come", double_vote(4, 0, 1), false),
        ("of a missing epoch", double_vote(u64::MAX, 0, 1), false),
        ("forged", forged, false),
        ("in the wrong order", swapped, false),
        ("two times the same", same, false),
    ];
    for (name, piece, expected) in table {
        assert_eq!(evidence_counts(&state, &piece, &CHAIN, &Cheap), expected, "{name}");
        let verdict = execute(&state, &context(5), &evidence(vec![piece]));
        let refused = verdict.map(|_| ()).map_err(|error| error.reason);
        let wanted = if expected { Ok(()) } else { Err(InvalidReason::EvidenceDoesNotCount) };
        assert_eq!(refused, wanted, "{name}");
    }
}

#[test]
fn evidence_against_the_accused_does_not_count_again() {
    let state = state_with(&[]);
    let twice = evidence(vec![double_vote(0, 2, 1), double_vote(0, 2, 5)]);
    let refused = execute(&state, &context(5), &twice).unwrap_err();
    let reason = InvalidReason::EvidenceDoesNotCount;
    assert_eq!(refused, InvalidTransaction { index: 1, reason: reason.clone() });
    let once = execute(&state, &context(5), &twice[..1]).unwrap();
    let refused = execute(&once.state, &context(6), &twice[1..]).unwrap_err();
    assert_eq!(refused, InvalidTransaction { index: 0, reason });
}

#[test]
fn evidence_stands_first() {
    let mut transactions = vec![Transaction::Signed(put(0, 0, "k", "v"))];
    transactions.extend(evidence(vec![double_vote(0, 2, 1)]));
    let refused = execute(&state_with(&[]), &context(5), &transactions).unwrap_err();
    assert_eq!(refused, InvalidTransaction { index: 1, reason: InvalidReason::EvidenceNotFirst });
}

#[test]
fn two_proposals_are_evidence_too() {
    let state = state_with(&[]);
    let mut ledger = crate::testing::ledger(&state);
    let block = crate::testing::Proposal::on(CHAIN).block(&mut ledger);
    let piece = double_proposal(&block.header);
    let execution = execute(&state, &context(5), &evidence(vec![piece])).unwrap();
    assert!(execution.next_validators.unwrap().get(ValidatorIndex::new(0)).unwrap().jailed);
}

#[test]
fn changes_are_what_differs() {
    let state = state_with(&[100, 50]);
    let transactions = [transfer(0, 0, 1, 5), put(1, 0, "k", "v"), put(1, 1, "l", "w")];
    let execution = run(&state, &transactions).unwrap();
    let mut changed: Vec<RecordKey> =
        execution.changes.iter().map(|(key, _)| key.clone()).collect();
    let by_hash = |keys: &mut Vec<RecordKey>| keys.sort_by_key(RecordKey::hash);
    let mut expected = vec![
        RecordKey::Account(address(0)),
        RecordKey::Account(address(1)),
        RecordKey::Entry(b"k".to_vec()),
        RecordKey::Entry(b"l".to_vec()),
        RecordKey::recent(Height::new(4)),
    ];
    by_hash(&mut expected);
    assert_eq!(changed, expected);
    by_hash(&mut changed);
    assert_eq!(changed, expected, "in the order of their hashes");
    // Applied to the records of before they give the state of after.
    let mut records: BTreeMap<RecordKey, RecordValue> =
        state.records().map(|(key, value)| (key.clone(), value.clone())).collect();
    for (key, value) in execution.changes {
        match value {
            Some(value) => drop(records.insert(key, value)),
            None => drop(records.remove(&key)),
        }
    }
    assert_eq!(State::from_records(records).unwrap().root(), execution.state.root());
}

/// Transactions over few accounts and keys: valid, failing and refused ones.
fn random_transaction() -> impl Strategy<Value = SignedTransaction> {
    let body = prop_oneof![
        4 => (0u16..6, prop_oneof![0u128..80, Just(u128::MAX)]).prop_map(|(to, amount)| {
            Body::Transfer { to: address(to), amount: Amount::new(amount), memo: Vec::new() }
        }),
        1 => (0u8..4, any::<u8>()).prop_map(|(key, value)| {
            Body::Put { key: vec![key], value: vec![value] }
        }),
        1 => (0u8..4).prop_map(|key| Body::Delete { key: vec![key] }),
        1 => (0u8..4, prop::option::of(any::<u8>())).prop_map(|(key, expected)| {
            let expected = expected.map_or(Expected::Absent, |byte| Expected::Value(vec![byte]));
            Body::CompareAndSwap { key: vec![key], expected, value: vec![7] }
        }),
        1 => Just(Body::Governance(GovernanceAction::Approve { proposal: 1 })),
    ];
    (0u16..6, 0u64..6, 3u64..30, body)
        .prop_map(|(from, nonce, expiry, body)| expiring(from, nonce, body, expiry))
}

proptest! {
    #![proptest_config(cases(300))]

    /// Blocks made of whatever of a random stream executes: no amount appears or vanishes, every
    /// (sender, nonce) and every hash is executed at most once, the executed nonces of a sender have
    /// no gaps, and a refused transaction leaves no trace.
    #[test]
    fn balances_are_conserved_and_nonces_used_once(
        stream in prop::collection::vec(random_transaction(), 0..120),
        balances in prop::collection::vec(0u128..200, 6),
    ) {
        let supply: u128 = balances.iter().sum();
        let mut state = state_with(&balances);
        let mut used: BTreeSet<(Address, u64)> = BTreeSet::new();
        let mut hashes: BTreeSet<Digest> = BTreeSet::new();
        for (height, block) in (1..).zip(stream.chunks(20)) {
            let mut executor = Executor::new(&state, context(height), &AsWritten);
            let mut taken = Vec::new();
            for transaction in block {
                let hash = transaction.hash();
                if executor.apply_signed(transaction, hash).is_ok() {
                    prop_assert!(used.insert((transaction.sender(), transaction.payload.nonce)));
                    prop_assert!(hashes.insert(hash));
                    taken.push(Transaction::Signed(transaction.clone()));
                }
            }
            let execution = executor.finish();
            let again = execute(&state, &context(height), &taken).unwrap();
            prop_assert_eq!(again.state.root(), execution.state.root());
            prop_assert_eq!(&again.receipts, &execution.receipts);
            prop_assert_eq!(again.receipts.len(), taken.len());
            state = execution.state;
            let sum: u128 = state
                .records()
                .filter_map(|(_, value)| match value {
                    RecordValue::Account(account) => Some(account.balance.get()),
                    _ => None,
                })
                .sum();
            prop_assert_eq!(sum, supply);
        }
        for number in 0..6 {
            let sender = account(number).0.address();
            let executed = used.iter().filter(|(from, _)| *from == sender).count() as u64;
            prop_assert_eq!(state.account(&sender).nonce, executed);
        }
    }
}
