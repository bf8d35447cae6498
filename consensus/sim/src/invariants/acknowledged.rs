//! What a client was told is final stays: the transaction is at the same height in every honest
//! chain that gets so far, restarts included, and at the end of a run that recovered every node
//! that is whole then gets so far. Durability of total-order broadcast, told by transactions instead of blocks.
//!
//! What was only *ordered* survives as far as the fault model says: crashes, by `ordered_survives`.

use std::collections::BTreeMap;

use chain::types::{Digest, Height};

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct AcknowledgedSurvives {
    acknowledged: BTreeMap<Height, Vec<Digest>>,
    /// Where each honest node stands.
    heights: BTreeMap<usize, Height>,
}

impl Invariant for AcknowledgedSurvives {
    fn name(&self) -> &'static str {
        "acknowledged survives"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        match seen {
            Observation::Started { node, height, .. } => {
                self.heights.insert(*node, *height);
                Ok(())
            }
            Observation::Finalized { node, block } => {
                let block = &block.commit.block;
                let height = block.header.height;
                self.heights.insert(*node, height);
                let here: Vec<Digest> = block
                    .transactions
                    .iter()
                    .map(|transaction| transaction.hash(&facts.genesis.chain_id))
                    .collect();
                let promised = self.acknowledged.entry(height).or_insert_with(|| here.clone());
                match promised.iter().find(|transaction| !here.contains(transaction)) {
                    Some(lost) => Err(format!(
                        "{lost:?} was acknowledged at height {height} and is not in node {node}'s \
                         {block:?}"
                    )),
                    None => Ok(()),
                }
            }
            Observation::Ended { recovered: true, whole } => {
                let last = self.acknowledged.iter().rev().find(|(_, here)| !here.is_empty());
                let Some((promised, _)) = last else {
                    return Ok(());
                };
                let behind =
                    |node: &usize, height: &Height| whole.contains(node) && height < promised;
                match self.heights.iter().find(|(node, height)| behind(node, height)) {
                    Some((node, height)) => Err(format!(
                        "height {promised} was acknowledged, and node {node} ends at {height}"
                    )),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}
