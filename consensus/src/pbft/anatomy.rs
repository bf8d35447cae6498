//! What the network, the simulator and a liar may ask of PBFT's messages.

use chain::block::SealedBlock;
use chain::certificate::{Certificate, Position, Vote};
use chain::crypto::Signer;
use chain::types::{Digest, Epoch, ValidatorIndex, View};

use super::message::{Draft, Message, NewView, PrePrepare, Prepared, Report, ViewChange};
use crate::application::Finals;
use crate::message::{
    Claim, EngineMessage, Gossip, Lane, Rewrite, Slot, proposed_and_voted, rewrite_blocks,
    rewrite_finals,
};

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
            Self::Read { .. } => "read",
            Self::ReadAt { .. } => "read_at",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::PrePrepare(_) => Lane::Blocks,
            Self::Votes(_)
            | Self::Checkpoint(_)
            | Self::ViewChange(_)
            | Self::NewView(_)
            | Self::Evidence(_)
            | Self::Read { .. }
            | Self::ReadAt { .. } => Lane::Votes,
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

    fn finals(&self) -> Option<&Finals> {
        match self {
            Self::Finals(finals) => Some(finals),
            _ => None,
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
        proposed_and_voted(self, sender, each);
        match self {
            Self::ViewChange(change) if change.sender == sender => {
                let report = &change.report;
                each(Slot::ViewChange(report.epoch, report.view), report.digest(chain_id));
            }
            Self::NewView(new_view) => new_view_statements(new_view, chain_id, each),
            _ => {}
        }
    }

    fn certificates(&self) -> Vec<&Certificate> {
        match self {
            Self::ViewChange(change) => reported(change).collect(),
            Self::NewView(new_view) => new_view.start.changes.iter().flat_map(reported).collect(),
            Self::Finals(finals) => finals.proof.iter().map(|proof| &proof.certificate).collect(),
            _ => Vec::new(),
        }
    }

    fn rewrite(&self, chain_id: &Digest, by: &mut dyn Rewrite) -> Self {
        match self {
            Self::PrePrepare(pre_prepare) => Self::PrePrepare(PrePrepare {
                block: by.block(&pre_prepare.block),
                prepare: pre_prepare.prepare.as_ref().map(|vote| by.vote(vote)),
            }),
            Self::Votes(votes) => Self::Votes(votes.iter().map(|vote| by.vote(vote)).collect()),
            Self::Blocks(blocks) => Self::Blocks(rewrite_blocks(blocks, by)),
            Self::ViewChange(change) => Self::ViewChange(rewrite_view_change(change, chain_id, by)),
            Self::NewView(new_view) => Self::NewView(rewrite_new_view(new_view, chain_id, by)),
            Self::Finals(finals) => Self::Finals(rewrite_finals(finals, by)),
            other => other.clone(),
        }
    }

    /// A view change that reports nothing.
    fn alarms(
        chain_id: &Digest,
        sender: ValidatorIndex,
        (epoch, view): (Epoch, View),
        signer: &dyn Signer,
    ) -> Vec<Self> {
        let (final_certificate, prepared) = (None, Vec::new());
        let report = Report { epoch, view: view.next(), final_certificate, prepared };
        vec![Draft::ViewChange(report).sign(sender, chain_id, signer)]
    }
}

fn reported(change: &ViewChange) -> impl Iterator<Item = &Certificate> {
    let report = &change.report;
    let prepared = report.prepared.iter().map(|prepared| &prepared.certificate);
    prepared.chain(&report.final_certificate)
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
    if !by.speaks_for(change.sender) {
        return change.clone();
    }
    let mut report = change.report.clone();
    let (prepared, final_certificate) =
        (std::mem::take(&mut report.prepared), report.final_certificate.take());
    if by.reports(Claim::Certificates) {
        report.prepared = prepared
            .into_iter()
            .filter_map(|Prepared { header, certificate }| {
                let certificate = by.certificate(&certificate)?;
                Some(Prepared { header, certificate })
            })
            .collect();
    }
    if by.reports(Claim::Finals) {
        report.final_certificate = final_certificate.and_then(|held| by.certificate(&held));
    }
    let signature = by.sign(&report.digest(chain_id), change.signature);
    ViewChange { report, sender: change.sender, signature }
}

fn rewrite_new_view(new_view: &NewView, chain_id: &Digest, by: &mut dyn Rewrite) -> NewView {
    let mut start = new_view.start.clone();
    for change in &mut start.changes {
        *change = rewrite_view_change(change, chain_id, by);
    }
    for block in &mut start.chosen {
        *block = by.reference(*block);
    }
    let signature = by.sign(&start.digest(chain_id), new_view.signature);
    NewView { start, signature }
}
