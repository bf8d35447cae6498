//! What the nodes that count still have at the end.

use std::collections::{BTreeMap, BTreeSet};

use chain::types::{Digest, Height};
use consensus::engine::Engine;

use crate::world::World;

/// Transactions that some honest node called final and that are not in the longest final chain
/// among the honest: what clients were promised in vain.
pub(super) fn lost<E: Engine>(world: &World<E>) -> u64 {
    let chains = world.honest_nodes().map(|node| world.node(node).disk().final_blocks());
    // The first of the longest.
    let longest = chains.reduce(|best, next| if next.len() > best.len() { next } else { best });
    let kept: BTreeSet<Digest> =
        longest.iter().flatten().flat_map(|block| block.transaction_hashes().to_vec()).collect();
    world.record().acknowledged.difference(&kept).count() as u64
}

/// The lowest height at which honest nodes have different final blocks.
pub(super) fn fork<E: Engine>(world: &World<E>) -> Option<Height> {
    let mut known: BTreeMap<Height, Digest> = BTreeMap::new();
    let blocks = world.honest_nodes().flat_map(|node| world.node(node).disk().final_blocks());
    blocks
        .filter(|block| *known.entry(block.header.height).or_insert(block.hash()) != block.hash())
        .map(|block| block.header.height)
        .min()
}
