//! A persistent binary trie over key hashes, each node with its hash.
//!
//! A leaf stands at the shortest prefix of its key hash that no other leaf shares, so the shape, and
//! with it the root hash, depends on the records alone and not on their history. Nodes never
//! change: an update makes new nodes along the touched paths and shares the rest.

use std::sync::Arc;

use crate::crypto::{Domain, Hasher};
use crate::state::record::{RecordKey, RecordValue};
use crate::types::Digest;

/// Bits of a key hash, and so the deepest a leaf can stand.
pub(super) const MAX_DEPTH: usize = 256;

/// The bit of a key hash that decides the branch at a depth below [`MAX_DEPTH`]; `true`: right.
pub(super) fn bit(key_hash: &Digest, depth: usize) -> bool {
    key_hash.0[depth / 8] & (0x80 >> (depth % 8)) != 0
}

pub(super) fn leaf_hash(key_hash: &Digest, value_hash: &Digest) -> Digest {
    Hasher::new(Domain::StateLeaf).bytes(&key_hash.0).bytes(&value_hash.0).finish()
}

pub(super) fn branch_hash(left: &Digest, right: &Digest) -> Digest {
    Hasher::new(Domain::StateBranch).bytes(&left.0).bytes(&right.0).finish()
}

/// A subtree with at least one leaf. An empty one is `None` and hashes to zero.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Leaf(Arc<Leaf>),
    Branch(Arc<Branch>),
}

#[derive(Debug)]
pub(super) struct Leaf {
    hash: Digest,
    pub(super) key_hash: Digest,
    pub(super) key: RecordKey,
    pub(super) value: RecordValue,
}

impl Leaf {
    pub(super) fn new(key_hash: Digest, key: RecordKey, value: RecordValue) -> Self {
        let hash = leaf_hash(&key_hash, &value.hash());
        Self { hash, key_hash, key, value }
    }
}

#[derive(Debug)]
pub(super) struct Branch {
    hash: Digest,
    left: Option<Node>,
    right: Option<Node>,
}

impl Branch {
    pub(super) fn child(&self, right: bool) -> Option<&Node> {
        if right { self.right.as_ref() } else { self.left.as_ref() }
    }
}

/// What becomes of a key: a new leaf, or none. Lists of these are sorted by key hash, which is
/// unique in them.
pub(super) type Update = (Digest, Option<Arc<Leaf>>);

pub(super) fn hash_of(node: Option<&Node>) -> Digest {
    match node {
        None => Digest::ZERO,
        Some(Node::Leaf(leaf)) => leaf.hash,
        Some(Node::Branch(branch)) => branch.hash,
    }
}

pub(super) fn get<'a>(root: Option<&'a Node>, key_hash: &Digest) -> Option<&'a Leaf> {
    let mut node = root?;
    let mut depth = 0;
    loop {
        match node {
            Node::Leaf(leaf) => return (leaf.key_hash == *key_hash).then_some(leaf.as_ref()),
            Node::Branch(branch) => node = branch.child(bit(key_hash, depth))?,
        }
        depth += 1;
    }
}

/// The hashes beside the path to a key, from the root down, and the leaf where the path ends.
pub(super) fn path<'a>(
    root: Option<&'a Node>,
    key_hash: &Digest,
) -> (Vec<Digest>, Option<&'a Leaf>) {
    let mut siblings = Vec::new();
    let mut node = root;
    loop {
        match node {
            None => return (siblings, None),
            Some(Node::Leaf(leaf)) => return (siblings, Some(leaf)),
            Some(Node::Branch(branch)) => {
                let right = bit(key_hash, siblings.len());
                siblings.push(hash_of(branch.child(!right)));
                node = branch.child(right);
            }
        }
    }
}

/// The subtree after some updates. Every branch on a touched path is hashed once.
pub(super) fn update(node: Option<&Node>, depth: usize, updates: &[Update]) -> Option<Node> {
    match node {
        _ if updates.is_empty() => node.cloned(),
        Some(Node::Branch(branch)) => {
            let (left, right) = split(updates, depth, |(key_hash, _)| key_hash);
            join(
                update(branch.left.as_ref(), depth + 1, left),
                update(branch.right.as_ref(), depth + 1, right),
            )
        }
        Some(Node::Leaf(old)) => {
            let mut leaves: Vec<Arc<Leaf>> =
                updates.iter().filter_map(|(_, leaf)| leaf.clone()).collect();
            if updates.binary_search_by_key(&old.key_hash, |(key_hash, _)| *key_hash).is_err() {
                let place = leaves.partition_point(|leaf| leaf.key_hash < old.key_hash);
                leaves.insert(place, Arc::clone(old));
            }
            build(&leaves, depth)
        }
        None => {
            let leaves: Vec<Arc<Leaf>> =
                updates.iter().filter_map(|(_, leaf)| leaf.clone()).collect();
            build(&leaves, depth)
        }
    }
}

/// The subtree of some leaves, sorted by key hash.
pub(super) fn build(leaves: &[Arc<Leaf>], depth: usize) -> Option<Node> {
    match leaves {
        [] => None,
        [leaf] => Some(Node::Leaf(Arc::clone(leaf))),
        _ => {
            let (left, right) = split(leaves, depth, |leaf| &leaf.key_hash);
            join(build(left, depth + 1), build(right, depth + 1))
        }
    }
}

/// Cuts a sorted list, whose keys agree on the first `depth` bits, where the next bit changes.
fn split<T>(sorted: &[T], depth: usize, key_hash: impl Fn(&T) -> &Digest) -> (&[T], &[T]) {
    assert!(depth < MAX_DEPTH, "two key hashes are equal: keys are unique and SHA-256 holds");
    sorted.split_at(sorted.partition_point(|item| !bit(key_hash(item), depth)))
}

/// Two subtrees become one. A leaf without a neighbour moves up.
pub(super) fn join(left: Option<Node>, right: Option<Node>) -> Option<Node> {
    match (left, right) {
        (None, None) => None,
        (Some(leaf @ Node::Leaf(_)), None) | (None, Some(leaf @ Node::Leaf(_))) => Some(leaf),
        (left, right) => {
            let hash = branch_hash(&hash_of(left.as_ref()), &hash_of(right.as_ref()));
            Some(Node::Branch(Arc::new(Branch { hash, left, right })))
        }
    }
}

/// The leaves in the order of their key hashes.
pub(super) struct Leaves<'a> {
    stack: Vec<&'a Node>,
}

impl<'a> Leaves<'a> {
    pub(super) fn new(root: Option<&'a Node>) -> Self {
        Self { stack: root.into_iter().collect() }
    }
}

impl<'a> Iterator for Leaves<'a> {
    type Item = &'a Leaf;

    fn next(&mut self) -> Option<&'a Leaf> {
        loop {
            match self.stack.pop()? {
                Node::Leaf(leaf) => return Some(leaf),
                Node::Branch(branch) => {
                    self.stack.extend(branch.right.as_ref());
                    self.stack.extend(branch.left.as_ref());
                }
            }
        }
    }
}
