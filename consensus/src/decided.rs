//! Blocks that are known to be final before they can be made so.

use std::collections::BTreeMap;

use chain::types::Height;

use crate::tree::{BlockRef, Node, Tree};

/// Final blocks whose ancestors are not all here and executed, with what shows that they are final:
/// the highest, and the lowest, from which one far behind works its way up.
#[derive(Clone, Debug)]
pub(crate) struct Decided<P>(BTreeMap<Height, (BlockRef, P)>);

impl<P> Default for Decided<P> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<P: Clone> Decided<P> {
    pub(crate) fn note(&mut self, block: BlockRef, proof: P) {
        self.0.entry(block.position.height).or_insert((block, proof));
        while self.0.len() > 2 {
            let middle = *self.0.keys().nth(1).expect("three or more");
            self.0.remove(&middle);
        }
    }

    /// The highest one that is here and executed with its ancestors: the way to it from the root,
    /// and its proof.
    pub(crate) fn ready(&self, tree: &Tree) -> Option<(Vec<Node>, P)> {
        self.0.values().rev().find_map(|(block, proof)| {
            let path = tree.path(&block.hash)?;
            // A message may name a block with a height that it does not have.
            let height = block.position.height;
            let is_there = path.last().is_some_and(|node| node.block.header.height == height);
            let executed = path.iter().all(|node| tree.is_valid(&node.block.hash()));
            (is_there && executed).then(|| (path.into_iter().cloned().collect(), proof.clone()))
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets what is final by now.
    pub(crate) fn forget_up_to(&mut self, height: Height) {
        self.0.retain(|decided, _| *decided > height);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
