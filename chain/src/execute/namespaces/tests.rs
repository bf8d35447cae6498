use crate::access::{Access, Role, Roles};
use crate::execute::{Execution, execute};
use crate::namespace::{NamespaceAction, NamespaceRules};
use crate::receipt::FailureReason::{
    CompareMismatch, NamespaceNotFound, NamespaceTaken, NotNamespaceOwner, NotNamespaceWriter,
};
use crate::receipt::Outcome::{self, Failed, Success, Written};
use crate::state::{RecordKey, RecordValue, State};
use crate::testing::{address, context, put, signed, signer, state_with};
use crate::transaction::{Body, Expected, Payload, SignedTransaction, Transaction};
use crate::types::Height;

fn rules(writers: Access) -> NamespaceRules {
    NamespaceRules { writers, readers: Access::Anyone }
}

fn create(from: u16, nonce: u64, name: &str, writers: Access) -> SignedTransaction {
    let action = NamespaceAction::Create { name: name.into(), rules: rules(writers) };
    signed(from, nonce, Body::Namespace(action))
}

fn delete(from: u16, nonce: u64, key: &str) -> SignedTransaction {
    signed(from, nonce, Body::Delete { key: key.into() })
}

fn swap(from: u16, nonce: u64, key: &str, expected: Expected, value: &str) -> SignedTransaction {
    let (key, value) = (key.into(), value.into());
    signed(from, nonce, Body::CompareAndSwap { key, expected, value })
}

fn run(state: &State, transactions: Vec<SignedTransaction>) -> Execution {
    let transactions: Vec<_> = transactions.into_iter().map(Transaction::Signed).collect();
    execute(state, &context(5), &transactions).unwrap()
}

fn outcomes(execution: &Execution) -> Vec<Outcome> {
    execution.receipts.iter().map(|receipt| receipt.outcome).collect()
}

/// A state in which account 1 has a role.
fn with_role(role: Role) -> State {
    let state = state_with(&[100]);
    let mut roles = Roles::default();
    roles.set(role, true);
    let record = (RecordKey::Roles(address(1)), RecordValue::Roles(roles));
    let records = state.records().map(|(key, value)| (key.clone(), value.clone()));
    State::from_records(records.chain([record])).unwrap()
}

#[test]
fn only_whom_the_rules_let_through_writes_and_the_owner_always() {
    let state = with_role(Role::Member);
    let one = Access::Accounts(vec![address(1)]);
    // (writers, whether 1 may write, whether 2 may)
    let table = [
        (Access::Anyone, true, true),
        (Access::Role(Role::Member), true, false),
        (Access::Role(Role::Reader), false, false),
        (one, true, false),
        (Access::Accounts(vec![]), false, false),
    ];
    for (writers, first, second) in table {
        let transactions = vec![
            create(0, 0, "n", writers.clone()),
            put(0, 1, "n/a", "0"),
            put(1, 0, "n/a", "1"),
            put(2, 0, "n/b", "2"),
            delete(2, 1, "n/a"),
            swap(2, 2, "n/c", Expected::Absent, "2"),
        ];
        let execution = run(&state, transactions);
        let refused = Failed(NotNamespaceWriter);
        let or = |may, outcome| if may { outcome } else { refused };
        let expected = [
            Success,
            Written { version: 1 },
            or(first, Written { version: 2 }),
            or(second, Written { version: 1 }),
            or(second, Success),
            or(second, Written { version: 1 }),
        ];
        assert_eq!(outcomes(&execution), expected, "{writers:?}");
    }
}

#[test]
fn validators_have_every_role() {
    let state = state_with(&[100]);
    let execution = run(&state, vec![create(0, 0, "n", Access::Role(Role::Member))]);
    // The governance key of validator 2.
    let governor = signer(402);
    let write = Payload {
        chain_id: crate::testing::CHAIN,
        account: None,
        sender: governor.0,
        nonce: 0,
        expiry: Height::new(1_000),
        body: Body::Put { key: b"n/a".to_vec(), value: Vec::new() },
    }
    .sign(&governor);
    assert_eq!(outcomes(&run(&execution.state, vec![write])), [Written { version: 1 }]);
}

#[test]
fn a_name_that_keys_use_is_nobodys_to_take() {
    let state = state_with(&[100]);
    let mine = || Access::Accounts(vec![]);
    let transactions = vec![
        put(0, 0, "used/a", "x"),
        create(1, 0, "used", mine()),
        delete(0, 1, "used/a"),
        create(1, 1, "used", mine()),
        // Keys of other names, or without any, are in nobody's way.
        put(0, 2, "free", "x"),
        put(0, 3, "freer/a", "x"),
        create(1, 2, "free", mine()),
        create(2, 0, "free", mine()),
    ];
    let execution = run(&state, transactions);
    let (taken, written) = (Failed(NamespaceTaken), Written { version: 1 });
    let expected = [written, taken, Success, taken, written, written, Success, taken];
    assert_eq!(outcomes(&execution), expected);

    // In the next block they are gone, and the name is free.
    let next = run(&execution.state, vec![create(1, 3, "used", mine())]);
    assert_eq!(outcomes(&next), [Success]);
    let kept = run(&execution.state, vec![create(1, 3, "freer", mine())]);
    assert_eq!(outcomes(&kept), [taken], "a key from an earlier block");
}

#[test]
fn the_owner_alone_changes_rules_and_owner() {
    let state = state_with(&[100]);
    let set = |from, nonce, writers| {
        let action = NamespaceAction::SetRules { name: b"n".to_vec(), rules: rules(writers) };
        signed(from, nonce, Body::Namespace(action))
    };
    let give = |from, nonce, to| {
        let action = NamespaceAction::Transfer { name: b"n".to_vec(), owner: address(to) };
        signed(from, nonce, Body::Namespace(action))
    };
    let transactions = vec![
        set(0, 0, Access::Anyone),
        give(0, 1, 1),
        create(0, 2, "n", Access::Accounts(vec![])),
        set(1, 0, Access::Anyone),
        give(1, 1, 1),
        give(0, 3, 1),
        put(0, 4, "n/a", "x"),
        set(1, 2, Access::Anyone),
        put(0, 5, "n/a", "x"),
    ];
    let execution = run(&state, transactions);
    let (missing, not_owner) = (Failed(NamespaceNotFound), Failed(NotNamespaceOwner));
    let expected = [
        missing,
        missing,
        Success,
        not_owner,
        not_owner,
        Success,
        Failed(NotNamespaceWriter),
        Success,
        Written { version: 1 },
    ];
    assert_eq!(outcomes(&execution), expected);
    assert_eq!(execution.state.namespace(b"n").map(|found| found.owner), Some(address(1)));
}

#[test]
fn versions_count_the_writes_and_are_what_a_swap_may_expect() {
    let state = state_with(&[100]);
    let execution = run(
        &state,
        vec![
            swap(0, 0, "k", Expected::Version(0), "a"),
            put(0, 1, "k", "a"),
            swap(0, 2, "k", Expected::Version(2), "b"),
            swap(0, 3, "k", Expected::Version(1), "b"),
            swap(1, 0, "k", Expected::Version(1), "c"),
            swap(1, 1, "k", Expected::Version(2), "c"),
        ],
    );
    let mismatch = Failed(CompareMismatch);
    let expected = [
        mismatch,
        Written { version: 1 },
        mismatch,
        Written { version: 2 },
        mismatch,
        Written { version: 3 },
    ];
    assert_eq!(outcomes(&execution), expected);
    assert_eq!(execution.state.entry(b"k").map(|entry| entry.version), Some(3));
}
