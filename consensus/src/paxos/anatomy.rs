//! What the network, the simulator and a liar may ask of Paxos' messages.

use chain::block::SealedBlock;
use chain::certificate::{Position, VoteKind};
use chain::types::{Digest, Height, ValidatorIndex};

use super::message::{Lead, Message, Promise};
use crate::message::{Claim, EngineMessage, Lane, Rewrite, Slot};

impl EngineMessage for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::Prepare { .. } => "prepare",
            Self::Promise(_) => "promise",
            Self::Accept { .. } => "accept",
            Self::Accepted { .. } => "accepted",
            Self::Nack { .. } => "nack",
            Self::Chosen(_) => "chosen",
            Self::Heartbeat(_) => "heartbeat",
            Self::Confirm { .. } => "confirm",
            Self::Confirmed { .. } => "confirmed",
            Self::Read { .. } => "read",
            Self::ReadAt { .. } => "read_at",
            Self::FetchBlocks { .. } => "fetch_blocks",
            Self::Blocks(_) => "blocks",
            Self::FetchFinals { .. } => "fetch_finals",
            Self::Finals(_) => "finals",
            Self::Status { .. } => "status",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Accept { .. } => Lane::Blocks,
            Self::FetchBlocks { .. }
            | Self::Blocks(_)
            | Self::FetchFinals { .. }
            | Self::Finals(_)
            | Self::Status { .. } => Lane::Sync,
            _ => Lane::Votes,
        }
    }

    fn proposals(&self) -> &[SealedBlock] {
        match self {
            Self::Accept { blocks, .. } | Self::Blocks(blocks) => blocks,
            _ => &[],
        }
    }

    fn statements(
        &self,
        _sender: ValidatorIndex,
        _chain_id: &Digest,
        each: &mut dyn FnMut(Slot, Digest),
    ) {
        match self {
            Self::Accept { lead, blocks } => {
                for block in blocks {
                    each(Slot::Proposal(lead.position(block.header.height)), block.hash());
                }
            }
            Self::Accepted { epoch, ballot, slot, block } => {
                let position = Position { epoch: *epoch, view: *ballot, height: *slot };
                each(Slot::Vote(VoteKind::Prepare, position), *block);
            }
            _ => {}
        }
    }

    fn rewrite(&self, _chain_id: &Digest, by: &mut dyn Rewrite) -> Self {
        match self {
            Self::Accept { lead, blocks } => {
                let blocks = blocks.iter().map(|block| by.block(block)).collect();
                Self::Accept { lead: lead.rewrite(by), blocks }
            }
            Self::Chosen(lead) => Self::Chosen(lead.rewrite(by)),
            Self::Heartbeat(lead) => Self::Heartbeat(lead.rewrite(by)),
            Self::Blocks(blocks) => {
                Self::Blocks(blocks.iter().map(|block| by.block(block)).collect())
            }
            Self::Promise(promise) if !by.reports(Claim::Votes) => {
                Self::Promise(Promise { accepted: Vec::new(), ..promise.clone() })
            }
            other => other.clone(),
        }
    }
}

impl Lead {
    /// A slot in this ballot.
    fn position(&self, height: Height) -> Position {
        Position { epoch: self.epoch, view: self.ballot, height }
    }

    fn rewrite(mut self, by: &mut dyn Rewrite) -> Self {
        self.head.hash = by.reference(self.head.hash);
        self.chosen.hash = by.reference(self.chosen.hash);
        self
    }
}
