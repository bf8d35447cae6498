//! The block tree as the selection rules ask it.

use chain::types::{Digest, Height};

use super::select_tip::Ancestry;
use crate::tree::{BlockRef, Tree};

impl Ancestry for Tree {
    fn parent(&self, hash: &Digest) -> Option<BlockRef> {
        if let Some(node) = self.get(hash) {
            return self.reference(&node.block.header.parent);
        }
        let block = self.reference(hash)?;
        if block.position.height == Height::new(0) {
            return None;
        }
        self.final_at(block.position.height.previous())
    }

    fn extends(&self, a: &BlockRef, b: &BlockRef) -> bool {
        if a.hash == b.hash {
            return true;
        }
        let mut cursor = a.hash;
        while let Some(node) = self.get(&cursor) {
            if node.block.header.height <= b.position.height {
                return false;
            }
            cursor = node.block.header.parent;
            if cursor == b.hash {
                return true;
            }
        }
        // Down on the final chain, or at an unknown block.
        match self.reference(&cursor) {
            Some(at) if at.position.height >= b.position.height => {
                self.final_at(b.position.height).is_some_and(|block| block.hash == b.hash)
            }
            _ => false,
        }
    }
}
