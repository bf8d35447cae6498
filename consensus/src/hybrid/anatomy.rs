//! What the network, the simulator and a liar may ask of the hybrid's messages.

use chain::block::SealedBlock;
use chain::certificate::{Certificate, Vote};
use chain::crypto::Signer;
use chain::types::{Digest, Epoch, ValidatorIndex, View};

use super::message::{
    Append, Draft, LeaveReason, Message, NewView, ReportAnchor, ViewChange, ViewReport, Votes,
};
use crate::application::Finals;
use crate::message::{
    Claim, EngineMessage, Gossip, Lane, Rewrite, Slot, proposed_and_voted, rewrite_blocks,
    rewrite_finals,
};

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
            Self::Read { .. } => "read",
            Self::ReadAt { .. } => "read_at",
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
            | Self::Evidence(_)
            | Self::Read { .. }
            | Self::ReadAt { .. } => Lane::Votes,
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

    fn finals(&self) -> Option<&Finals> {
        match self {
            Self::Finals(finals) => Some(finals),
            _ => None,
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
        proposed_and_voted(self, sender, each);
        match self {
            Self::ViewChange(change) if change.sender == sender => {
                let report = &change.report;
                each(Slot::ViewChange(report.epoch, report.view), report.digest(chain_id));
            }
            Self::NewView(new_view) => {
                let start = &new_view.start;
                each(Slot::NewView(start.epoch, start.view), start.digest(chain_id));
            }
            Self::ViewAck(ack) if ack.sender == sender => {
                each(Slot::ViewAck(ack.start.epoch, ack.start.view), ack.start.digest(chain_id));
            }
            _ => {}
        }
    }

    fn certificates(&self) -> Vec<&Certificate> {
        match self {
            Self::Append(append) => append
                .blocks
                .iter()
                .filter_map(|block| block.justification.certificate.as_ref())
                .chain(&append.certificates)
                .collect(),
            Self::Decided(certificate) => vec![certificate],
            Self::Finals(finals) => finals.proof.iter().map(|proof| &proof.certificate).collect(),
            Self::ViewChange(change) => reported(&change.report).collect(),
            Self::NewView(new_view) => {
                new_view.start.reports.iter().flat_map(|change| reported(&change.report)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn rewrite(&self, chain_id: &Digest, by: &mut dyn Rewrite) -> Self {
        match self {
            Self::Append(append) => Self::Append(rewrite_append(append, by)),
            Self::Votes(votes) => Self::Votes(Votes {
                votes: votes.votes.iter().map(|vote| by.vote(vote)).collect(),
                ..votes.clone()
            }),
            Self::Blocks(blocks) => Self::Blocks(rewrite_blocks(blocks, by)),
            Self::ViewChange(change) => Self::ViewChange(rewrite_view_change(change, chain_id, by)),
            Self::NewView(new_view) => Self::NewView(rewrite_new_view(new_view, chain_id, by)),
            Self::Decided(certificate) => {
                Self::Decided(by.certificate(certificate).unwrap_or_else(|| certificate.clone()))
            }
            Self::Finals(finals) => Self::Finals(rewrite_finals(finals, by)),
            other => other.clone(),
        }
    }

    /// A suspicion, and a view change that reports nothing.
    fn alarms(
        chain_id: &Digest,
        sender: ValidatorIndex,
        (epoch, view): (Epoch, View),
        signer: &dyn Signer,
    ) -> Vec<Self> {
        let report = ViewReport {
            epoch,
            view: view.next(),
            high_qc: None,
            last_vote: None,
            final_certificate: None,
            reason: LeaveReason::Timeout,
        };
        [Draft::Suspect { epoch, view }, Draft::ViewChange(report)]
            .map(|draft| draft.sign(sender, chain_id, signer))
            .into()
    }
}

fn reported(report: &ViewReport) -> impl Iterator<Item = &Certificate> {
    let anchor = report.last_vote.as_ref().and_then(|vote| match &vote.anchor {
        ReportAnchor::Certificate(certificate) => Some(certificate),
        ReportAnchor::View(_) | ReportAnchor::Opening => None,
    });
    report.high_qc.iter().chain(&report.final_certificate).chain(anchor)
}

fn rewrite_append(append: &Append, by: &mut dyn Rewrite) -> Append {
    let blocks = rewrite_blocks(&append.blocks, by);
    let mut head = append.head;
    head.hash = by.reference(head.hash);
    let votes = append.votes.iter().map(|vote| by.vote(vote)).collect();
    let certificates = append.certificates.iter().filter_map(|held| by.certificate(held)).collect();
    Append { head, blocks, votes, certificates, ..append.clone() }
}

fn rewrite_view_change(change: &ViewChange, chain_id: &Digest, by: &mut dyn Rewrite) -> ViewChange {
    if !by.speaks_for(change.sender) {
        return change.clone();
    }
    let mut report = change.report.clone();
    if !by.reports(Claim::Votes) {
        report.last_vote = None;
    }
    let (high_qc, final_certificate) = (report.high_qc.take(), report.final_certificate.take());
    if by.reports(Claim::Certificates) {
        report.high_qc = high_qc.and_then(|held| by.certificate(&held));
    }
    if by.reports(Claim::Finals) {
        report.final_certificate = final_certificate.and_then(|held| by.certificate(&held));
    }
    let signature = by.sign(&report.digest(chain_id), change.signature);
    ViewChange { report, sender: change.sender, signature }
}

fn rewrite_new_view(new_view: &NewView, chain_id: &Digest, by: &mut dyn Rewrite) -> NewView {
    let mut start = new_view.start.clone();
    for change in &mut start.reports {
        *change = rewrite_view_change(change, chain_id, by);
    }
    let signature = by.sign(&start.digest(chain_id), new_view.signature);
    NewView { start, signature }
}
