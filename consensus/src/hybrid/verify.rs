//! The edge: every signature and every bound of a message from outside, before the engine reads it.
//!
//! What was verified once is recognised and not verified again.

use chain::block::{SealedBlock, SignedHeader};
use chain::certificate::{Certificate, Finality, ViewCertificate, Vote};
use chain::crypto::Signature;
use chain::types::{Digest, Epoch, ValidatorIndex};

use super::Hybrid;
use super::message::{
    Message, NewView, ReportAnchor, Suspect, ViewAck, ViewChange, ViewReport, VotedProposal,
};
use super::rules::Rules;
use crate::application::Finals;
use crate::edge::{self, check};
use crate::engine::Fault;

/// Most blocks in one message.
pub(super) const MAX_BLOCKS: usize = 64;
/// Most votes or certificates in one message. Each costs a verification or a quorum of them, and
/// who keeps the protocol never sends more than two.
const MAX_SIGNED: usize = 4;

pub(super) fn verify<R: Rules>(
    hybrid: &Hybrid<R>,
    from: ValidatorIndex,
    message: Message,
) -> Result<Message, Fault> {
    if hybrid.set.get(from).is_none() {
        return Err(Fault("sender is not a validator of this epoch"));
    }
    let checks = Checks { hybrid };
    if let Some(epoch) = epoch_of(&message).filter(|epoch| *epoch != hybrid.epoch()) {
        return Ok(hybrid.status_of_other_epoch(epoch));
    }
    match &message {
        Message::Append(append) => {
            within(append.blocks.len(), MAX_BLOCKS)?;
            within(append.certificates.len().max(append.votes.len()), MAX_SIGNED)?;
            if let Some(certificate) = &append.view_certificate {
                checks.view_certificate(certificate)?;
            }
            append.blocks.iter().try_for_each(|block| checks.block(block))?;
            append.certificates.iter().try_for_each(|held| checks.certificate(held))?;
            append.votes.iter().try_for_each(|vote| checks.vote(from, vote))?;
        }
        Message::Votes(votes) => {
            within(votes.votes.len(), MAX_SIGNED)?;
            votes.votes.iter().try_for_each(|vote| checks.vote(from, vote))?;
            if let Some(header) = &votes.header {
                checks.header(header)?;
            }
        }
        Message::Suspect(suspect) => checks.suspect(from, suspect)?,
        Message::ViewChange(change) => checks.view_change(change)?,
        Message::NewView(new_view) => checks.new_view(new_view)?,
        Message::ViewAck(ack) => checks.view_ack(from, ack)?,
        Message::Blocks(blocks) => {
            within(blocks.len(), MAX_BLOCKS)?;
            blocks.iter().try_for_each(|block| checks.block(block))?;
        }
        Message::Finals(finals) => checks.finals(finals)?,
        Message::Decided(certificate) => checks.certificate(certificate)?,
        Message::Evidence(evidence) => edge::evidence(evidence, &hybrid.config, &hybrid.set)?,
        Message::FetchBlocks { .. }
        | Message::FetchFinals { .. }
        | Message::Status { .. }
        | Message::Read { .. }
        | Message::ReadAt { .. } => {}
    }
    Ok(message)
}

/// The epoch a message speaks of; fetching does not depend on one.
fn epoch_of(message: &Message) -> Option<Epoch> {
    match message {
        Message::Append(append) => Some(append.epoch),
        Message::Votes(votes) => votes.votes.first().map(|vote| vote.ballot.position.epoch),
        Message::Suspect(suspect) => Some(suspect.epoch),
        Message::ViewChange(change) => Some(change.report.epoch),
        Message::NewView(new_view) => Some(new_view.start.epoch),
        Message::ViewAck(ack) => Some(ack.start.epoch),
        Message::Blocks(blocks) => blocks.first().map(|block| block.header.epoch),
        Message::Finals(finals) => finals.blocks.first().map(|block| block.header.epoch),
        Message::Decided(certificate) => Some(certificate.ballot.position.epoch),
        Message::Evidence(evidence) => Some(evidence.epoch()),
        Message::Read { epoch, .. } | Message::ReadAt { epoch, .. } => Some(*epoch),
        Message::FetchBlocks { .. } | Message::FetchFinals { .. } | Message::Status { .. } => None,
    }
}

