//! The edge: every signature and every bound of a message from outside, before the engine reads it.
//!
//! What was verified once is recognised and not verified again.

use chain::block::{SealedBlock, SignedHeader};
use chain::certificate::{Certificate, Finality, Vote, VoteKind};
use chain::crypto::Signature;
use chain::types::{Digest, Epoch, ValidatorIndex};

use super::Pbft;
use super::message::{Checkpoint, Message, NewView, PrePrepare, Prepared, Report, ViewChange};
use super::rules::{LOG_SIZE, Rules};
use crate::application::Finals;
use crate::edge::{self, check};
use crate::engine::Fault;

/// Most blocks in one message.
pub(super) const MAX_BLOCKS: usize = 64;
/// Most votes in one message: a prepare and a commit for each height between the watermarks.
const MAX_VOTES: usize = 2 * LOG_SIZE as usize;

pub(super) fn verify<R: Rules>(
    pbft: &Pbft<R>,
    from: ValidatorIndex,
    message: Message,
) -> Result<Message, Fault> {
    if pbft.set.get(from).is_none() {
        return Err(Fault("sender is not a validator of this epoch"));
    }
    if let Some(epoch) = epoch_of(&message).filter(|epoch| *epoch != pbft.epoch()) {
        return Ok(pbft.status_of_other_epoch(epoch));
    }
    let checks = Checks { pbft };
    match &message {
        Message::PrePrepare(pre_prepare) => checks.pre_prepare(from, pre_prepare)?,
        Message::Votes(votes) => {
            check(votes.len() <= MAX_VOTES, "too many votes in one message")?;
            votes.iter().try_for_each(|vote| checks.vote(from, vote))?;
        }
        Message::Checkpoint(checkpoint) => checks.checkpoint(from, checkpoint)?,
        Message::ViewChange(change) => checks.view_change(change)?,
        Message::NewView(new_view) => checks.new_view(new_view)?,
        Message::Blocks(blocks) => {
            check(blocks.len() <= MAX_BLOCKS, "too many blocks in one message")?;
            blocks.iter().try_for_each(|block| checks.block(block))?;
        }
        Message::Finals(finals) => checks.finals(finals)?,
        Message::Evidence(evidence) => edge::evidence(evidence, &pbft.config, &pbft.set)?,
        Message::FetchBlocks { .. }
        | Message::FetchFinals { .. }
        | Message::Status(_)
        | Message::Read { .. }
        | Message::ReadAt { .. } => {}
    }
    Ok(message)
}

/// The epoch a message speaks of; fetching does not depend on one.
fn epoch_of(message: &Message) -> Option<Epoch> {
    match message {
        Message::PrePrepare(pre_prepare) => Some(pre_prepare.block.header.epoch),
        Message::Votes(votes) => votes.first().map(|vote| vote.ballot.position.epoch),
        Message::Checkpoint(checkpoint) => Some(checkpoint.epoch),
        Message::ViewChange(change) => Some(change.report.epoch),
        Message::NewView(new_view) => Some(new_view.start.epoch),
        Message::Blocks(blocks) => blocks.first().map(|block| block.header.epoch),
        Message::Finals(finals) => finals.blocks.first().map(|block| block.header.epoch),
        Message::Evidence(evidence) => Some(evidence.epoch()),
        Message::Status(status) => Some(status.epoch),
        Message::Read { epoch, .. } | Message::ReadAt { epoch, .. } => Some(*epoch),
        Message::FetchBlocks { .. } | Message::FetchFinals { .. } => None,
    }
}

/// The checks, by what this replica knows.
struct Checks<'a, R: Rules> {
    pbft: &'a Pbft<R>,
}

