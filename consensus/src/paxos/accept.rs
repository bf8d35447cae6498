//! Phase 2: the leader proposes, acceptors accept, a majority of them chooses.
//!
//! docs/protocol/paxos.md, lines P1-P7 and A3-A6.

use std::collections::BTreeMap;

use chain::block::{Block, BlockKind, Justification, Mode, SealedBlock};
use chain::crypto::Signature;
use chain::types::{Digest, Height, ValidatorIndex, View};

use super::message::{Lead, Message};
use super::prepare::Picks;
use super::record::Entry;
use super::{Out, Part, Paxos, Rules};
use crate::application::{BuildKind, BuildRequest, BuiltPayload};
use crate::engine::{Event, Outgoing, Recipients, Request, Time};
use crate::propose::{Work, header};
use crate::tree::{BlockRef, WINDOW};

/// A proposer in phase 2.
#[derive(Clone, Debug)]
pub(super) struct Leader {
    pub(super) ballot: View,
    /// What it proposed in each slot above the final chain: one value per slot and ballot.
    pub(super) proposed: BTreeMap<Height, Digest>,
    /// Up to which slot each acceptor accepted.
    acks: BTreeMap<ValidatorIndex, Height>,
    /// No-ops up to this slot.
    fill_to: Height,
    /// Its proposals reach down to what was chosen before it: from here on it knows everything.
    pub(super) start: Height,
    /// What it told everyone to be chosen.
    announced: Height,
    /// When it spoke last.
    pub(super) spoke: Time,
    /// When something was chosen last, or in flight first.
    pub(super) progress: Time,
}

/// The newest proposal of a ballot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Proposal {
    pub(super) ballot: View,
    pub(super) head: BlockRef,
}

impl<R: Rules> Paxos<R> {
    /// B6: phase 2 for what was perhaps chosen, in order.
    pub(super) fn become_leader(&mut self, ballot: View, picks: &Picks, out: &mut Out) {
        let root = self.tree.root();
        let blocks: Vec<SealedBlock> = picks
            .values
            .iter()
            .map(|hash| self.tree.get(hash).expect("picked values are here").block.clone())
            .collect();
        let start = blocks.last().map_or(root.position.height, |block| block.header.height);
        self.part = Part::Leader(Leader {
            ballot,
            proposed: BTreeMap::new(),
            acks: BTreeMap::new(),
            fill_to: picks.fill_to,
            start,
            announced: root.position.height,
            spoke: self.now,
            progress: self.now,
        });
        self.proposal = Some(Proposal { ballot, head: root });
        out.events.push(Event::ViewStarted {
            epoch: self.epoch(),
            view: ballot,
            leader: self.owner(ballot),
        });
        if blocks.is_empty() {
            self.send_heartbeat(out);
        }
        for block in blocks {
            self.propose(block, out);
        }
        self.try_accept(out);
    }

    /// P5: phase 2(a) for one slot. It leaves at once: after a crash this ballot is never used
    /// again, so nothing else is ever proposed in this slot of it.
    fn propose(&mut self, block: SealedBlock, out: &mut Out) {
        let now = self.now;
        let in_flight = self.in_flight();
        let Part::Leader(leader) = &mut self.part else {
            return;
        };
        let head = BlockRef::of(&block);
        let before = leader.proposed.insert(head.position.height, head.hash);
        assert_eq!(before, None, "one value per slot and ballot");
        leader.spoke = now;
        if !in_flight {
            leader.progress = now;
        }
        self.proposal = Some(Proposal { ballot: leader.ballot, head });
        if let Some(lead) = self.lead() {
            let message = Message::Accept { lead, blocks: vec![block] };
            out.send.push(Outgoing::Ready(Recipients::Others, message));
        }
    }

    /// What this leader says with every message; notes that everyone hears of what is chosen.
    fn lead(&mut self) -> Option<Lead> {
        let (epoch, chosen) = (self.epoch(), self.tree.root());
        let head = self.proposal?.head;
        let Part::Leader(leader) = &mut self.part else {
            return None;
        };
        leader.announced = chosen.position.height;
        Some(Lead { epoch, ballot: leader.ballot, head, chosen })
    }

    pub(super) fn send_heartbeat(&mut self, out: &mut Out) {
        if let Some(lead) = self.lead() {
            self.spoke();
            out.send.push(Outgoing::Ready(Recipients::Others, Message::Heartbeat(lead)));
        }
    }

    fn spoke(&mut self) {
        if let Part::Leader(leader) = &mut self.part {
            leader.spoke = self.now;
        }
    }

    /// Whether a proposal of this leader is not chosen yet.
    pub(super) fn in_flight(&self) -> bool {
        self.proposal.is_some_and(|proposal| {
            proposal.head.position.height > self.tree.root().position.height
        })
    }

