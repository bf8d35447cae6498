//! Proof that the state holds a record, or holds none under a key.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::codec::Bounded;
use crate::state::record::{RecordKey, RecordValue};
use crate::state::trie::{self, MAX_DEPTH};
use crate::types::Digest;

/// The path from the root of the state to where a key stands or would stand.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct StateProof {
    /// Hashes of the subtrees beside the path, from the root down; zero for an empty one.
    pub siblings: Vec<Digest>,
    pub end: PathEnd,
}

/// Where the path of a key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathEnd {
    /// In an empty subtree.
    Empty,
    /// At a leaf: the key's own, or the only one under the prefix that the key shares.
    Leaf { key_hash: Digest, value_hash: Digest },
}

impl Bounded for StateProof {
    const MAX_BYTES: usize = 8 + MAX_DEPTH * Digest::LEN + 4 + 2 * Digest::LEN;
}

impl StateProof {
    /// Whether the state with this root holds exactly `value` under `key`; `None`: holds nothing.
    pub fn verify(&self, root: &Digest, key: &RecordKey, value: Option<&RecordValue>) -> bool {
        if self.siblings.len() > MAX_DEPTH {
            return false;
        }
        let wanted = key.hash();
        let end_hash = match (self.end, value) {
            (PathEnd::Empty, None) => Digest::ZERO,
            (PathEnd::Leaf { key_hash, value_hash }, Some(value))
                if key_hash == wanted && value_hash == value.hash() =>
            {
                trie::leaf_hash(&key_hash, &value_hash)
            }
            (PathEnd::Leaf { key_hash, value_hash }, None)
                if key_hash != wanted
                    && (0..self.siblings.len())
                        .all(|depth| trie::bit(&key_hash, depth) == trie::bit(&wanted, depth)) =>
            {
                trie::leaf_hash(&key_hash, &value_hash)
            }
            _ => return false,
        };
        let computed =
            self.siblings.iter().enumerate().rev().fold(end_hash, |below, (depth, sibling)| {
                if trie::bit(&wanted, depth) {
                    trie::branch_hash(sibling, &below)
                } else {
                    trie::branch_hash(&below, sibling)
                }
            });
        computed == *root
    }
}
