//! Merkle roots over lists of digests, with proofs that a digest is in the list.
//!
//! The tree is that of RFC 6962, section 2.1. The root that goes into a header hashes the tree's
//! root together with what the list is of and how long it is, so a list of transactions never
//! passes for one of receipts and a proof cannot lie about the length.

use bincode::{Decode, Encode};
use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{InclusionProof, RootHash};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::codec::Bounded;
use crate::crypto::{Domain, Hasher};
use crate::receipt::Receipt;
use crate::types::Digest;

/// What a header's list consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Hashes of transactions, in block order.
    Transactions,
    /// Hashes of receipts, in block order.
    Receipts,
}

impl List {
    const fn domain(self) -> Domain {
        match self {
            Self::Transactions => Domain::TransactionsRoot,
            Self::Receipts => Domain::ReceiptsRoot,
        }
    }

    /// The root of a list. That of an empty list is fixed.
    pub fn root(self, items: &[Digest]) -> Digest {
        self.seal(items.len() as u64, &tree_root(items))
    }

    /// Binds a tree's root to the kind and the length of its list.
    fn seal(self, count: u64, tree_root: &[u8; 32]) -> Digest {
        Hasher::new(self.domain()).value(&count).bytes(tree_root).finish()
    }
}

/// The root over the receipts of a block.
pub fn receipts_root(receipts: &[Receipt]) -> Digest {
    let hashes: Vec<Digest> = receipts.iter().map(Receipt::hash).collect();
    List::Receipts.root(&hashes)
}

/// RFC 6962, "Merkle Tree Hash". The library's tree hashes a path per item that is added; a block
/// needs only the root, which costs a hash per node.
fn tree_root(items: &[Digest]) -> [u8; 32] {
    match items {
        [] => Sha256::digest(b"").into(),
        [item] => Sha256::new().chain_update([0]).chain_update(item.0).finalize().into(),
        _ => {
            let (left, right) = items.split_at(items.len().next_power_of_two() / 2);
            Sha256::new()
                .chain_update([1])
                .chain_update(tree_root(left))
                .chain_update(tree_root(right))
                .finalize()
                .into()
        }
    }
}

/// Proof that a digest stands at a place of a list with a known root.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct MerkleProof {
    /// Place in the list, from 0.
    pub index: u32,
    /// Length of the list.
    pub count: u32,
    /// Root of the RFC 6962 tree, which the list's root is made from.
    pub tree_root: Digest,
    /// Hashes of the neighbouring subtrees, from the item up.
    pub siblings: Vec<Digest>,
}

impl Bounded for MerkleProof {
    const MAX_BYTES: usize = 4 + 4 + Digest::LEN + 8 + 32 * Digest::LEN;
}

impl MerkleProof {
    /// The proof for `items[index]`; `None` where there is no such item.
    pub fn new(items: &[Digest], index: usize) -> Option<Self> {
        if index >= items.len() {
            return None;
        }
        let mut tree = MemoryBackedTree::<Sha256, [u8; 32]>::new();
        for item in items {
            tree.push(item.0);
        }
        let siblings = tree
            .prove_inclusion(index)
            .as_bytes()
            .chunks_exact(Digest::LEN)
            .map(|chunk| {
                let mut sibling = Digest::ZERO;
                sibling.0.copy_from_slice(chunk);
                sibling
            })
            .collect();
        Some(Self {
            index: u32::try_from(index).ok()?,
            count: u32::try_from(items.len()).ok()?,
            tree_root: Digest((*tree.root().as_bytes()).into()),
            siblings,
        })
    }

    /// Whether `item` stands at [`index`](Self::index) of the list with this root.
    pub fn verify(&self, list: List, root: &Digest, item: &Digest) -> bool {
        let count = u64::from(self.count);
        if list.seal(count, &self.tree_root.0) != *root {
            return false;
        }
        let siblings: Vec<u8> = self.siblings.iter().flat_map(|sibling| sibling.0).collect();
        InclusionProof::<Sha256>::try_from_bytes(siblings).is_ok_and(|proof| {
            RootHash::<Sha256>::new(self.tree_root.0.into(), count)
                .verify_inclusion(&item.0, u64::from(self.index), &proof)
                .is_ok()
        })
    }
}

#[cfg(test)]
mod tests;
