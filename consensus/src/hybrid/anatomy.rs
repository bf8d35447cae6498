//! What the network, the simulator and a liar may ask of the hybrid's messages.

use chain::block::SealedBlock;
use chain::certificate::Vote;
use chain::crypto::{Domain, Hasher};
use chain::types::{Digest, ValidatorIndex};

use super::message::{Append, Message, ViewChange, Votes};
use crate::message::{Claim, EngineMessage, Gossip, Lane, Rewrite, Slot};

impl EngineMessage for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::Append(append) if append.blocks.is_empty() => "heartbeat",
            Self::Append(_) => "append",
            Self::Votes(_) => "votes",
            Self::Suspect(_) => "suspect",
            Self::ViewChange(_) => "view_change",
            Self::NewView(_) => "new_view",
            Self::ViewAck(_) => "view_ack",
            Self::FetchBlocks { .. } => "fetch_blocks",
            Self::Blocks(_) => "blocks",
            Self::FetchFinals { .. } => "fetch_finals",
            Self::Finals(_) => "finals",
            Self::Decided(_) => "decided",
            Self::Evidence(_) => "evidence",
            Self::Status { .. } => "status",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Append(append) if append.blocks.is_empty() => Lane::Votes,
            Self::Append(_) => Lane::Blocks,
            Self::Votes(_)
            | Self::Suspect(_)
            | Self::ViewChange(_)
            | Self::NewView(_)
            | Self::ViewAck(_)
            | Self::Decided(_)
            | Self::Evidence(_) => Lane::Votes,
            Self::FetchBlocks { .. }
            | Self::Blocks(_)
            | Self::FetchFinals { .. }
            | Self::Finals(_)
            | Self::Status { .. } => Lane::Sync,
        }
    }

    fn gossip(&self) -> Option<Gossip> {
        match self {
            Self::Evidence(_) => Some(Gossip::Evidence),
            Self::ViewChange(_) => Some(Gossip::ViewChanges),
            _ => None,
        }
    }

    fn shows_finality(&self) -> bool {
        matches!(self, Self::Decided(_) | Self::Finals(_))
    }

    fn proposals(&self) -> &[SealedBlock] {
        match self {
            Self::Append(append) => &append.blocks,
            Self::Blocks(blocks) => blocks,
            _ => &[],
        }
    }

    fn votes(&self) -> &[Vote] {
        match self {
            Self::Append(append) => &append.votes,
            Self::Votes(votes) => &votes.votes,
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
                let digest = Hasher::on_chain(Domain::ViewChange, chain_id).value(report).finish();
                each(Slot::ViewChange(report.epoch, report.view), digest);
            }
            Self::NewView(new_view) => {
                let start = &new_view.start;
                let digest = Hasher::on_chain(Domain::NewView, chain_id).value(start).finish();
                each(Slot::NewView(start.epoch, start.view), digest);
            }
            Self::ViewAck(ack) if ack.sender == sender => {
                each(Slot::ViewAck(ack.start.epoch, ack.start.view), ack.start.digest(chain_id));
            }
            _ => {}
        }
    }

    fn rewrite(&self, chain_id: &Digest, by: &mut dyn Rewrite) -> Self {
        match self {
            Self::Append(append) => Self::Append(rewrite_append(append, by)),
            Self::Votes(votes) => Self::Votes(Votes {
                votes: votes.votes.iter().map(|vote| by.vote(vote)).collect(),
                ..votes.clone()
            }),
            Self::Blocks(blocks) => {
                Self::Blocks(blocks.iter().map(|block| by.block(block)).collect())
            }
            Self::ViewChange(change) => Self::ViewChange(rewrite_view_change(change, chain_id, by)),
            other => other.clone(),
        }
    }
}

fn rewrite_append(append: &Append, by: &mut dyn Rewrite) -> Append {
    let blocks = append.blocks.iter().map(|block| by.block(block)).collect();
    let mut head = append.head;
    head.hash = by.reference(head.hash);
    let votes = append.votes.iter().map(|vote| by.vote(vote)).collect();
    let certificates = append.certificates.iter().filter(|held| by.keeps(held)).cloned().collect();
    Append { head, blocks, votes, certificates, ..append.clone() }
}

fn rewrite_view_change(change: &ViewChange, chain_id: &Digest, by: &mut dyn Rewrite) -> ViewChange {
    let mut report = change.report.clone();
    if !by.reports(Claim::Votes) {
        report.last_vote = None;
    }
    if !by.reports(Claim::Certificates) {
        report.high_qc = None;
    }
    if !by.reports(Claim::Finals) {
        report.final_certificate = None;
    }
    let digest = Hasher::on_chain(Domain::ViewChange, chain_id).value(&report).finish();
    let signature = by.sign(&digest, change.signature);
    ViewChange { report, sender: change.sender, signature }
}
