use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::codec;
use crate::crypto::{Domain, Hasher, PublicKey};
use crate::governance::{CLOSED_PROPOSALS, ProposalStatus};
use crate::testing::{address, cases, state_with, validators};
use crate::types::{Amount, Height};

/// The definition of the root, without a tree: the hash over the records whose key hashes share
/// their first `depth` bits.
fn naive_root(records: &[(Digest, Digest)], depth: usize) -> Digest {
    match records {
        [] => Digest::ZERO,
        [(key_hash, value_hash)] => {
            Hasher::new(Domain::StateLeaf).bytes(&key_hash.0).bytes(&value_hash.0).finish()
        }
        _ => {
            let goes_right = |hash: &Digest| (hash.0[depth / 8] >> (7 - depth % 8)) & 1 == 1;
            let (right, left): (Vec<_>, Vec<_>) =
                records.iter().copied().partition(|(key_hash, _)| goes_right(key_hash));
            let (left_hash, right_hash) =
                (naive_root(&left, depth + 1), naive_root(&right, depth + 1));
            // A record alone under its prefix stands as high as it can.
            match (left.len(), right.len()) {
                (1, 0) => left_hash,
                (0, 1) => right_hash,
                _ => Hasher::new(Domain::StateBranch)
                    .bytes(&left_hash.0)
                    .bytes(&right_hash.0)
                    .finish(),
            }
        }
    }
}

fn root_of(model: &BTreeMap<RecordKey, RecordValue>) -> Digest {
    let records: Vec<(Digest, Digest)> =
        model.iter().map(|(key, value)| (key.hash(), value.hash())).collect();
    naive_root(&records, 0)
}

