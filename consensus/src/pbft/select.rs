//! What a new view starts from: a pure function of the view changes.
//!
//! docs/protocol/pbft.md, line B14.

use chain::block::BlockKind;
use chain::types::{Digest, Height};

use super::message::{Prepared, ViewChange};
use super::rules::Rules;

/// The paper's O, and the final block that it starts above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The highest final block that a report proves, or the block that opened the epoch.
    pub base: (Height, Digest),
    /// The blocks above it, one per height.
    pub chosen: Vec<Digest>,
    /// Whether a null request follows: something was prepared above the chosen blocks that does
    /// not extend them.
    pub null: bool,
}

impl Selection {
    /// Where an epoch's first view starts.
    pub fn opening(height: Height, block: Digest) -> Self {
        Self { base: (height, block), chosen: Vec::new(), null: false }
    }

    /// Height of the last chosen block, or of the base.
    pub fn top(&self) -> Height {
        Height::new(self.base.0.get() + self.chosen.len() as u64)
    }

    /// The block chosen for a height.
    pub fn at(&self, height: Height) -> Option<Digest> {
        let place = height.get().checked_sub(self.base.0.get() + 1)?;
        self.chosen.get(usize::try_from(place).ok()?).copied()
    }

    /// Whether the block at this height must be a null request.
    pub fn is_null(&self, height: Height) -> bool {
        self.null && height == self.top().next()
    }
}

/// B14: per height the prepared block of the highest view, as long as each extends the one below.
/// The reports are verified, and `opening` is the block that opened their epoch.
pub fn select<R: Rules>(opening: (Height, Digest), changes: &[ViewChange]) -> Selection {
    let proven = changes
        .iter()
        .filter_map(|change| change.report.final_certificate.as_ref())
        .max_by_key(|certificate| certificate.ballot.position.height)
        .map(|certificate| (certificate.ballot.position.height, certificate.ballot.block));
    let mut selection = Selection { base: proven.unwrap_or(opening), chosen: vec![], null: false };
    let prepared = || changes.iter().flat_map(|change| &change.report.prepared);
    let top = prepared().map(Prepared::height).max().unwrap_or_default();
    let mut tip = selection.base.1;
    let mut barrier = false;
    while selection.top() < top && !barrier {
        let height = selection.top().next();
        let reported: Vec<&Prepared> =
            prepared().filter(|prepared| prepared.height() == height).collect();
        let Some(best) = R::choose(&reported).filter(|best| best.header.parent == tip) else {
            selection.null = true;
            break;
        };
        tip = best.block();
        barrier = best.header.kind == BlockKind::Barrier;
        selection.chosen.push(tip);
    }
    selection
}
