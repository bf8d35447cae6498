use proptest::prelude::*;

use super::*;
use crate::codec;
use crate::testing::cases;

fn items(count: usize) -> Vec<Digest> {
    (0..count).map(|place| Digest(Sha256::digest((place as u64).to_le_bytes()).into())).collect()
}

#[test]
fn the_root_is_that_of_rfc_6962_for_every_shape() {
    for count in 0..=130 {
        let mut tree = MemoryBackedTree::<Sha256, [u8; 32]>::new();
        for item in items(count) {
            tree.push(item.0);
        }
        let expected: [u8; 32] = (*tree.root().as_bytes()).into();
        assert_eq!(tree_root(&items(count)), expected, "{count} items");
    }
}

#[test]
fn lists_differ_by_kind_and_length_even_if_empty() {
    assert_ne!(List::Transactions.root(&[]), List::Receipts.root(&[]));
    assert_eq!(List::Receipts.root(&[]), receipts_root(&[]));
    let one = items(1);
    assert_ne!(List::Transactions.root(&one), List::Receipts.root(&one));
    assert_ne!(List::Transactions.root(&one), List::Transactions.root(&[one[0], one[0]]));
}

#[test]
fn every_item_has_a_proof_that_holds_for_it_alone() {
    for count in 1..=40 {
        let items = items(count);
        let root = List::Transactions.root(&items);
        for (place, item) in items.iter().enumerate() {
            let proof = MerkleProof::new(&items, place).unwrap();
            assert!(proof.verify(List::Transactions, &root, item), "{place} of {count}");
            assert!(!proof.verify(List::Receipts, &root, item), "{place} of {count}");
            for (other_place, other) in items.iter().enumerate() {
                assert_eq!(
                    proof.verify(List::Transactions, &root, other),
                    place == other_place,
                    "{place} and {other_place} of {count}"
                );
            }
        }
        assert_eq!(MerkleProof::new(&items, count), None);
    }
    assert_eq!(MerkleProof::new(&[], 0), None);
}

#[test]
fn a_changed_proof_does_not_hold() {
    let items = items(11);
    let root = List::Receipts.root(&items);
    let proof = MerkleProof::new(&items, 6).unwrap();
    let mut changed = vec![
        MerkleProof { index: 7, ..proof.clone() },
        MerkleProof { index: u32::MAX, ..proof.clone() },
        MerkleProof { count: 12, ..proof.clone() },
        MerkleProof { count: 0, ..proof.clone() },
        MerkleProof { count: u32::MAX, index: u32::MAX - 1, ..proof.clone() },
        MerkleProof { tree_root: items[0], ..proof.clone() },
        MerkleProof { siblings: proof.siblings[1..].to_vec(), ..proof.clone() },
        MerkleProof { siblings: Vec::new(), ..proof.clone() },
    ];
    for place in 0..proof.siblings.len() {
        let mut other = proof.clone();
        other.siblings[place].0[31] ^= 1;
        changed.push(other);
    }
    let mut longer = proof.clone();
    longer.siblings.push(Digest::ZERO);
    changed.push(longer);
    for changed in changed {
        assert!(!changed.verify(List::Receipts, &root, &items[6]), "{changed:?}");
    }
    assert!(!proof.verify(List::Receipts, &items[0], &items[6]));
    let encoded = codec::encode(&proof);
    assert_eq!(codec::decode::<MerkleProof>(&encoded), Ok(proof));
}

proptest! {
    #![proptest_config(cases(500))]

    /// Whatever a peer claims, verification answers no, without a panic.
    #[test]
    fn invented_proofs_are_refused(
        index: u32,
        count: u32,
        siblings in prop::collection::vec(any::<[u8; 32]>(), 0..40),
    ) {
        let items = items(9);
        let root = List::Transactions.root(&items);
        let siblings = siblings.into_iter().map(Digest).collect();
        let tree_root = Digest(tree_root(&items));
        let proof = MerkleProof { index, count, tree_root, siblings };
        prop_assert!(!proof.verify(List::Transactions, &root, &items[3]));
        let proof = MerkleProof { count: 9, ..proof };
        prop_assert!(!proof.verify(List::Transactions, &root, &items[3]));
    }
}
