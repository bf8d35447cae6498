//! The leader: when to propose, and what goes out.
//!
//! docs/protocol/hybrid.md, lines P1-P9.

use chain::block::{BlockKind, Justification, Mode, SealedBlock};
use chain::certificate::{Ballot, Certificate, VoteKind};
use chain::types::{Digest, Height, View};

use super::message::{Append, Draft, Message};
use super::rules::Rules;
use super::{Hybrid, Out};
use crate::application::{BuildKind, BuildRequest, BuiltPayload};
use crate::engine::{Outgoing, Recipients, Request, Time};
use crate::propose::header;
use crate::tree::BlockRef;

/// The leader's own place in its view.
#[derive(Clone, Debug, Default)]
pub(super) struct Proposing {
    /// The view it proposes in and the newest block it signed there.
    head: Option<(View, Height, Digest)>,
    /// A build was asked for and not answered.
    building: bool,
    last_proposal: Option<Time>,
    /// Nothing could be built: try again then.
    retry_at: Option<Time>,
    /// The view whose mark "I lead" is on disk: known once an own vote in it came back.
    marked: Option<View>,
    /// The newest certificate that followers were sent.
    announced: Option<Ballot>,
}

/// Whether a block is worth proposing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Want {
    Nothing,
    /// Only if it carries transactions.
    Transactions,
    /// Even an empty one.
    Block,
    Seal,
}

impl<R: Rules> Hybrid<R> {
    /// P1: proposes if this node leads, something is wanted and the pipeline has room.
    pub(super) fn try_propose(&mut self, out: &mut Out) {
        if self.proposing.building || !self.may_lead() {
            return;
        }
        let Some(head) = self.head() else {
            return;
        };
        let kind = match self.wanted(&head) {
            Want::Nothing => return,
            Want::Seal => BuildKind::Seal,
            Want::Transactions | Want::Block => BuildKind::Ordinary,
        };
        self.proposing.building = true;
        out.requests.push(Request::Build(BuildRequest {
            parent: head.hash,
            height: head.position.height.next(),
            epoch: self.epoch(),
            view: self.view(),
            kind,
            bytes: self.pacing.bytes(),
            evidence: self.evidence.all(),
        }));
    }

    /// Whether this node may sign headers in its view: after a restart never in one it led before.
    pub(super) fn may_lead(&self) -> bool {
        self.active && self.may_promise() && self.is_leader() && !self.led_in_another_life()
    }

    /// The block to build on: the newest of this view, or the view's tip.
    fn head(&self) -> Option<BlockRef> {
        let hash = match self.proposing.head {
            Some((view, _, hash)) if view == self.view() => hash,
            _ => self.view_tip(self.view())?.1,
        };
        self.tree.is_valid(&hash).then(|| self.tree.reference(&hash)).flatten()
    }

    fn wanted(&self, head: &BlockRef) -> Want {
        let root = self.tree.root();
        let in_view = matches!(self.proposing.head, Some((view, ..)) if view == self.view());
        // P2: above a barrier only a seal, in a later view, and one at a time.
        if let Some(barrier) = self.tree.open_barrier(&head.hash) {
            let later = barrier.block.header.view < self.view();
            return if later && !in_view { Want::Seal } else { Want::Nothing };
        }
        // P3: the pipeline.
        let floor = self.certified_height(head);
        if head.position.height.get() >= floor.get() + self.pacing.depth() {
            return Want::Nothing;
        }
        // P4: the first block of a view carries the view's certificate.
        if !in_view && !self.is_first_view(self.view()) {
            return Want::Block;
        }
        if !in_view && head.hash != root.hash {
            return Want::Block;
        }
        // P5: evidence becomes a barrier.
        if self.evidence.len() > 0 && self.retry_due() {
            return Want::Block;
        }
        // P6: transactions, at once if nothing is in flight, else when a block is worth it.
        let in_flight = head.position.height > root.position.height;
        if self.work.pending_count > 0 && self.retry_due() {
            let due = self.proposal_due();
            let full = self.work.pending_count >= self.pacing.batch(&self.config);
            if !in_flight || full || self.now >= due {
                return Want::Transactions;
            }
        }
        // P7: in pbft mode empty blocks show that the weather is calm.
        if !in_flight && self.now >= self.probe_due() {
            return Want::Block;
        }
        Want::Nothing
    }

    fn retry_due(&self) -> bool {
        self.proposing.retry_at.is_none_or(|at| self.now >= at)
    }

