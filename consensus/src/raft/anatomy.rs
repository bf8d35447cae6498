//! What the network, the simulator and a liar may ask of Raft's messages.

use chain::block::SealedBlock;
use chain::crypto::{Domain, Hasher};
use chain::types::{Digest, Epoch, ValidatorIndex};

use super::message::{Append, Message};
use crate::message::{EngineMessage, Lane, Rewrite, Slot};

impl EngineMessage for Message {
    fn kind(&self) -> &'static str {
        match self {
            Self::Append(append) if !append.blocks.is_empty() => "append",
            Self::Append(append) if append.round.is_none() => "commit_notice",
            Self::Append(_) => "heartbeat",
            Self::AppendReply(_) => "append_reply",
            Self::VoteRequest(request) if request.asks_first => "pre_vote_request",
            Self::VoteRequest(_) => "vote_request",
            Self::VoteReply(reply) if reply.asks_first => "pre_vote_reply",
            Self::VoteReply(_) => "vote_reply",
            Self::TimeoutNow { .. } => "timeout_now",
            Self::Read { .. } => "read",
            Self::ReadReply { .. } => "read_reply",
            Self::FetchFinals { .. } => "fetch_finals",
            Self::Finals(_) => "finals",
        }
    }

    fn lane(&self) -> Lane {
        match self {
            Self::Append(append) if !append.blocks.is_empty() => Lane::Blocks,
            Self::FetchFinals { .. } | Self::Finals(_) => Lane::Sync,
            _ => Lane::Votes,
        }
    }

    fn proposals(&self) -> &[SealedBlock] {
        match self {
            Self::Append(append) => &append.blocks,
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
        if let Self::VoteReply(reply) = self
            && reply.granted
            && !reply.asks_first
        {
            // Terms go on across epochs.
            let slot = Slot::Election(Epoch::default(), reply.term);
            let candidate = Hasher::on_chain(Domain::ViewChange, chain_id).value(&reply.candidate);
            each(slot, candidate.finish());
        }
    }

    fn rewrite(&self, _chain_id: &Digest, by: &mut dyn Rewrite) -> Self {
        match self {
            Self::Append(append) => {
                let mut previous = append.previous;
                previous.hash = by.reference(previous.hash);
                let blocks = append.blocks.iter().map(|block| by.block(block)).collect();
                Self::Append(Append { previous, blocks, ..append.clone() })
            }
            other => other.clone(),
        }
    }
}
