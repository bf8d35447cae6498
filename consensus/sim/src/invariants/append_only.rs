//! A node's final chain only grows: each final block extends the one before, and after a restart
//! the node finds and makes final again exactly what it had.

use std::collections::BTreeMap;

use chain::block::BlockKind;
use chain::types::{Digest, Height};

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct AppendOnly {
    /// Per node: what was ever final at each height.
    history: BTreeMap<(usize, Height), Digest>,
    /// Per node: where it stands now.
    tips: BTreeMap<usize, (Height, Digest)>,
}

impl AppendOnly {
    fn remember(&mut self, node: usize, height: Height, hash: Digest) -> Result<(), String> {
        self.tips.insert(node, (height, hash));
        let known = *self.history.entry((node, height)).or_insert(hash);
        if known == hash {
            return Ok(());
        }
        Err(format!("node {node} had {known:?} final at height {height} and now has {hash:?}"))
    }
}

impl Invariant for AppendOnly {
    fn name(&self) -> &'static str {
        "append-only finality"
    }

    fn observe(&mut self, _facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        match seen {
            Observation::Started { node, height, hash } => self.remember(*node, *height, *hash),
            Observation::Finalized { node, block } => {
                let block = &block.commit.block;
                let header = &block.header;
                let (height, tip) = self.tips[node];
                if header.height != height.next() || header.parent != tip {
                    return Err(format!(
                        "node {node} stands at height {height} ({tip:?}) and makes {block:?} final"
                    ));
                }
                if header.kind == BlockKind::Seal {
                    return Err(format!("node {node} makes the seal {block:?} part of the chain"));
                }
                self.remember(*node, header.height, block.hash())
            }
            _ => Ok(()),
        }
    }
}