    fn proposal_due(&self) -> Time {
        self.proposing.last_proposal.map_or(self.now, |last| last + self.config.block_interval)
    }

    /// When the next empty block in `pbft` mode is due; never in `fast` mode.
    fn probe_due(&self) -> Time {
        match self.next_mode() {
            Mode::Fast => Time::from_nanos(u64::MAX),
            Mode::Pbft => {
                self.proposing.last_proposal.map_or(self.now, |last| last + self.config.heartbeat)
            }
        }
    }

    /// When proposing should be tried again though nothing arrives.
    pub(super) fn proposal_timer(&self) -> Option<Time> {
        if self.proposing.building || !self.may_lead() {
            return None;
        }
        let head = self.head()?;
        if self.tree.open_barrier(&head.hash).is_some() {
            return None;
        }
        let in_flight = head.position.height > self.tree.root().position.height;
        let never = Time::from_nanos(u64::MAX);
        let mut due = if in_flight { never } else { self.probe_due() };
        if self.work.pending_count > 0 || self.evidence.len() > 0 {
            let at = self.proposal_due();
            due = due.min(self.proposing.retry_at.map_or(at, |retry| retry.max(at)));
        }
        let floor = self.certified_height(&head);
        let room = head.position.height.get() < floor.get() + self.pacing.depth();
        (room && due < never).then_some(due)
    }

    /// M4: the mode of the next block.
    pub(super) fn next_mode(&self) -> Mode {
        self.history.mode(self.config.policy, self.place())
    }

    /// The highest height on the branch of `head` with a prepare certificate of this view, or the
    /// view's tip.
    pub(super) fn certified_height(&self, head: &BlockRef) -> Height {
        let view = self.view();
        let mut floor = self.view_tip(view).map_or(Height::default(), |(height, _)| height);
        let mut cursor = head.hash;
        while let Some(node) = self.tree.get(&cursor) {
            if node.block.header.view != view {
                break;
            }
            if node.certificate.is_some() {
                return floor.max(node.block.header.height);
            }
            cursor = node.block.header.parent;
        }
        let root = self.tree.root();
        if cursor == root.hash && root.position.view == view && root.position.epoch == self.epoch()
        {
            floor = floor.max(root.position.height);
        }
        floor
    }

    /// P8: execution built the payload; the header follows from it.
    pub(super) fn handle_built(
        &mut self,
        request: &BuildRequest,
        payload: BuiltPayload,
        out: &mut Out,
    ) {
        self.proposing.building = false;
        let still = self.may_lead()
            && request.epoch == self.epoch()
            && self.head().is_some_and(|head| head.hash == request.parent);
        if !still {
            return;
        }
        let Some(head) = self.head() else { return };
        let wanted = self.wanted(&head);
        if wanted == Want::Nothing {
            return;
        }
        // Evidence that turned out not to count is no reason for an empty block.
        let in_view = matches!(self.proposing.head, Some((view, ..)) if view == self.view());
        let for_evidence = wanted == Want::Block && self.evidence.len() > 0 && in_view;
        if payload.transactions.is_empty() && (wanted == Want::Transactions || for_evidence) {
            self.proposing.retry_at = Some(self.now + self.config.block_interval);
            return;
        }
        self.proposing.retry_at = None;
        let Some(me) = self.me else { return };
        let chain_id = self.config.chain_id;
        let justification = Justification {
            certificate: self.final_certificate().cloned(),
            view_certificate: if in_view {
                None
            } else {
                self.safety.view_certificate(self.view()).cloned()
            },
        };
        let mode = self.next_mode();
        let header = header(&self.config, &self.set, me, mode, request, &payload, &justification);
        let transactions = payload.transactions;
        self.proposing.last_proposal = Some(self.now);
        let hash = header.hash(&chain_id);
        self.proposing.head = Some((self.view(), request.height, hash));
        if let Some(certificate) = &justification.certificate {
            self.proposing.announced = Some(certificate.ballot);
        }
        if self.safety.led != Some(self.view()) {
            // "I lead view v" is on disk before the first header leaves.
            self.safety.led = Some(self.view());
            out.persist = true;
        }
        let draft = Draft::Proposal { header: Box::new(header), justification, transactions };
        out.send.push(Outgoing::SignForSelf(draft));
    }