    /// Whether the pipeline has room for one more slot.
    fn has_room(&self) -> bool {
        let head =
            self.proposal.map_or(Height::default(), |proposal| proposal.head.position.height);
        head.get() < self.final_height().get() + self.config.pipeline
    }

    /// P1-P4: what kind of block is wanted next, and from when on.
    pub(super) fn wanted(&self) -> Option<(BuildKind, Time)> {
        let (Part::Leader(leader), Some(proposal)) = (&self.part, self.proposal) else {
            return None;
        };
        let head = proposal.head;
        // P2: a barrier is the last block of its epoch.
        let stopped = R::stops_above_barrier() && self.tree.open_barrier(&head.hash).is_some();
        let executed = self.tree.is_acceptable(&head.hash, self.now);
        if stopped || !executed || !self.has_room() || self.pace.is_building() {
            return None;
        }
        let (kind, work, in_flight) = if head.position.height < leader.fill_to {
            // A no-op does not wait for transactions.
            (BuildKind::Null, Work { pending_count: 1, ..self.work }, false)
        } else {
            (BuildKind::Ordinary, self.work, self.in_flight())
        };
        Some((kind, self.pace.due(&work, in_flight, &self.config)?))
    }

    /// Asks execution for the next block once it is wanted.
    pub(super) fn try_propose(&mut self, out: &mut Out) {
        let Some((kind, due)) = self.wanted() else {
            return;
        };
        let (Part::Leader(leader), Some(Proposal { head, .. })) = (&self.part, self.proposal)
        else {
            return;
        };
        if due > self.now {
            return;
        }
        self.pace.ask();
        out.requests.push(Request::Build(BuildRequest {
            parent: head.hash,
            height: head.position.height.next(),
            epoch: self.epoch(),
            view: leader.ballot,
            kind,
            bytes: Block::MAX_TRANSACTION_BYTES,
            evidence: Vec::new(),
        }));
    }

    /// P5: execution built a block: it is proposed if it still has its place.
    pub(super) fn handle_built(
        &mut self,
        request: &BuildRequest,
        payload: BuiltPayload,
        out: &mut Out,
    ) {
        let wanted = match (&self.part, self.proposal) {
            (Part::Leader(leader), Some(proposal)) => {
                request.epoch == self.epoch()
                    && request.view == leader.ballot
                    && request.parent == proposal.head.hash
            }
            _ => false,
        };
        let empty = payload.transactions.is_empty() && payload.kind == BlockKind::Ordinary;
        let Some(me) = self.me.filter(|_| wanted && (!empty || request.kind == BuildKind::Null))
        else {
            return self.pace.discard(self.now, &self.config);
        };
        let justification = Justification::default();
        let header =
            header(&self.config, &self.set, me, Mode::Fast, request, &payload, &justification);
        let transactions = payload.transactions;
        let signature = Signature([0; Signature::LEN]);
        let block = SealedBlock::new(Block { header, signature, justification, transactions });
        self.add_block(block.clone(), out);
        if !self.tree.knows(&block.hash()) {
            // The tree has no room for it. Later it may.
            return self.pace.discard(self.now, &self.config);
        }
        self.pace.propose(self.now);
        self.propose(block, out);
        self.try_accept(out);
    }

    pub(super) fn handle_accept(
        &mut self,
        from: ValidatorIndex,
        lead: Lead,
        blocks: Vec<SealedBlock>,
        out: &mut Out,
    ) {
        for block in blocks {
            self.add_block(block, out);
        }
        self.handle_lead(from, lead, out);
    }

    /// A leader spoke: A5 if its ballot stands, and what is chosen counts in any case.
    pub(super) fn handle_lead(&mut self, from: ValidatorIndex, lead: Lead, out: &mut Out) {
        self.highest = self.highest.max(lead.ballot);
        if R::accepts(self.record.promised, lead.ballot) {
            self.follow(lead, out);
        } else {
            self.refuse(from, out);
        }
        self.note_chosen(lead.chosen, from, out);
        self.try_accept(out);
        self.fetch(out);
    }

    /// A3: to hear a leader is to promise to it.
    fn follow(&mut self, lead: Lead, out: &mut Out) {
        if lead.ballot != self.record.promised {
            self.step_down();
            self.record.promise::<R>(lead.ballot);
            out.persist |= self.me.is_some();
        }
        let known = self.proposal.filter(|proposal| proposal.ballot == lead.ballot);
        if known.is_none() {
            out.events.push(Event::ViewStarted {
                epoch: self.epoch(),
                view: lead.ballot,
                leader: self.owner(lead.ballot),
            });
        }
        if known.is_none_or(|known| known.head.position.height < lead.head.position.height) {
            self.proposal = Some(Proposal { ballot: lead.ballot, head: lead.head });
        }
        self.heard_leader();
    }

