use proptest::prelude::*;

use super::super::record::Entry;
use super::*;
use crate::testing::{cases, state_with};
use crate::types::Height;

type Records = Vec<(RecordKey, RecordValue)>;

/// A state with so many entries of different sizes on top of a genesis.
fn state(entries: usize) -> State {
    let records = (0..entries as u32).map(|number| {
        let value = vec![number as u8; (number as usize * 7) % 90];
        let key = RecordKey::Entry(number.to_be_bytes().to_vec());
        (key, RecordValue::Entry(Entry { value, version: u64::from(number) + 1 }))
    });
    let genesis = state_with(&[5, 6, 7]);
    let base = genesis.records().map(|(key, value)| (key.clone(), value.clone()));
    State::from_records(base.chain(records)).unwrap()
}

fn chunks(state: &State, cut: &Cut) -> Vec<Chunk> {
    cut.0.iter().map(|part| state.chunk(part).expect("a part of the state")).collect()
}

fn add_one(state: &State, cut: &Cut, index: usize, chunk: Chunk) -> Result<(), ChunkError> {
    Assembly::new(cut.clone(), state.root()).unwrap().add(index, chunk)
}

proptest! {
    #![proptest_config(cases(150))]

    /// Cut at any size and put together in any order, it is the same state.
    #[test]
    fn a_state_survives_its_pieces(
        entries in 0usize..400,
        target in 1usize..20_000,
        order in any::<u64>(),
    ) {
        let state = state(entries);
        let cut = state.cut_into(target);
        prop_assert_eq!(cut.verify(&state.root()), Ok(()));
        let chunks = chunks(&state, &cut);
        for chunk in &chunks {
            let bytes = codec::encode(chunk).len() - 8;
            prop_assert!(bytes <= target || chunk.0.len() == 1, "{} bytes", bytes);
        }
        let mut assembly = Assembly::new(cut, state.root()).unwrap();
        let len = assembly.len();
        for step in 0..len {
            let index = (step + order as usize % len) % len;
            prop_assert!(!assembly.has(index));
            assembly.add(index, chunks[index].clone()).unwrap();
            prop_assert!(assembly.has(index));
            prop_assert_eq!(assembly.missing(), len - step - 1);
        }
        let rebuilt = assembly.finish().unwrap();
        prop_assert_eq!(rebuilt.root(), state.root());
        prop_assert!(rebuilt.records().eq(state.records()));
        prop_assert!(rebuilt.scan(&[], None).eq(state.scan(&[], None)));
        prop_assert_eq!(rebuilt.entry_count(), state.entry_count());
    }
}

/// Every single record of every chunk: taken away, doubled, changed, moved, put elsewhere.
#[test]
fn one_wrong_record_spoils_a_chunk() {
    let state = state(120);
    let cut = state.cut_into(700);
    let chunks = chunks(&state, &cut);
    assert!(chunks.len() > 5, "{} chunks", chunks.len());
    let mut tried = 0;
    for (index, chunk) in chunks.iter().enumerate() {
        let mut refuse = |chunk: Chunk, why: &str| {
            assert!(add_one(&state, &cut, index, chunk).is_err(), "chunk {index}: {why}");
            tried += 1;
        };
        for place in 0..chunk.0.len() {
            let changed = |change: &dyn Fn(&mut Records)| {
                let mut records = chunk.0.clone();
                change(&mut records);
                Chunk(records)
            };
            refuse(changed(&|records| drop(records.remove(place))), "one missing");
            refuse(changed(&|records| records.insert(place, records[place].clone())), "twice");
            let other = RecordValue::Entry(Entry { value: vec![1], version: 77 });
            refuse(changed(&|records| records[place].1 = other.clone()), "another value");
            let key = RecordKey::Entry(vec![place as u8; 9]);
            refuse(changed(&|records| records[place].0 = key.clone()), "another key");
            if place > 0 {
                refuse(changed(&|records| records.swap(place - 1, place)), "another order");
            }
        }
        let foreign = &chunks[(index + 1) % chunks.len()];
        refuse(foreign.clone(), "another part's");
        refuse(Chunk(Vec::new()), "nothing");
        let both = chunk.0.iter().chain(&foreign.0).cloned().collect();
        refuse(Chunk(both), "too much");
        assert_eq!(add_one(&state, &cut, index, chunk.clone()), Ok(()));
    }
    println!("{tried} damaged chunks refused");
    let nowhere = add_one(&state, &cut, chunks.len(), chunks[0].clone());
    assert_eq!(nowhere, Err(ChunkError::NoSuchPart(chunks.len())));
}