impl<R: Rules> Checks<'_, R> {
    fn pre_prepare(&self, from: ValidatorIndex, pre_prepare: &PrePrepare) -> Result<(), Fault> {
        let PrePrepare { block, prepare } = pre_prepare;
        let Some(prepare) = prepare else {
            return Err(Fault("a pre-prepare without the primary's prepare"));
        };
        self.vote(from, prepare)?;
        check(
            block.header.proposer == from && prepare.ballot.block == block.hash(),
            "a pre-prepare of somebody else",
        )?;
        self.block(block)
    }

    fn vote(&self, from: ValidatorIndex, vote: &Vote) -> Result<(), Fault> {
        let Pbft { config, set, .. } = self.pbft;
        check(vote.voter == from, "a vote of somebody else")?;
        check(vote.ballot.kind != VoteKind::Prepare, "a vote of another engine")?;
        check(
            vote.verify(&config.chain_id, set, config.verifier.as_ref()),
            "a vote with a wrong signature",
        )
    }

    /// What the own record or a view change holds was verified before.
    fn certificate(&self, certificate: &Certificate) -> bool {
        let Pbft { config, set, promises, changes, quorums, .. } = self.pbft;
        let reports = changes.values().map(|change| &change.report);
        let reported = reports.clone().flat_map(|report| &report.prepared);
        let mut known = promises
            .prepared
            .iter()
            .chain(reported)
            .map(|prepared| &prepared.certificate)
            .chain(&promises.final_certificate)
            .chain(reports.filter_map(|report| report.final_certificate.as_ref()));
        known.any(|known| known == certificate)
            || (certificate.signatures.count() <= quorums.quorum
                && certificate.verify(&config.chain_id, set, config.verifier.as_ref()))
    }

    fn header(&self, signed: &SignedHeader) -> Result<(), Fault> {
        let Pbft { config, set, headers, .. } = self.pbft;
        edge::header(signed, headers, config, set)
    }

    fn block(&self, block: &SealedBlock) -> Result<(), Fault> {
        if self.pbft.tree.get(&block.hash()).is_some_and(|node| node.block == *block) {
            return Ok(());
        }
        check(block.header.chain_id == self.pbft.config.chain_id, "a block of another chain")?;
        self.header(&block.signed_header())?;
        // Else a liar could spoil the hash of a good block.
        check(block.matches_header(), "a block whose content does not belong to its header")?;
        check(block.justification.view_certificate.is_none(), "a block of another engine")?;
        block.justification.certificate.as_ref().map_or(Ok(()), |certificate| {
            let position = certificate.ballot.position;
            let is_below = position.height < block.header.height;
            check(is_below && self.certificate(certificate), "a block with a wrong certificate")
        })
    }

    fn signed(
        &self,
        sender: ValidatorIndex,
        digest: &Digest,
        signature: &Signature,
    ) -> Result<(), Fault> {
        edge::signed(sender, digest, signature, &self.pbft.config, &self.pbft.set)
    }

    fn checkpoint(&self, from: ValidatorIndex, checkpoint: &Checkpoint) -> Result<(), Fault> {
        let Checkpoint { epoch, height, block, sender, signature } = checkpoint;
        check(*sender == from, "a checkpoint of somebody else")?;
        let digest = Checkpoint::digest(*epoch, *height, block, &self.pbft.config.chain_id);
        self.signed(from, &digest, signature)
    }

    fn view_change(&self, change: &ViewChange) -> Result<(), Fault> {
        if self.pbft.changes.get(&change.sender) == Some(change) {
            return Ok(());
        }
        let digest = change.report.digest(&self.pbft.config.chain_id);
        self.signed(change.sender, &digest, &change.signature)?;
        self.report(&change.report)
    }

    /// One bad part voids the whole report.
    fn report(&self, report: &Report) -> Result<(), Fault> {
        let low = match &report.final_certificate {
            Some(certificate) => {
                let finality = certificate.finality(&self.pbft.set);
                check(finality == Finality::Final, "a certificate that is not final")?;
                check(self.certificate(certificate), "a certificate that does not verify")?;
                certificate.ballot.position.height
            }
            None => self.pbft.opening.position.height,
        };
        check(report.view > self.pbft.set.first_view, "a change to the first view")?;
        check(report.prepared.len() as u64 <= LOG_SIZE, "too many prepared blocks")?;
        let ascending = report.prepared.windows(2).all(|pair| pair[0].height() < pair[1].height());
        check(ascending, "prepared blocks out of order")?;
        let within = |prepared: &Prepared| {
            prepared.height() > low && prepared.height().get() <= low.get() + LOG_SIZE
        };
        check(report.prepared.iter().all(within), "prepared outside the watermarks")?;
        report.prepared.iter().try_for_each(|prepared| self.prepared(prepared, report))
    }

    fn prepared(&self, prepared: &Prepared, report: &Report) -> Result<(), Fault> {
        let Prepared { header, certificate } = prepared;
        let ballot = &certificate.ballot;
        check(
            ballot.kind == VoteKind::PbftPrepare
                && ballot.position.view < report.view
                && header.view <= ballot.position.view
                && header.height == ballot.position.height
                && header.epoch == ballot.position.epoch
                && header.hash(&self.pbft.config.chain_id) == ballot.block,
            "a prepared block that is none",
        )?;
        let verifies = self.certificate(certificate);
        check(R::accepts_prepared(verifies), "a prepared block without its certificate")
    }

    /// B15: signed by its primary, from n-f valid reports, and choosing what follows from them.
    fn new_view(&self, new_view: &NewView) -> Result<(), Fault> {
        let start = &new_view.start;
        let Pbft { config, set, quorums, promises, .. } = self.pbft;
        if promises.new_view.as_ref() == Some(new_view) {
            return Ok(());
        }
        let count = start.changes.len();
        check(
            count >= quorums.view_change_quorum && count <= set.len(),
            "a new view from too few reports",
        )?;
        let sorted = start.changes.windows(2).all(|pair| pair[0].sender < pair[1].sender);
        check(sorted, "reports out of order")?;
        let one_view = start
            .changes
            .iter()
            .all(|change| change.report.view == start.view && change.report.epoch == start.epoch);
        check(one_view, "reports for another view")?;
        self.signed(set.leader(start.view), &start.digest(&config.chain_id), &new_view.signature)?;
        start.changes.iter().try_for_each(|change| self.view_change(change))?;
        let selection = self.pbft.select(&start.changes);
        check(
            selection.base.0 == start.base
                && selection.chosen == start.chosen
                && selection.null == start.null,
            "a new view that does not follow from its reports",
        )
    }

    fn finals(&self, finals: &Finals) -> Result<(), Fault> {
        let Pbft { config, set, .. } = self.pbft;
        let last = edge::finals(finals, config, set)?;
        check(
            finals.proof.as_ref().is_some_and(|proof| {
                proof.headers.is_empty()
                    && proof.verify(&last.hash(), &config.chain_id, set, config.verifier.as_ref())
            }),
            "final blocks without proof",
        )
    }
}
