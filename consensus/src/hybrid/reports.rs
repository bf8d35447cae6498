//! From signed reports to what [`select_tip`] reads: which reports are complete, and how the
//! blocks they name hang together.

use std::collections::{BTreeMap, VecDeque};

use chain::certificate::Position;
use chain::types::{Digest, Height, ValidatorIndex};

use super::message::{ReportAnchor, ViewChange, VotedProposal};
use super::rules::Rules;
use super::select_tip::{Ancestry, Anchor, Rejected, Report, Selection, Voted, select_tip};
use super::{Hybrid, Out};
use crate::engine::Request;
use crate::tree::{BlockRef, Node, Tree, Verdict};

/// Final heights outside the tree's memory that reports need, in the order of asking: `None`
/// where there is no answer.
///
/// Room for twice what one new view and the reports for another can name, and the oldest goes first:
/// so what is needed at one time is there at one time.
#[derive(Clone, Debug, Default)]
pub(super) struct DeepFinals(VecDeque<(Height, Option<Digest>)>);

impl DeepFinals {
    fn asked(&self, height: Height) -> bool {
        self.0.iter().any(|(known, _)| *known == height)
    }

    fn get(&self, height: Height) -> Option<Digest> {
        self.0.iter().find(|(known, _)| *known == height).and_then(|(_, hash)| *hash)
    }

    fn ask(&mut self, height: Height, room: usize) {
        while self.0.len() >= room {
            self.0.pop_front();
        }
        self.0.push_back((height, None));
    }

