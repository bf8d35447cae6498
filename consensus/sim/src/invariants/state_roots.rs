//! All honest nodes compute the same state at a height, and it is the one in the header.

use std::collections::BTreeMap;

use chain::types::{Digest, Height};

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct StateRoots {
    roots: BTreeMap<Height, (Digest, usize)>,
}

impl Invariant for StateRoots {
    fn name(&self) -> &'static str {
        "equal state roots"
    }

    fn observe(&mut self, _facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        let Observation::Finalized { node, block } = seen else {
            return Ok(());
        };
        let header = &block.commit.block.header;
        let root = block.state_root;
        if header.state_root != root {
            let claimed = header.state_root;
            let height = header.height;
            return Err(format!("height {height}: {claimed:?} in the header, {root:?} in fact"));
        }
        let (first, by) = *self.roots.entry(header.height).or_insert((root, *node));
        if first == root {
            return Ok(());
        }
        Err(format!("height {}: node {by} {first:?}, node {node} {root:?}", header.height))
    }
}
