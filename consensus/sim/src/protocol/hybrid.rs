//! The hybrid's messages.

use chain::block::SealedBlock;
use chain::certificate::Vote;
use chain::crypto::{Domain, Hasher, Signer};
use chain::types::{Digest, ValidatorIndex};

use consensus::hybrid::{Append, Hybrid, Message, ViewChange, Votes};

use super::{Lie, Protocol, Rewrite, Slot};

impl Protocol for Hybrid {
    const NAME: &'static str = "hybrid";

    fn kind(message: &Message) -> &'static str {
        message.kind()
    }

    fn statements(
        sender: ValidatorIndex,
        message: &Message,
        chain_id: &Digest,
        each: &mut dyn FnMut(Slot, Digest),
    ) {
        for block in Self::proposals(message) {
            if block.header.proposer == sender {
                each(Slot::Proposal(block.header.position()), block.hash());
            }
        }
        for vote in Self::votes(message) {
            if vote.voter == sender {
                let ballot = &vote.ballot;
                each(Slot::Vote(ballot.kind, ballot.position), ballot.block);
            }
        }
        match message {
            Message::ViewChange(change) if change.sender == sender => {
                let report = &change.report;
                let digest = Hasher::on_chain(Domain::ViewChange, chain_id).value(report).finish();
                each(Slot::ViewChange(report.epoch, report.view), digest);
            }
            Message::NewView(new_view) => {
                let start = &new_view.start;
                let digest = Hasher::on_chain(Domain::NewView, chain_id).value(start).finish();
                each(Slot::NewView(start.epoch, start.view), digest);
            }
            Message::ViewAck(ack) if ack.sender == sender => {
                each(Slot::ViewAck(ack.start.epoch, ack.start.view), ack.start.digest(chain_id));
            }
            _ => {}
        }
    }

    fn proposals(message: &Message) -> &[SealedBlock] {
        match message {
            Message::Append(append) => &append.blocks,
            Message::Blocks(blocks) => blocks,
            _ => &[],
        }
    }

    fn votes(message: &Message) -> &[Vote] {
        match message {
            Message::Append(append) => &append.votes,
            Message::Votes(votes) => &votes.votes,
            _ => &[],
        }
    }

    fn rewrite(message: &Message, by: &mut dyn Rewrite) -> Message {
        match message {
            Message::Append(append) => {
                let blocks = append.blocks.iter().map(|block| by.block(block)).collect();
                let mut head = append.head;
                head.hash = by.reference(head.hash);
                let votes = append.votes.iter().map(|vote| by.vote(vote)).collect();
                let certificates = append
                    .certificates
                    .iter()
                    .filter(|certificate| by.keeps(certificate))
                    .cloned()
                    .collect();
                Message::Append(Append { head, blocks, votes, certificates, ..append.clone() })
            }
            Message::Votes(votes) => Message::Votes(Votes {
                votes: votes.votes.iter().map(|vote| by.vote(vote)).collect(),
                ..votes.clone()
            }),
            Message::Blocks(blocks) => {
                Message::Blocks(blocks.iter().map(|block| by.block(block)).collect())
            }
            other => other.clone(),
        }
    }

    fn lie(message: &Message, lie: Lie, chain_id: &Digest, signer: &dyn Signer) -> Option<Message> {
        let Message::ViewChange(change) = message else {
            return None;
        };
        let mut report = change.report.clone();
        match lie {
            Lie::OmitVote => report.last_vote = None,
            Lie::OmitCertificate => report.high_qc = None,
            Lie::OmitAll => {
                report.last_vote = None;
                report.high_qc = None;
                report.final_certificate = None;
            }
        }
        let digest = Hasher::on_chain(Domain::ViewChange, chain_id).value(&report).finish();
        let signature = signer.sign(&digest);
        Some(Message::ViewChange(ViewChange { report, sender: change.sender, signature }))
    }
}