    /// P9: the own proposal, signed and executed, goes out. In `fast` mode it leaves while the
    /// disk still works on the leader's vote; until the mark of the view is on disk it waits, and
    /// in `pbft` mode the leader's vote travels along.
    pub(super) fn announce(&mut self, block: &SealedBlock, ballot: Ballot, out: &mut Out) {
        let header = &block.header;
        let append = Append {
            epoch: header.epoch,
            view: header.view,
            head: BlockRef::of(block),
            view_certificate: None,
            certificates: self.newest_prepare().into_iter().collect(),
            blocks: vec![block.clone()],
            votes: Vec::new(),
        };
        let marked = self.proposing.marked == Some(header.view);
        match header.mode {
            Mode::Pbft => {
                let draft = Draft::AppendWithVote { append, ballot };
                out.send_after_persist.push(Outgoing::Sign(Recipients::Others, draft));
            }
            Mode::Fast => {
                let outgoing = Outgoing::Ready(Recipients::Others, Message::Append(append));
                if marked {
                    out.send.push(outgoing);
                } else {
                    out.send_after_persist.push(outgoing);
                }
                out.send_after_persist.push(Outgoing::SignForSelf(Draft::Vote {
                    ballot,
                    header: None,
                    again: false,
                }));
            }
        }
        self.timers.spoke(self.now);
    }

    /// An own vote came back from the disk: so did the mark of its view.
    pub(super) fn own_vote_is_on_disk(&mut self, view: View) {
        if self.safety.led == Some(view) {
            self.proposing.marked = Some(view);
        }
    }

    /// The newest prepare certificate of this view that is not final: moves the followers'
    /// pipeline (V5). Withheld while the fast quorum may still come.
    fn newest_prepare(&self) -> Option<Certificate> {
        let root = self.tree.root().position.height;
        self.safety
            .high_qc
            .clone()
            .filter(|certificate| certificate.ballot.position.view == self.view())
            .filter(|certificate| certificate.ballot.position.height > root)
            .filter(|certificate| self.safety.last_commit == Some(commit_ballot(certificate)))
    }

    /// The pipeline ran dry in `fast` mode: followers learn of the newest final block at once.
    pub(super) fn announce_final(&mut self, out: &mut Out) {
        let Some(certificate) = self.final_certificate().cloned() else {
            return;
        };
        let root = self.tree.root();
        let dry = self.proposing.head.is_some_and(|(_, _, hash)| hash == root.hash);
        // In `pbft` mode everyone has made the certificate.
        if !dry
            || self.history.last_mode() != Some(Mode::Fast)
            || !self.may_lead()
            || self.proposing.building
            || self.proposing.announced == Some(certificate.ballot)
        {
            return;
        }
        self.proposing.announced = Some(certificate.ballot);
        self.send_sign_of_life(vec![certificate], out);
    }

    /// An append without blocks.
    pub(super) fn send_sign_of_life(&mut self, certificates: Vec<Certificate>, out: &mut Out) {
        let view_certificate = self.safety.view_certificate(self.view()).cloned();
        let head = match self.proposing.head {
            Some((view, _, hash)) if view == self.view() => self.tree.reference(&hash),
            _ => None,
        };
        let append = Append {
            epoch: self.epoch(),
            view: self.view(),
            head: head.unwrap_or_else(|| self.tree.root()),
            view_certificate,
            certificates,
            blocks: Vec::new(),
            votes: Vec::new(),
        };
        out.send.push(Outgoing::Ready(Recipients::Others, Message::Append(append)));
        self.timers.spoke(self.now);
    }

    /// What an idle leader says from time to time.
    pub(super) fn heartbeat(&mut self, out: &mut Out) {
        let certificates =
            self.final_certificate().cloned().into_iter().chain(self.newest_prepare()).collect();
        self.send_sign_of_life(certificates, out);
    }

    /// Whether this node signed the block as leader in this life.
    pub(super) fn is_own_proposal(&self, block: &SealedBlock) -> bool {
        self.me == Some(block.header.proposer)
            && block.header.view == self.view()
            && block.header.epoch == self.epoch()
            && self.led_before.is_none_or(|led| block.header.view > led)
    }

    /// Starts afresh in another view.
    pub(super) fn reset_proposing(&mut self) {
        self.proposing = Proposing { building: self.proposing.building, ..Proposing::default() };
    }
}

/// The commit vote that a prepare certificate asks for.
pub(super) fn commit_ballot(certificate: &Certificate) -> Ballot {
    Ballot { kind: VoteKind::Commit, ..certificate.ballot }
}

/// Whether the block stands for nothing but votes.
pub(super) fn is_seal(block: &SealedBlock) -> bool {
    block.header.kind == BlockKind::Seal
}