fn within(items: usize, most: usize) -> Result<(), Fault> {
    check(items <= most, "too many items in one message")
}

/// The checks, by what this validator knows.
struct Checks<'a, R: Rules> {
    hybrid: &'a Hybrid<R>,
}

impl<R: Rules> Checks<'_, R> {
    fn vote(&self, from: ValidatorIndex, vote: &Vote) -> Result<(), Fault> {
        let Hybrid { config, set, .. } = self.hybrid;
        check(vote.voter == from, "a vote of somebody else")?;
        check(
            vote.verify(&config.chain_id, set, config.verifier.as_ref()),
            "a vote with a wrong signature",
        )
    }

    fn certificate(&self, certificate: &Certificate) -> Result<(), Fault> {
        let Hybrid { config, set, tree, safety, .. } = self.hybrid;
        let held = tree.get(&certificate.ballot.block).and_then(|node| node.certificate.as_ref());
        let known = [self.hybrid.final_certificate(), held, safety.high_qc.as_ref()];
        let known = || known.into_iter().flatten();
        // Late votes make certificates grow: only what is new is looked at.
        let less = known().find(|known| known.ballot == certificate.ballot);
        let verifier = config.verifier.as_ref();
        check(
            known().any(|known| known == certificate)
                || certificate.verify_beyond(less, &config.chain_id, set, verifier),
            "a certificate that does not verify",
        )
    }

    fn view_certificate(&self, certificate: &ViewCertificate) -> Result<(), Fault> {
        let Hybrid { config, set, safety, .. } = self.hybrid;
        let known = safety.view_certificate(certificate.start.view) == Some(certificate);
        check(
            known || certificate.verify(&config.chain_id, set, config.verifier.as_ref()),
            "a view certificate that does not verify",
        )
    }

    fn header(&self, signed: &SignedHeader) -> Result<(), Fault> {
        let Hybrid { config, set, headers, .. } = self.hybrid;
        edge::header(signed, headers, config, set)
    }

    fn block(&self, block: &SealedBlock) -> Result<(), Fault> {
        if self.hybrid.tree.get(&block.hash()).is_some_and(|node| node.block == *block) {
            return Ok(());
        }
        let chain_id = &self.hybrid.config.chain_id;
        let header = &block.header;
        check(header.chain_id == *chain_id, "a block of another chain")?;
        self.header(&block.signed_header())?;
        self.body(block)?;
        if let Some(certificate) = &block.justification.certificate {
            check(certificate.ballot.position.epoch == header.epoch, "an old certificate")?;
            self.certificate(certificate)?;
        }
        if let Some(certificate) = &block.justification.view_certificate {
            let start = certificate.start;
            check(
                start.view == header.view
                    && start.tip == header.parent
                    && start.tip_height.next() == header.height,
                "a view certificate for something else",
            )?;
            self.view_certificate(certificate)?;
        }
        Ok(())
    }

    /// Whether the block carries what its header commits to: else a liar could spoil the hash of
    /// a good block.
    fn body(&self, block: &SealedBlock) -> Result<(), Fault> {
        check(block.matches_header(), "a block whose content does not belong to its header")
    }

    fn suspect(&self, from: ValidatorIndex, suspect: &Suspect) -> Result<(), Fault> {
        check(suspect.sender == from, "a suspicion of somebody else")?;
        let digest = Suspect::digest(suspect.epoch, suspect.view, &self.hybrid.config.chain_id);
        self.signed(from, &digest, &suspect.signature)
    }

    fn signed(
        &self,
        sender: ValidatorIndex,
        digest: &Digest,
        signature: &Signature,
    ) -> Result<(), Fault> {
        edge::signed(sender, digest, signature, &self.hybrid.config, &self.hybrid.set)
    }

    fn view_change(&self, change: &ViewChange) -> Result<(), Fault> {
        let held = self.hybrid.changes.get(&change.sender);
        if held.is_some_and(|(_, held)| held == change) {
            return Ok(());
        }
        let digest = change.report.digest(&self.hybrid.config.chain_id);
        self.signed(change.sender, &digest, &change.signature)?;
        self.report(&change.report)
    }

    /// One bad part voids the whole report.
    fn report(&self, report: &ViewReport) -> Result<(), Fault> {
        if let Some(certificate) = &report.high_qc {
            check(certificate.ballot.position.view < report.view, "a certificate from ahead")?;
            self.certificate(certificate)?;
        }
        if let Some(certificate) = &report.final_certificate {
            self.certificate(certificate)?;
            let finality = certificate.finality(&self.hybrid.set);
            check(finality == Finality::Final, "a certificate that is not final")?;
        }
        match &report.last_vote {
            Some(vote) => self.voted(vote, report),
            None => Ok(()),
        }
    }

    fn voted(&self, vote: &VotedProposal, report: &ViewReport) -> Result<(), Fault> {
        let chain_id = &self.hybrid.config.chain_id;
        let (Some(first), Some(last)) = (vote.headers.first(), vote.headers.last()) else {
            return Err(Fault("a last vote without its proposal"));
        };
        let view = first.header.view;
        check(view < report.view, "a last vote from ahead")?;
        check(
            vote.headers.len() as u64 <= self.hybrid.config.pipeline,
            "a last vote too far above its anchor",
        )?;
        for pair in vote.headers.windows(2) {
            let (upper, lower) = (&pair[0].header, &pair[1].header);
            check(
                upper.parent == lower.hash(chain_id)
                    && upper.height == lower.height.next()
                    && lower.view == view,
                "headers that do not hang together",
            )?;
        }
        vote.headers.iter().try_for_each(|signed| self.header(signed))?;
        let parent = last.header.parent;
        let below = last.header.height.previous();
        match &vote.anchor {
            ReportAnchor::Certificate(certificate) => {
                let ballot = &certificate.ballot;
                check(
                    ballot.position.view == view
                        && ballot.position.height == below
                        && ballot.block == parent,
                    "an anchor for something else",
                )?;
                self.certificate(certificate)
            }
            ReportAnchor::View(certificate) => {
                let start = certificate.start;
                check(
                    start.view == view && start.tip == parent && start.tip_height == below,
                    "an anchor for something else",
                )?;
                self.view_certificate(certificate)
            }
            ReportAnchor::Opening => check(
                self.hybrid.is_first_view(view) && parent == self.hybrid.opening.hash,
                "an anchor for something else",
            ),
        }
    }

    fn new_view(&self, new_view: &NewView) -> Result<(), Fault> {
        let start = &new_view.start;
        let Hybrid { config, set, quorums, .. } = self.hybrid;
        let count = start.reports.len();
        check(
            count >= quorums.view_change_quorum && count <= set.len(),
            "a new view from too few reports",
        )?;
        let sorted = start.reports.windows(2).all(|pair| pair[0].sender < pair[1].sender);
        check(sorted, "reports out of order")?;
        let one_view = start
            .reports
            .iter()
            .all(|change| change.report.view == start.view && change.report.epoch == start.epoch);
        check(one_view, "reports for another view")?;
        self.signed(set.leader(start.view), &start.digest(&config.chain_id), &new_view.signature)?;
        start.reports.iter().try_for_each(|change| self.view_change(change))
    }

    fn view_ack(&self, from: ValidatorIndex, ack: &ViewAck) -> Result<(), Fault> {
        check(ack.sender == from, "an acknowledgement of somebody else")?;
        self.signed(from, &ack.start.digest(&self.hybrid.config.chain_id), &ack.signature)
    }

    fn finals(&self, finals: &Finals) -> Result<(), Fault> {
        let Hybrid { config, set, .. } = self.hybrid;
        let last = edge::finals(finals, config, set)?;
        check(
            finals.proof.as_ref().is_some_and(|proof| {
                proof.verify(&last.hash(), &config.chain_id, set, config.verifier.as_ref())
            }),
            "final blocks without proof",
        )
    }
}
