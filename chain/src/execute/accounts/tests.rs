use super::*;
use crate::access::AccessMode;
use crate::crypto::{Ed25519, Signer};
use crate::execute::{BlockContext, Execution, InvalidReason, execute};
use crate::genesis::genesis_state;
use crate::governance::{GovernanceAction, Parameters};
use crate::receipt::Outcome::{self, Failed, Success};
use crate::state::State;
use crate::testing::{
    CHAIN, CheapSigner, account, address, context, keypair, signer, state_with, transfer_body,
    validators,
};
use crate::transaction::{Body, MalformedTransaction, Payload, SignedTransaction, Transaction};
use crate::types::Height;

/// A transaction of an account, named or not, signed by this key.
fn by(key: CheapSigner, named: Option<Address>, nonce: u64, body: Body) -> SignedTransaction {
    let expiry = Height::new(1_000);
    Payload { chain_id: CHAIN, account: named, sender: key.public(), nonce, expiry, body }
        .sign(&key)
}

fn rotation(new: CheapSigner, of: Address) -> Body {
    let possession = new.sign(&key_rotation_digest(&CHAIN, &of));
    Body::RotateKey { new_key: new.public(), possession }
}

fn run(state: &State, list: &[SignedTransaction]) -> Result<Execution, InvalidReason> {
    let list: Vec<Transaction> = list.iter().cloned().map(Transaction::Signed).collect();
    execute(state, &context(5), &list).map_err(|invalid| invalid.reason)
}

fn outcomes(execution: &Execution) -> Vec<Outcome> {
    execution.receipts.iter().map(|receipt| receipt.outcome).collect()
}

/// Account 0, with 100, whose key is that of account 50 by now; and its nonce is 1.
fn rotated() -> State {
    let first = by(account(0), None, 0, rotation(account(50), address(0)));
    let execution = run(&state_with(&[100, 100]), &[first]).unwrap();
    assert_eq!(outcomes(&execution), [Success]);
    execution.state
}

#[test]
fn the_new_key_signs_and_the_old_one_does_not() {
    let state = rotated();
    let held = state.account(&address(0));
    assert_eq!((held.key, held.nonce), (Some(account(50).public()), 1));
    let pay = || transfer_body(1, 10);
    let redundant = InvalidReason::Malformed(MalformedTransaction::RedundantAccount);
    let wrong = Some(InvalidReason::WrongKey);
    let table = [
        ("the new key for the account", by(account(50), Some(address(0)), 1, pay()), None),
        ("the old key", by(account(0), None, 1, pay()), wrong.clone()),
        ("the old key, named", by(account(0), Some(address(0)), 1, pay()), Some(redundant)),
        ("a stranger for the account", by(account(2), Some(address(0)), 1, pay()), wrong.clone()),
        ("the new key for another", by(account(50), Some(address(1)), 0, pay()), wrong.clone()),
        ("the old key for another", by(account(0), Some(address(1)), 0, pay()), wrong),
        ("another for itself", by(account(1), None, 0, pay()), None),
    ];
    for (name, transaction, expected) in table {
        let verdict = run(&state, &[transaction]);
        assert_eq!(verdict.as_ref().err(), expected.as_ref(), "{name}");
        if let Ok(execution) = verdict {
            assert_eq!(outcomes(&execution), [Success], "{name}");
        }
    }
    let paid = run(&state, &[by(account(50), Some(address(0)), 1, pay())]).unwrap().state;
    assert_eq!(paid.account(&address(0)).balance.get(), 90);
    assert_eq!(paid.account(&address(0)).key, held.key, "a transfer leaves the key alone");
    let back = by(account(1), None, 0, transfer_body(0, 1));
    let paid = run(&paid, &[back]).unwrap().state;
    assert_eq!(paid.account(&address(0)).key, held.key, "so does receiving");
}

#[test]
fn the_key_changes_within_a_block() {
    let list = [
        by(account(0), None, 0, rotation(account(50), address(0))),
        by(account(50), Some(address(0)), 1, transfer_body(1, 10)),
    ];
    let execution = run(&state_with(&[100]), &list).unwrap();
    assert_eq!(outcomes(&execution), [Success; 2]);
    let old = [list[0].clone(), by(account(0), None, 1, transfer_body(1, 10))];
    assert_eq!(run(&state_with(&[100]), &old).unwrap_err(), InvalidReason::WrongKey);
}

