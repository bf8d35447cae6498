//! What the network, the simulator and a liar may ask of PBFT's messages.

use chain::block::SealedBlock;
use chain::certificate::{Position, Vote};
use chain::types::{Digest, ValidatorIndex};

use super::message::{Message, NewView, PrePrepare, ViewChange};
use crate::message::{Claim, EngineMessage, Gossip, Lane, Rewrite, Slot};

impl EngineMessage for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::PrePrepare(_) => "pre_prepare",
            Self::Votes(_) => "votes",
            Self::Checkpoint(_) => "checkpoint",
            Self::ViewChange(_) => "view_change",
            Self::NewView(_) => "new_view",
            Self::FetchBlocks { .. } => "fetch_blocks",
            Self::Blocks(_) => "blocks",
            Self::FetchFinals { .. } => "fetch_finals",
            Self::Finals(_) => "finals",
            Self::Evidence(_) => "evidence",
            Self::Status(_) => "status",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::PrePrepare(_) => Lane::Blocks,
            Self::Votes(_)
            | Self::Checkpoint(_)
            | Self::ViewChange(_)
            | Self::NewView(_)
            | Self::Evidence(_) => Lane::Votes,
            Self::FetchBlocks { .. }
            | Self::Blocks(_)
            | Self::FetchFinals { .. }
            | Self::Finals(_)
            | Self::Status(_) => Lane::Sync,
        }
    }

    fn gossip(&self) -> Option<Gossip> {
        match self {
            Self::Evidence(_) => Some(Gossip::Evidence),
            Self::ViewChange(_) => Some(Gossip::ViewChanges),
            _ => None,
        }
    }

    fn proposals(&self) -> &[SealedBlock] {
        match self {
            Self::PrePrepare(pre_prepare) => std::slice::from_ref(&pre_prepare.block),
            Self::Blocks(blocks) => blocks,
            _ => &[],
        }
    }

    fn votes(&self) -> &[Vote] {
        match self {
            Self::PrePrepare(pre_prepare) => pre_prepare.prepare.as_slice(),
            Self::Votes(votes) => votes,
            _ => &[],
        }
    }

    fn statements(
        &self,
        sender: ValidatorIndex,
        chain_id: &Digest,
        each: &mut dyn FnMut(Slot, Digest),
    ) {
        for block in self.proposals() {
            if block.header.proposer == sender {
                each(Slot::Proposal(block.header.position()), block.hash());
            }
        }
        for vote in self.votes() {
            if vote.voter == sender {
                let ballot = &vote.ballot;
                each(Slot::Vote(ballot.kind, ballot.position), ballot.block);
            }
        }
        match self {
            Self::ViewChange(change) if change.sender == sender => {
                let report = &change.report;
                each(Slot::ViewChange(report.epoch, report.view), report.digest(chain_id));
            }
            Self::NewView(new_view) => new_view_statements(new_view, chain_id, each),
            _ => {}
        }
    }

    fn rewrite(&self, chain_id: &Digest, by: &mut dyn Rewrite) -> Self {
        match self {
            Self::PrePrepare(pre_prepare) => Self::PrePrepare(PrePrepare {
                block: by.block(&pre_prepare.block),
                prepare: pre_prepare.prepare.as_ref().map(|vote| by.vote(vote)),
            }),
            Self::Votes(votes) => Self::Votes(votes.iter().map(|vote| by.vote(vote)).collect()),
            Self::Blocks(blocks) => {
                Self::Blocks(blocks.iter().map(|block| by.block(block)).collect())
            }
            Self::ViewChange(change) => Self::ViewChange(rewrite_view_change(change, chain_id, by)),
            Self::NewView(new_view) => Self::NewView(rewrite_new_view(new_view, chain_id, by)),
            other => other.clone(),
        }
    }
}

/// A new-view message is the pre-prepare of all that it chooses.
fn new_view_statements(new_view: &NewView, chain_id: &Digest, each: &mut dyn FnMut(Slot, Digest)) {
    let start = &new_view.start;
    each(Slot::NewView(start.epoch, start.view), start.digest(chain_id));
    let mut height = start.base;
    for block in &start.chosen {
        height = height.next();
        let position = Position { epoch: start.epoch, view: start.view, height };
        each(Slot::Proposal(position), *block);
    }
}

fn rewrite_view_change(change: &ViewChange, chain_id: &Digest, by: &mut dyn Rewrite) -> ViewChange {
    let mut report = change.report.clone();
    if !by.reports(Claim::Certificates) {
        report.prepared.clear();
    }
    if !by.reports(Claim::Finals) {
        report.final_certificate = None;
    }
    report.prepared.retain(|prepared| by.keeps(&prepared.certificate));
    let signature = by.sign(&report.digest(chain_id), change.signature);
    ViewChange { report, sender: change.sender, signature }
}

fn rewrite_new_view(new_view: &NewView, chain_id: &Digest, by: &mut dyn Rewrite) -> NewView {
    let mut start = new_view.start.clone();
    for block in &mut start.chosen {
        *block = by.reference(*block);
    }
    let signature = by.sign(&start.digest(chain_id), new_view.signature);
    NewView { start, signature }
}