    /// False where nobody needs the answer.
    fn answer(&mut self, height: Height, hash: Option<Digest>) -> bool {
        let place = self.0.iter_mut().find(|(known, _)| *known == height);
        place.map(|(_, known)| *known = hash).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl VotedProposal {
    /// The block voted for.
    fn block(&self, chain_id: &Digest) -> Option<BlockRef> {
        let header = &self.headers.first()?.header;
        Some(BlockRef { position: header.position(), hash: header.hash(chain_id) })
    }
}

impl<R: Rules> Hybrid<R> {
    /// Whether this node holds and has executed as valid what a report names, with ancestors; asks
    /// `source` for what is missing.
    ///
    /// What lies below or beside the final chain needs no execution: it can be no tip.
    pub(super) fn is_complete(
        &mut self,
        change: &ViewChange,
        source: ValidatorIndex,
        out: &mut Out,
    ) -> bool {
        let chain_id = self.config.chain_id;
        let report = &change.report;
        let certified = report.high_qc.as_ref().map(|certificate| BlockRef {
            position: certificate.ballot.position,
            hash: certificate.ballot.block,
        });
        let voted = report.last_vote.as_ref().and_then(|vote| vote.block(&chain_id));
        let off_chain = report.last_vote.as_ref().is_some_and(|vote| self.forks_below_root(vote));
        let mut complete = true;
        if let Some(block) = certified {
            complete &= self.is_settled(block, source, out);
        }
        if let Some(block) = voted.filter(|_| !off_chain) {
            complete &= self.is_settled(block, source, out);
        }
        complete
    }

    fn is_settled(&mut self, block: BlockRef, source: ValidatorIndex, out: &mut Out) -> bool {
        let root = self.tree.root();
        // A view below the one that made the root final cannot be the highest reported one.
        let final_view = self.final_certificate().map(|held| held.ballot.position.view);
        if final_view.is_some_and(|view| block.position.view < view) {
            return true;
        }
        if block.position.height <= root.position.height {
            return self.final_hash_known(block.position.height, out);
        }
        if self.tree.is_acceptable(&block.hash, self.now) {
            return true;
        }
        let invalid = |node: &Node| node.verdict == Verdict::Invalid;
        if !self.tree.get(&block.hash).is_some_and(invalid) {
            self.want_path(block, source);
        }
        false
    }

    /// Whether the final chain at a height is known here; asks the disk where it is not.
    fn final_hash_known(&mut self, height: Height, out: &mut Out) -> bool {
        if self.tree.final_at(height).is_some() {
            return true;
        }
        if !self.deep_finals.asked(height) {
            self.deep_finals.ask(height, 8 * self.set.len());
            out.requests.push(Request::FinalHash(height));
        }
        self.deep_finals.get(height).is_some()
    }

    pub(super) fn handle_final_hash(
        &mut self,
        height: Height,
        hash: Option<Digest>,
        out: &mut Out,
    ) {
        self.note_final_vote(height, hash);
        if self.deep_finals.answer(height, hash) {
            self.try_new_view(out);
            self.try_ack(out);
        }
    }

    /// Whether the path of a vote passes the root's height beside the root.
    fn forks_below_root(&self, vote: &VotedProposal) -> bool {
        let root = self.tree.root();
        vote.headers.iter().any(|signed| {
            signed.header.height == root.position.height
                && signed.header.hash(&self.config.chain_id) != root.hash
        })
    }

    /// Runs the selection on exactly these reports, all complete.
    ///
    /// # Errors
    /// The equivocator whose report the set must do without.
    pub(super) fn select(&self, changes: &[ViewChange]) -> Result<Selection, ValidatorIndex> {
        let chain_id = self.config.chain_id;
        let mut links = BTreeMap::new();
        let mut reports = Vec::new();
        for change in changes {
            let report = &change.report;
            for signed in report.last_vote.iter().flat_map(|vote| &vote.headers) {
                let hash = signed.header.hash(&chain_id);
                let block = BlockRef { position: signed.header.position(), hash };
                links.insert(hash, (block, signed.header.parent));
            }
            reports.push(Report {
                sender: change.sender,
                high_qc: report.high_qc.as_ref().map(|certificate| BlockRef {
                    position: certificate.ballot.position,
                    hash: certificate.ballot.block,
                }),
                last_vote: report.last_vote.as_ref().and_then(|vote| self.voted(vote)),
            });
        }
        let known = Known { tree: &self.tree, links, deep_finals: &self.deep_finals };
        select_tip(&reports, self.opening, &self.quorums, |view| self.set.leader(view), &known)
            .map_err(|Rejected::EquivocatorAmongSenders { leader, .. }| leader)
    }

    fn voted(&self, vote: &VotedProposal) -> Option<Voted> {
        let block = vote.block(&self.config.chain_id)?;
        let anchor = match &vote.anchor {
            ReportAnchor::Certificate(certificate) => Anchor::Certified(BlockRef {
                position: certificate.ballot.position,
                hash: certificate.ballot.block,
            }),
            ReportAnchor::View(certificate) => {
                let start = certificate.start;
                let position = Position { height: start.tip_height, ..block.position };
                let tip = self.tree.reference(&start.tip);
                Anchor::ViewStart(tip.unwrap_or(BlockRef { position, hash: start.tip }))
            }
            ReportAnchor::Opening => Anchor::ViewStart(self.opening),
        };
        Some(Voted { block, anchor })
    }
}

/// The tree, the paths that the reports carry, and the final chain as far as it was looked up.
struct Known<'a> {
    tree: &'a Tree,
    links: BTreeMap<Digest, (BlockRef, Digest)>,
    deep_finals: &'a DeepFinals,
}

impl Known<'_> {
    fn final_at(&self, height: Height) -> Option<Digest> {
        let deep = || self.deep_finals.get(height);
        self.tree.final_at(height).map(|block| block.hash).or_else(deep)
    }

    /// The parent's hash, from a block above the root or a reported path.
    fn parent_hash(&self, hash: &Digest) -> Option<Digest> {
        match self.tree.get(hash) {
            Some(node) => Some(node.block.header.parent),
            None => self.links.get(hash).map(|(_, parent)| *parent),
        }
    }
}

impl Ancestry for Known<'_> {
    fn parent(&self, hash: &Digest) -> Option<BlockRef> {
        if let Some(parent) = self.tree.parent(hash) {
            return Some(parent);
        }
        let (_, parent) = self.links.get(hash)?;
        let linked = self.links.get(parent).map(|(block, _)| *block);
        self.tree.reference(parent).or(linked)
    }

    fn extends(&self, a: &BlockRef, b: &BlockRef) -> bool {
        let (mut cursor, mut height) = (a.hash, a.position.height);
        while height > b.position.height {
            // On the final chain everything below is known by height.
            if self.final_at(height) == Some(cursor) {
                return self.final_at(b.position.height) == Some(b.hash);
            }
            match self.parent_hash(&cursor) {
                Some(parent) => cursor = parent,
                None => return false,
            }
            height = height.previous();
        }
        cursor == b.hash
    }
}
