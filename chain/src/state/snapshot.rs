//! A state in pieces of about a mebibyte, each checked by itself against the root of the whole.
//!
//! A piece is a subtree of the trie. [`Cut`] lists the roots of all of them, which the state's root
//! commits to; a [`Chunk`] holds the records of one. The cut depends on the state alone, so all who
//! hold the state make the same one.

use std::sync::Arc;

use bincode::{Decode, Encode};
use imbl::OrdSet;

use super::record::{RecordKey, RecordValue};
use super::trie::{self, Leaf, Node};
use super::{State, StateError};
use crate::codec::{self, Bounded};
use crate::types::Digest;

/// Bytes of records that a chunk should hold at most; a single record may be all there is to one.
const TARGET_BYTES: usize = 1024 * 1024;
const _: () = assert!(RecordKey::MAX_BYTES + RecordValue::MAX_BYTES <= TARGET_BYTES);

/// The deepest root of a part. More than a mebibyte of records whose keys share this many bits of
/// their hashes would cost 2⁶⁰ hashes to find.
const MAX_PART_DEPTH: u8 = 64;

/// One subtree of a state: the records whose key hashes begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Part {
    /// How many bits: the depth of the subtree's root, at most 64.
    pub depth: u8,
    /// The bits, from the highest one on; the rest is zero.
    pub prefix: u64,
    /// Hash of the subtree, as in the tree.
    pub root: Digest,
}

/// Every subtree of a state that a chunk stands for, in ascending order of key hashes. Empty
/// subtrees are left out.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Cut(pub Vec<Part>);

impl Bounded for Cut {
    const MAX_BYTES: usize = 8 + Self::MAX_PARTS * (1 + 8 + Digest::LEN);
}

/// The records of one part, in ascending order of their key hashes.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Chunk(pub Vec<(RecordKey, RecordValue)>);

impl Bounded for Chunk {
    const MAX_BYTES: usize = 8 + TARGET_BYTES;
}

/// A list of parts that is no cut of the state with a root.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CutError {
    #[error("{0} parts where at most {max} are allowed", max = Cut::MAX_PARTS)]
    TooMany(usize),
    #[error("part {0} is malformed")]
    Malformed(usize),
    #[error("part {0} overlaps the one before or is out of order")]
    Overlap(usize),
    #[error("the parts do not add up to the state's root")]
    OtherRoot,
}

/// Records that are not those of a part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    #[error("there is no part {0}")]
    NoSuchPart(usize),
    #[error("record {0} is out of order")]
    Order(usize),
    #[error("record {0} belongs to another part")]
    Elsewhere(usize),
    #[error("record {0} holds a value of another kind than its key")]
    Kind(usize),
    #[error("the records are not those of the part: one is wrong, missing or too many")]
    OtherRecords,
}

impl Part {
    fn is_well_formed(&self) -> bool {
        self.depth <= MAX_PART_DEPTH
            && self.prefix & !mask(self.depth) == 0
            && self.root != Digest::ZERO
    }

    /// Whether a key hash begins with the bits of this part.
    fn contains(&self, key_hash: &Digest) -> bool {
        first_bits(key_hash) & mask(self.depth) == self.prefix
    }

    /// The subtree of the records in a chunk, if they are exactly those of this part.
    fn subtree(&self, chunk: Chunk) -> Result<Option<Node>, ChunkError> {
        let mut leaves: Vec<Arc<Leaf>> = Vec::with_capacity(chunk.0.len());
        for (place, (key, value)) in chunk.0.into_iter().enumerate() {
            let key_hash = key.hash();
            if !self.contains(&key_hash) {
                return Err(ChunkError::Elsewhere(place));
            }
            if leaves.last().is_some_and(|before| before.key_hash >= key_hash) {
                return Err(ChunkError::Order(place));
            }
            if !key.fits(&value) {
                return Err(ChunkError::Kind(place));
            }
            leaves.push(Arc::new(Leaf::new(key_hash, key, value)));
        }
        let subtree = trie::build(&leaves, usize::from(self.depth));
        let matches = trie::hash_of(subtree.as_ref()) == self.root;
        matches.then_some(subtree).ok_or(ChunkError::OtherRecords)
    }
}

impl Cut {
    /// Most parts of a state: it is held in memory, of which these are some 16 GiB.
    pub const MAX_PARTS: usize = 16 * 1024;

    /// Whether these are the parts of the state with this root: none missing, none twice.
    ///
    /// # Errors
    /// [`CutError`] with the first thing that is wrong.
    pub fn verify(&self, root: &Digest) -> Result<(), CutError> {
        if self.0.len() > Self::MAX_PARTS {
            return Err(CutError::TooMany(self.0.len()));
        }
        let mut free_from = Some(0);
        for (place, part) in self.0.iter().enumerate() {
            if !part.is_well_formed() {
                return Err(CutError::Malformed(place));
            }
            if free_from.is_none_or(|from| part.prefix < from) {
                return Err(CutError::Overlap(place));
            }
            free_from = (part.prefix | !mask(part.depth)).checked_add(1);
        }
        if fold_hashes(&self.0, 0) == *root { Ok(()) } else { Err(CutError::OtherRoot) }
    }
}

/// The bits of a prefix that count.
fn mask(depth: u8) -> u64 {
    u64::MAX.checked_shl(64 - u32::from(depth)).unwrap_or(0)
}

/// The bits of a key hash that parts are told apart by.
fn first_bits(key_hash: &Digest) -> u64 {
    let (first, _) = key_hash.0.split_first_chunk().expect("a digest has more than eight bytes");
    u64::from_be_bytes(*first)
}

/// Where the parts below a branch at `depth` go from left to right.
fn middle(parts: &[Part], depth: u8) -> usize {
    parts.partition_point(|part| part.prefix & (1 << (63 - depth)) == 0)
}