    /// Signs of life also ask for what was lost on the way to the leader.
    pub(super) fn handle_heartbeat(&mut self, from: ValidatorIndex, lead: Lead, out: &mut Out) {
        self.handle_lead(from, lead, out);
        let root = self.final_height();
        if lead.chosen.position.height < root {
            self.serve_finals(from, lead.chosen.position.height.next(), out);
        }
        let newest = self.record.accepted.iter().rev().find(|entry| entry.ballot == lead.ballot);
        if let Some(entry) = newest.filter(|entry| entry.slot > lead.chosen.position.height) {
            self.send_accepted(*entry, out);
        }
    }

    /// A3-A5: accepts what the leader of the promised ballot proposes, lowest slot first.
    pub(super) fn try_accept(&mut self, out: &mut Out) {
        let (Some(_), Some(Proposal { ballot, head })) = (self.me, self.proposal) else {
            return;
        };
        if !R::accepts(self.record.promised, ballot) || head.position.height <= self.final_height()
        {
            return;
        }
        let Some(path) = self.tree.path(&head.hash) else {
            return self.want_proposal(head, self.owner(ballot));
        };
        let path: Vec<BlockRef> = path.into_iter().map(crate::tree::Node::reference).collect();
        for block in R::due(&path) {
            let slot = block.position.height;
            let held = self.record.at(slot);
            if held.is_some_and(|held| held.ballot == ballot && held.block == block.hash) {
                continue;
            }
            let Some(entry) = self.acceptable(block, ballot) else {
                break;
            };
            self.accept(entry, out);
        }
    }

    /// A4: executed, above a parent that is as good as it, and not above the end of the epoch.
    fn acceptable(&self, block: &BlockRef, ballot: View) -> Option<Entry> {
        let slot = block.position.height;
        let root = self.tree.root();
        let parent = self.tree.get(&block.hash)?.block.header.parent;
        let below = self.record.at(slot.previous()).filter(|entry| entry.block == parent);
        let in_order = R::follows(parent == root.hash, below.map(|entry| entry.ballot), ballot);
        let stopped = R::stops_above_barrier() && self.tree.open_barrier(&parent).is_some();
        let acceptable = self.tree.is_acceptable(&block.hash, self.now)
            && slot.get() <= root.position.height.get() + WINDOW
            && in_order
            && !stopped;
        acceptable.then_some(Entry { slot, ballot, block: block.hash, parent })
    }

    /// A5, A6: on disk with its block before the leader hears of it, itself included.
    fn accept(&mut self, entry: Entry, out: &mut Out) {
        let before = self.record.at(entry.slot).map(|held| held.block);
        assert!(self.record.accept::<R>(entry), "checked before: nothing higher is promised");
        if let Some(node) = before.and_then(|hash| self.tree.get_mut(&hash)) {
            node.stored &= node.block.hash() == entry.block;
        }
        let node = self.tree.get_mut(&entry.block).expect("an accepted block is held");
        if !node.stored {
            node.stored = true;
            out.blocks.push(node.block.clone());
        }
        out.persist = true;
        self.send_accepted(entry, out);
    }

    fn send_accepted(&self, entry: Entry, out: &mut Out) {
        let Entry { slot, ballot, block, .. } = entry;
        let message = Message::Accepted { epoch: self.epoch(), ballot, slot, block };
        self.send_promised(self.owner(ballot), message, out);
    }

    /// P6: chosen once a majority accepted, counted plainly each time.
    pub(super) fn handle_accepted(
        &mut self,
        from: ValidatorIndex,
        ballot: View,
        slot: Height,
        block: Digest,
        out: &mut Out,
    ) {
        let majority = self.majority();
        let Part::Leader(leader) = &mut self.part else {
            return;
        };
        if leader.ballot != ballot || leader.proposed.get(&slot) != Some(&block) {
            return;
        }
        let ack = leader.acks.entry(from).or_insert(slot);
        *ack = slot.max(*ack);
        let chosen =
            leader.proposed.iter().rev().find(|(slot, _)| {
                leader.acks.values().filter(|ack| *ack >= *slot).count() >= majority
            });
        let Some(hash) = chosen.map(|(_, hash)| *hash) else {
            return;
        };
        if let (Some(block), Some(me)) = (self.tree.get(&hash).map(|n| n.reference()), self.me) {
            self.note_chosen(block, me, out);
        }
    }

    /// P7: tells what is chosen where no proposal follows that would say it.
    pub(super) fn try_announce(&mut self, out: &mut Out) {
        let root = self.final_height();
        let idle = !self.in_flight() && !self.pace.is_building();
        let untold = matches!(&self.part, Part::Leader(leader) if leader.announced < root);
        if idle && untold {
            self.announce(out);
        }
    }

    pub(super) fn announce(&mut self, out: &mut Out) {
        if let Some(lead) = self.lead() {
            self.spoke();
            out.send.push(Outgoing::Ready(Recipients::Others, Message::Chosen(lead)));
        }
    }
}