#[test]
fn a_cut_is_all_of_the_state_and_nothing_twice() {
    let state = state(200);
    let cut = state.cut_into(900);
    let root = state.root();
    let refuse = |parts: Vec<Part>| Cut(parts).verify(&root).expect_err("no cut of the state");
    for place in 0..cut.0.len() {
        let with = |change: &dyn Fn(&mut Part)| {
            let mut parts = cut.0.clone();
            change(&mut parts[place]);
            parts
        };
        let mut fewer = cut.0.clone();
        fewer.remove(place);
        assert_eq!(refuse(fewer), CutError::OtherRoot);
        let mut twice = cut.0.clone();
        twice.insert(place, cut.0[place]);
        assert_eq!(refuse(twice), CutError::Overlap(place + 1));
        refuse(with(&|part| part.root.0[0] ^= 1));
        refuse(with(&|part| part.depth += 1));
        refuse(with(&|part| part.depth -= 1));
        assert_eq!(refuse(with(&|part| part.depth = 65)), CutError::Malformed(place));
        assert_eq!(refuse(with(&|part| part.root = Digest::ZERO)), CutError::Malformed(place));
        assert_eq!(refuse(with(&|part| part.prefix |= 1)), CutError::Malformed(place));
    }
    let mut swapped = cut.0.clone();
    swapped.swap(0, 1);
    refuse(swapped);
    refuse(Vec::new());
    let many = vec![cut.0[0]; Cut::MAX_PARTS + 1];
    assert_eq!(refuse(many), CutError::TooMany(Cut::MAX_PARTS + 1));
    assert!(Cut(cut.0.clone()).verify(&Digest([1; 32])).is_err(), "another state");
}

#[test]
fn a_small_state_is_one_chunk() {
    let state = state(3);
    let cut = state.cut();
    assert_eq!(cut.0, [Part { depth: 0, prefix: 0, root: state.root() }]);
    assert_eq!(state.chunk(&cut.0[0]).unwrap().0.len(), state.records().count());
    // What is no subtree of this state is not served.
    let other = Part { root: Digest([1; 32]), ..cut.0[0] };
    assert_eq!(state.chunk(&other), None);
    assert_eq!(state.chunk(&Part { depth: 64, ..cut.0[0] }), None);
    assert_eq!(state.chunk(&Part { prefix: 1, ..cut.0[0] }), None);
}

/// Records that hash to the root but break what every state keeps: no state comes of them.
#[test]
fn the_root_of_no_state_gives_no_state() {
    let broken: Vec<_> = state(10)
        .records()
        .filter(|(key, _)| !matches!(key, RecordKey::Chain))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let leaves: Vec<_> = broken
        .iter()
        .map(|(key, value)| Arc::new(Leaf::new(key.hash(), key.clone(), value.clone())))
        .collect();
    let root = trie::hash_of(trie::build(&leaves, 0).as_ref());
    let mut assembly = Assembly::new(Cut(vec![Part { depth: 0, prefix: 0, root }]), root).unwrap();
    assembly.add(0, Chunk(broken)).unwrap();
    assert_eq!(assembly.finish().unwrap_err(), StateError::NoChainRecord);
}

#[test]
fn the_largest_cut_fits_its_bound() {
    let part = Part { depth: 64, prefix: Height::new(u64::MAX).get(), root: Digest([9; 32]) };
    let cut = Cut(vec![part; Cut::MAX_PARTS]);
    assert_eq!(codec::encode(&cut).len(), Cut::MAX_BYTES);
    assert_eq!(codec::decode::<Cut>(&codec::encode(&cut)), Ok(cut));
}
