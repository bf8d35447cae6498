//! Which block a new view starts on: a pure function of the reports, recomputed by everyone.
//!
//! docs/protocol/hybrid.md, lines T1-T9, and "Why it is safe".

use std::collections::BTreeMap;

use crate::tree::BlockRef;
use chain::quorum::Quorums;
use chain::types::{Digest, ValidatorIndex, View};

/// What one validator reports of the epoch it is in. Its signatures were checked before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub sender: ValidatorIndex,
    /// The block of the highest prepare or fast certificate it holds.
    pub high_qc: Option<BlockRef>,
    pub last_vote: Option<Voted>,
}

/// The proposal that a validator prepare-voted for last, and the certificate under it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voted {
    pub block: BlockRef,
    pub anchor: Anchor,
}

/// What a last vote stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// The highest certificate of the vote's view under it.
    Certified(BlockRef),
    /// None yet: the tip of the view's certificate, or the opening block in an epoch's first view.
    ViewStart(BlockRef),
}

/// The known blocks. Every reported block and its ancestors are known and valid here.
pub trait Ancestry {
    /// The parent of a block; `None` below the known tree.
    fn parent(&self, hash: &Digest) -> Option<BlockRef>;

    /// Whether `a` is `b` or descends from it.
    fn extends(&self, a: &BlockRef, b: &BlockRef) -> bool;
}

/// What the reports decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    pub tip: BlockRef,
    /// The highest view that anything was reported of.
    pub view: Option<View>,
    /// Two reported blocks that the leader of `view` signed exclude each other.
    pub conflict: Option<(BlockRef, BlockRef)>,
}

/// Reports that no view may start from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The leader of the highest view equivocated and is among the senders: its word is worthless.
    EquivocatorAmongSenders { leader: ValidatorIndex, conflict: (BlockRef, BlockRef) },
}

/// The tip of a new view.
///
/// `opening` is the block that opened the epoch, `leader` tells who led a view of the epoch.
///
/// # Errors
/// [`Rejected`] where the set must be changed before a view can start from it.
pub fn select_tip(
    reports: &[Report],
    opening: BlockRef,
    quorums: &Quorums,
    leader: impl Fn(View) -> ValidatorIndex,
    ancestry: &impl Ancestry,
) -> Result<Selection, Rejected> {
    // T1: nothing was voted on in this epoch.
    let views = reports.iter().flat_map(|report| {
        let certified = report.high_qc.map(|block| block.position.view);
        let voted = report.last_vote.as_ref().map(|voted| voted.block.position.view);
        certified.into_iter().chain(voted)
    });
    // T2: u, the highest view that anyone reports of.
    let Some(u) = views.max() else {
        return Ok(Selection { tip: opening, view: None, conflict: None });
    };
    let votes: Vec<&Voted> = reports
        .iter()
        .filter_map(|report| report.last_vote.as_ref())
        .filter(|voted| voted.block.position.view == u)
        .collect();

    // T3: H, the highest certified block of view u, anchors included; base.
    let certified = reports.iter().filter_map(|report| report.high_qc);
    let anchored = votes.iter().filter_map(|voted| match voted.anchor {
        Anchor::Certified(block) => Some(block),
        Anchor::ViewStart(_) => None,
    });
    let highest = certified
        .chain(anchored)
        .filter(|block| block.position.view == u)
        .max_by_key(|block| (block.position.height, block.hash));
    let base = highest
        .or_else(|| {
            votes.iter().find_map(|voted| match voted.anchor {
                Anchor::ViewStart(tip) => Some(tip),
                Anchor::Certified(_) => None,
            })
        })
        .unwrap_or(opening);

    // T4: two branches, both signed by u's leader.
    let conflict = find_conflict(highest, &votes, ancestry);
    // T5: an equivocator's own report counts for nothing; wait for one more sender.
    if let Some(conflict) = conflict {
        let equivocator = leader(u);
        if reports.iter().any(|report| report.sender == equivocator) {
            return Err(Rejected::EquivocatorAmongSenders { leader: equivocator, conflict });
        }
    }
    // T6
    let need =
        if conflict.is_some() { quorums.support_under_equivocation } else { quorums.support };

    // T7: the highest block strictly above base that at least `need` reports extend.
    let mut support: BTreeMap<Digest, (BlockRef, usize)> = BTreeMap::new();
    for voted in &votes {
        if !ancestry.extends(&voted.block, &base) {
            continue;
        }
        let mut block = voted.block;
        while block.hash != base.hash {
            support.entry(block.hash).or_insert((block, 0)).1 += 1;
            match ancestry.parent(&block.hash) {
                Some(parent) => block = parent,
                None => break,
            }
        }
    }
    let tip = support
        .values()
        .filter(|(_, reports)| *reports >= need)
        .map(|(block, _)| *block)
        // T8: ties by smaller hash.
        .max_by(|a, b| (a.position.height, b.hash).cmp(&(b.position.height, a.hash)));
    // T9
    Ok(Selection { tip: tip.unwrap_or(base), view: Some(u), conflict })
}

/// Two of the certified block and the last votes that lie on different branches.
fn find_conflict(
    highest: Option<BlockRef>,
    votes: &[&Voted],
    ancestry: &impl Ancestry,
) -> Option<(BlockRef, BlockRef)> {
    let blocks: Vec<BlockRef> =
        highest.into_iter().chain(votes.iter().map(|voted| voted.block)).collect();
    for (i, a) in blocks.iter().enumerate() {
        for b in &blocks[i + 1..] {
            if !ancestry.extends(a, b) && !ancestry.extends(b, a) {
                return Some((*a, *b));
            }
        }
    }
    None
}