#[test]
fn rotations_that_change_nothing() {
    let unproven = |new: CheapSigner| Body::RotateKey {
        new_key: new.public(),
        possession: account(3).sign(&key_rotation_digest(&CHAIN, &address(0))),
    };
    let unusable = CheapSigner(PublicKey([0; 32]));
    let in_use = FailureReason::KeyInUse;
    let not_proven = FailureReason::KeyNotProven;
    let table = [
        ("signed by another", unproven(account(51)), not_proven),
        ("for another account", rotation(account(51), address(1)), not_proven),
        ("no key", rotation(unusable, address(0)), not_proven),
        ("the key it has", rotation(account(50), address(0)), in_use),
        ("the key it had", rotation(account(0), address(0)), in_use),
        ("the key of an account that was used", rotation(account(1), address(0)), in_use),
    ];
    let used = by(account(1), None, 0, transfer_body(2, 1));
    let state = run(&rotated(), &[used]).unwrap().state;
    for (name, body, why) in table {
        let execution = run(&state, &[by(account(50), Some(address(0)), 1, body)]).unwrap();
        assert_eq!(outcomes(&execution), [Failed(why)], "{name}");
        let held = execution.state.account(&address(0));
        assert_eq!((held.key, held.nonce), (Some(account(50).public()), 2), "{name}");
    }
}

#[test]
fn money_sent_to_the_new_key_stops_no_rotation() {
    let gift = by(account(1), None, 0, transfer_body(50, 1));
    let state = run(&state_with(&[100, 100]), &[gift]).unwrap().state;
    let execution = run(&state, &[by(account(0), None, 0, rotation(account(50), address(0)))]);
    assert_eq!(outcomes(&execution.unwrap()), [Success]);
}

#[test]
fn possession_is_a_real_signature() {
    let (old, new) = (keypair(1), keypair(2));
    let of = old.public().address();
    let state = genesis_state([], validators(4), Parameters::default(), []).unwrap();
    let possession = new.sign(&key_rotation_digest(&CHAIN, &of));
    for (possession, expected) in [
        (possession, Success),
        (old.sign(&key_rotation_digest(&CHAIN, &of)), Failed(FailureReason::KeyNotProven)),
    ] {
        let body = Body::RotateKey { new_key: new.public(), possession };
        let payload = Payload {
            chain_id: CHAIN,
            account: None,
            sender: old.public(),
            nonce: 0,
            expiry: Height::new(9),
            body,
        };
        let context = BlockContext { verifier: &Ed25519, ..context(1) };
        let list = [Transaction::Signed(payload.sign(&old))];
        assert_eq!(outcomes(&execute(&state, &context, &list).unwrap()), [expected]);
    }
}

/// A chain for members: account 1 is one.
fn for_members() -> State {
    let rules = Parameters { access: AccessMode::Members, ..Parameters::default() };
    let member = crate::access::Roles { member: true, ..Default::default() };
    let reader = crate::access::Roles { reader: true, observer: true, ..Default::default() };
    genesis_state([], validators(4), rules, [(address(1), member), (address(2), reader)]).unwrap()
}

#[test]
fn only_members_submit_where_the_chain_says_so() {
    let state = for_members();
    let put = || Body::Put { key: b"k".to_vec(), value: Vec::new() };
    let ready = || {
        Body::Governance(GovernanceAction::Ready {
            proposal: 1,
            height: Height::new(0),
            block: CHAIN,
        })
    };
    let table = [
        ("a member", account(1), put(), true),
        ("a reader and observer", account(2), put(), false),
        ("a stranger", account(0), put(), false),
        ("a validator's governance key", signer(400), put(), true),
        ("its consensus key", signer(0), put(), false),
        ("its network key", signer(200), put(), false),
        ("a joiner of no proposal", signer(9), ready(), false),
    ];
    for (name, key, body, may) in table {
        let transaction = by(key, None, 0, body.clone());
        let expected = if may { None } else { Some(InvalidReason::NotAMember) };
        assert_eq!(run(&state, &[transaction]).err(), expected, "{name}");
        let sender = key.public().address();
        assert_eq!(state.may_submit(&sender, &body, Height::new(5)), may, "{name}");
        assert!(state_with(&[]).may_submit(&sender, &body, Height::new(5)), "{name}: open");
    }
}

#[test]
fn nodes_of_validators_and_observers_connect() {
    let state = for_members();
    let table = [(signer(200), true), (signer(0), false), (account(1), false), (account(2), true)];
    for (key, may) in table {
        assert_eq!(state.may_connect(&key.public()), may);
        assert!(state_with(&[]).may_connect(&key.public()), "open");
    }
}