/// Hash of the tree above some disjoint parts.
fn fold_hashes(parts: &[Part], depth: u8) -> Digest {
    match parts {
        [] => Digest::ZERO,
        [part] if part.depth == depth => part.root,
        _ => {
            let (left, right) = parts.split_at(middle(parts, depth));
            trie::branch_hash(&fold_hashes(left, depth + 1), &fold_hashes(right, depth + 1))
        }
    }
}

/// The tree above the subtrees of some disjoint parts.
fn fold_nodes(parts: &[Part], nodes: &[Option<Node>], depth: u8) -> Option<Node> {
    match (parts, nodes) {
        ([part], [node]) if part.depth == depth => node.clone(),
        ([], _) => None,
        _ => {
            let (left, right) = parts.split_at(middle(parts, depth));
            let (left_nodes, right_nodes) = nodes.split_at(left.len());
            trie::join(
                fold_nodes(left, left_nodes, depth + 1),
                fold_nodes(right, right_nodes, depth + 1),
            )
        }
    }
}

impl State {
    /// Cuts the state into subtrees of about a mebibyte. Takes time in proportion to the state.
    pub fn cut(&self) -> Cut {
        self.cut_into(TARGET_BYTES)
    }

    pub(super) fn cut_into(&self, target_bytes: usize) -> Cut {
        let mut parts = Vec::new();
        if let Some(root) = &self.root {
            cut_node(root, 0, 0, target_bytes, &mut parts);
        }
        Cut(parts)
    }

    /// The records of a part of this state; none where it is no part of it.
    pub fn chunk(&self, part: &Part) -> Option<Chunk> {
        if !part.is_well_formed() {
            return None;
        }
        let mut node = self.root.as_ref()?;
        for depth in 0..part.depth {
            let Node::Branch(branch) = node else {
                return None;
            };
            node = branch.child(part.prefix & (1 << (63 - depth)) != 0)?;
        }
        let found = trie::hash_of(Some(node)) == part.root;
        found.then(|| {
            let leaves = trie::Leaves::new(Some(node));
            Chunk(leaves.map(|leaf| (leaf.key.clone(), leaf.value.clone())).collect())
        })
    }
}

/// Adds the parts of a subtree and answers its size in bytes of records.
fn cut_node(node: &Node, depth: u8, prefix: u64, target: usize, parts: &mut Vec<Part>) -> usize {
    let first = parts.len();
    let bytes = match node {
        Node::Leaf(leaf) => codec::encode(&leaf.key).len() + codec::encode(&leaf.value).len(),
        Node::Branch(branch) if depth < MAX_PART_DEPTH => {
            let side = |right: bool, parts: &mut Vec<Part>| {
                let prefix = prefix | u64::from(right) << (63 - depth);
                branch
                    .child(right)
                    .map_or(0, |child| cut_node(child, depth + 1, prefix, target, parts))
            };
            side(false, parts) + side(true, parts)
        }
        Node::Branch(_) => trie::Leaves::new(Some(node))
            .map(|leaf| codec::encode(&leaf.key).len() + codec::encode(&leaf.value).len())
            .sum(),
    };
    if bytes <= target || parts.len() == first {
        parts.truncate(first);
        parts.push(Part { depth, prefix, root: trie::hash_of(Some(node)) });
    }
    bytes
}

/// A state that is being put together from its chunks.
#[derive(Debug)]
pub struct Assembly {
    root: Digest,
    parts: Vec<Part>,
    /// The subtree of each part that came.
    nodes: Vec<Option<Node>>,
    missing: usize,
}

impl Assembly {
    /// # Errors
    /// [`CutError`] where these are not the parts of the state with this root.
    pub fn new(cut: Cut, root: Digest) -> Result<Self, CutError> {
        cut.verify(&root)?;
        let (nodes, missing) = (vec![None; cut.0.len()], cut.0.len());
        Ok(Self { root, parts: cut.0, nodes, missing })
    }

    /// Takes the chunk of a part in; one that came before is checked and changes nothing.
    ///
    /// # Errors
    /// [`ChunkError`]: whoever gave the chunk does not hold the state, or lies.
    pub fn add(&mut self, index: usize, chunk: Chunk) -> Result<(), ChunkError> {
        let part = self.parts.get(index).ok_or(ChunkError::NoSuchPart(index))?;
        let subtree = part.subtree(chunk)?;
        if std::mem::replace(&mut self.nodes[index], subtree).is_none() {
            self.missing -= 1;
        }
        Ok(())
    }

    /// How many parts there are.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// Never: every state has a record about the chain.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many parts still have no chunk.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// Whether a part has its chunk.
    pub fn has(&self, index: usize) -> bool {
        self.nodes.get(index).is_some_and(Option::is_some)
    }

    /// The state, once every chunk came.
    ///
    /// # Errors
    /// [`StateError`] where the records break an invariant of states: then the root was no state's.
    ///
    /// # Panics
    /// Where a chunk is missing.
    pub fn finish(self) -> Result<State, StateError> {
        assert_eq!(self.missing, 0, "a state is whole before it is used");
        let root = fold_nodes(&self.parts, &self.nodes, 0);
        assert_eq!(trie::hash_of(root.as_ref()), self.root, "every part was checked");
        let mut entry_keys: OrdSet<Arc<[u8]>> = OrdSet::new();
        for leaf in trie::Leaves::new(root.as_ref()) {
            if let RecordKey::Entry(name) = &leaf.key {
                entry_keys.insert(Arc::from(name.as_slice()));
            }
        }
        let state = State { root, entry_keys };
        state.check()?;
        Ok(state)
    }
}

#[cfg(test)]
mod tests;