fn model_of(state: &State) -> BTreeMap<RecordKey, RecordValue> {
    state.records().map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn key(number: u8) -> RecordKey {
    RecordKey::Entry(vec![number / 16, number % 16])
}

fn value(number: u8) -> RecordValue {
    RecordValue::Entry(Entry { value: vec![number; 3], version: 1 })
}

fn apply(state: &State, changes: &[Change]) -> (State, Vec<Change>) {
    let mut draft = Draft::new(state);
    for (key, value) in changes {
        match value {
            Some(value) => draft.set(Slot::new(key.clone()), value.clone()),
            None => draft.remove(Slot::new(key.clone())),
        }
    }
    draft.finish()
}

/// A batch of writes and removals over few keys, so that they meet.
fn batches() -> impl Strategy<Value = Vec<Vec<(u8, Option<u8>)>>> {
    let change = (0u8..60, prop::option::weighted(0.6, any::<u8>()));
    prop::collection::vec(prop::collection::vec(change, 0..25), 1..12)
}

proptest! {
    #![proptest_config(cases(200))]

    /// Batch after batch the state says what a plain map says: content, order, root, old versions.
    #[test]
    fn agrees_with_a_plain_map(batches in batches()) {
        let mut state = state_with(&[5]);
        let mut model = model_of(&state);
        let mut versions = Vec::new();
        for batch in batches {
            versions.push((state.clone(), root_of(&model)));
            let changes: Vec<Change> =
                batch.iter().map(|(k, v)| (key(*k), v.map(value))).collect();
            let (next, reported) = apply(&state, &changes);
            for (key, value) in &reported {
                match value {
                    Some(value) => drop(model.insert(key.clone(), value.clone())),
                    None => drop(model.remove(key)),
                }
            }
            for (key, value) in &changes {
                prop_assert!(reported.iter().any(|(reported, _)| reported == key), "{key:?}");
                let last = changes.iter().rev().find(|(other, _)| other == key).unwrap();
                prop_assert_eq!(next.get(key), last.1.as_ref(), "{:?} {:?}", key, value);
            }
            state = next;
            prop_assert_eq!(state.root(), root_of(&model));
            prop_assert_eq!(&model_of(&state), &model);
        }
        for (version, root) in versions {
            prop_assert_eq!(version.root(), root);
        }
        let keys: Vec<&RecordKey> =
            model.keys().filter(|key| matches!(key, RecordKey::Entry(_))).collect();
        let scanned: Vec<RecordKey> =
            state.scan(&[], None).map(|(key, _)| RecordKey::Entry(key.to_vec())).collect();
        prop_assert_eq!(scanned.iter().collect::<Vec<_>>(), keys);
        prop_assert_eq!(state.entry_count(), scanned.len());
        // Rebuilt from its records in another order it is the same state.
        let rebuilt = State::from_records(model.clone().into_iter().rev()).unwrap();
        prop_assert_eq!(rebuilt.root(), state.root());
        prop_assert_eq!(rebuilt.entry_count(), state.entry_count());
    }

    /// Every key has a proof, of its value or of its absence, and no other claim passes with it.
    #[test]
    fn proofs_prove_what_is_there_and_nothing_else(
        present in prop::collection::btree_set(0u8..80, 0..40),
        asked in 0u8..80,
    ) {
        let changes: Vec<Change> = present.iter().map(|n| (key(*n), Some(value(*n)))).collect();
        let (state, _) = apply(&state_with(&[]), &changes);
        let root = state.root();
        let held = present.contains(&asked).then(|| value(asked));
        let proof = state.prove(&key(asked));
        prop_assert!(proof.verify(&root, &key(asked), held.as_ref()));
        let lie = if held.is_some() { None } else { Some(value(asked)) };
        prop_assert!(!proof.verify(&root, &key(asked), lie.as_ref()));
        prop_assert!(!proof.verify(&root, &key(asked), Some(&value(asked ^ 1))));
        prop_assert!(!proof.verify(&Digest([9; 32]), &key(asked), held.as_ref()));
        // It may say something of other keys too, but nothing that is not so.
        for other in 0..80 {
            let lie = if present.contains(&other) { None } else { Some(value(other)) };
            prop_assert!(!proof.verify(&root, &key(other), lie.as_ref()));
            prop_assert!(!proof.verify(&root, &key(other), Some(&value(other ^ 1))));
        }
        for place in 0..proof.siblings.len() {
            let mut changed = proof.clone();
            changed.siblings[place].0[0] ^= 1;
            prop_assert!(!changed.verify(&root, &key(asked), held.as_ref()));
            let mut shorter = proof.clone();
            shorter.siblings.remove(place);
            prop_assert!(!shorter.verify(&root, &key(asked), held.as_ref()));
        }
        let mut longer = proof.clone();
        longer.siblings.push(Digest::ZERO);
        prop_assert!(!longer.verify(&root, &key(asked), held.as_ref()));
        prop_assert_eq!(codec::decode::<StateProof>(&codec::encode(&proof)), Ok(proof));
    }
}

/// The leaf of another key may stand on the path only as proof of absence, and only where the keys
/// share the path.
#[test]
fn absence_needs_a_leaf_on_the_very_path() {
    let (state, _) = apply(&state_with(&[]), &[(key(1), Some(value(1)))]);
    let proof = state.prove(&key(1));
    let PathEnd::Leaf { value_hash, .. } = proof.end else { panic!("key 1 is there") };
    let forged =
        StateProof { end: PathEnd::Leaf { key_hash: key(2).hash(), value_hash }, ..proof.clone() };
    assert!(!forged.verify(&state.root(), &key(1), None));
    let emptied = StateProof { end: PathEnd::Empty, ..proof };
    assert!(!emptied.verify(&state.root(), &key(1), None));
}

#[test]
fn a_path_longer_than_a_key_hash_is_refused() {
    let proof = StateProof { siblings: vec![Digest::ZERO; MAX_PATH + 1], end: PathEnd::Empty };
    assert!(!proof.verify(&Digest::ZERO, &key(1), None));
    let proof = StateProof { siblings: vec![Digest::ZERO; MAX_PATH], end: PathEnd::Empty };
    assert!(!proof.verify(&Digest::ZERO, &key(1), None));
    assert!(codec::encode(&proof).len() <= <StateProof as codec::Bounded>::MAX_BYTES);
}

const MAX_PATH: usize = trie::MAX_DEPTH;

/// Two key hashes that differ in the last bit only: the deepest possible leaves.
#[test]
fn the_deepest_leaves_are_found_and_removed() {
    let leaf = |last: u8| {
        let mut hash = [0x33; 32];
        hash[31] = last;
        (Digest(hash), Arc::new(Leaf::new(Digest(hash), key(last), value(last))))
    };
    let ((a_hash, a), (b_hash, b)) = (leaf(0), leaf(1));
    let both = trie::update(None, 0, &[(a_hash, Some(a)), (b_hash, Some(b))]);
    let (siblings, found) = trie::path(both.as_ref(), &b_hash);
    assert_eq!((siblings.len(), found.map(|leaf| leaf.key_hash)), (256, Some(b_hash)));
    assert!(siblings[..255].iter().all(|sibling| *sibling == Digest::ZERO));
    let one = trie::update(both.as_ref(), 0, &[(b_hash, None)]);
    assert!(matches!(&one, Some(Node::Leaf(leaf)) if leaf.key_hash == a_hash));
    assert!(trie::update(one.as_ref(), 0, &[(a_hash, None)]).is_none());
    assert!(trie::update(None, 0, &[(a_hash, None)]).is_none());
}

#[test]
fn scans_go_in_order_by_prefix_and_in_pages() {
    let names = ["a", "ab", "ab/1", "ab/2", "abc", "b", "\u{ff}"];
    let changes: Vec<Change> = names
        .iter()
        .map(|name| {
            let entry = Entry { value: name.as_bytes().to_vec(), version: 4 };
            (RecordKey::Entry(name.as_bytes().to_vec()), Some(RecordValue::Entry(entry)))
        })
        .collect();
    let (state, _) = apply(&state_with(&[]), &changes);
    let page = |prefix: &str, after: Option<&str>, limit| -> Vec<String> {
        state
            .scan(prefix.as_bytes(), after.map(str::as_bytes))
            .take(limit)
            .map(|(key, entry)| {
                assert_eq!((key, entry.version), (entry.value.as_slice(), 4));
                String::from_utf8(key.to_vec()).unwrap()
            })
            .collect()
    };
    assert_eq!(page("", None, 100), names);
    assert_eq!(page("ab", None, 100), ["ab", "ab/1", "ab/2", "abc"]);
    assert_eq!(page("ab", None, 2), ["ab", "ab/1"]);
    assert_eq!(page("ab", Some("ab/1"), 2), ["ab/2", "abc"]);
    assert_eq!(page("ab", Some("abc"), 2), [""; 0]);
    // A place before the prefix is no reason to start there, one behind it none to go back.
    assert_eq!(page("ab", Some("a"), 1), ["ab"]);
    assert_eq!(page("ab", Some("z"), 1), [""; 0]);
    assert_eq!(page("nothing", None, 9), [""; 0]);
}

#[test]
fn records_that_are_no_state_are_refused() {
    let good = || {
        let chain = ChainRecord { epoch: Epoch::new(0), total_supply: Amount::new(5) };
        let account = Account { balance: Amount::new(5), nonce: 2, key: None };
        vec![
            (RecordKey::Chain, RecordValue::Chain(chain)),
            (
                RecordKey::Validators(Epoch::new(0)),
                RecordValue::Validators(Box::new(validators(4))),
            ),
            (RecordKey::Account(address(0)), RecordValue::Account(account)),
            (RecordKey::Parameters, RecordValue::Parameters(Parameters::default())),
        ]
    };
    let error = |records| State::from_records(records).map(|state| state.root()).unwrap_err();
    assert!(State::from_records(good()).is_ok());
    assert_eq!(error(good().split_off(1)), StateError::NoChainRecord);
    assert_eq!(error(good()[..3].to_vec()), StateError::NoParameters);
    let mut nobody = good();
    nobody.remove(2);
    assert_eq!(error(nobody), StateError::Supply);
    let mut no_set = good();
    no_set.remove(1);
    assert_eq!(error(no_set), StateError::NoValidators(Epoch::new(0)));
    let mut other_epoch = good();
    other_epoch[1].0 = RecordKey::Validators(Epoch::new(1));
    assert_eq!(error(other_epoch), StateError::KindMismatch(RecordKey::Validators(Epoch::new(1))));
    let mut mixed = good();
    mixed[2].1 = value(1);
    assert_eq!(error(mixed), StateError::KindMismatch(RecordKey::Account(address(0))));
    let mut unusable = good();
    let mut set = validators(4);
    set.max_faulty = 9;
    unusable[1].1 = RecordValue::Validators(Box::new(set));
    assert!(matches!(error(unusable), StateError::Validators(_)));
}

#[test]
fn the_largest_records_fit_their_bounds() {
    use crate::codec::Bounded;
    use crate::transaction::{MAX_KEY_BYTES, MAX_VALUE_BYTES};
    let key = RecordKey::Entry(vec![0xff; MAX_KEY_BYTES]);
    assert!(codec::encode(&key).len() <= RecordKey::MAX_BYTES);
    let entry = Entry { value: vec![0xff; MAX_VALUE_BYTES], version: u64::MAX };
    let full = validators(ValidatorSet::MAX as u16);
    let approvals: Vec<PublicKey> =
        full.members().map(|(_, member)| member.consensus_key).collect();
    let proposal = Proposal {
        id: u64::MAX,
        change: crate::governance::Change::RemoveValidator { validator: approvals[0] },
        proposer: approvals[0],
        proposed_at: Height::new(u64::MAX),
        expires: Height::new(u64::MAX),
        approvals,
        status: ProposalStatus::Open,
    };
    let record = GovernanceRecord {
        newest: u64::MAX,
        open: vec![u64::MAX; ValidatorSet::MAX],
        closed: vec![u64::MAX; CLOSED_PROPOSALS],
    };
    for value in [
        RecordValue::Entry(entry),
        RecordValue::Validators(Box::new(validators(ValidatorSet::MAX as u16))),
        RecordValue::Proposal(Box::new(proposal)),
        RecordValue::Governance(record),
    ] {
        let encoded = codec::encode(&value);
        assert!(encoded.len() <= RecordValue::MAX_BYTES);
        assert_eq!(codec::decode::<RecordValue>(&encoded), Ok(value));
    }
}
