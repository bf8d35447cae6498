//! What Paxos validators say to each other.
//!
//! docs/protocol/paxos.md, table of messages. The channel says who speaks: nothing is signed.

use bincode::{Decode, Encode};
use chain::block::SealedBlock;
use chain::codec::Bounded;
use chain::types::{Digest, Epoch, Height, View};

use super::record::Entry;
use crate::application::Finals;
use crate::tree::BlockRef;

/// Everything a validator sends to another.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// Candidate to everyone: phase 1(a), for every slot from one on.
    Prepare { epoch: Epoch, ballot: View, from: Height },
    /// To the candidate: phase 1(b).
    Promise(Promise),
    /// Leader to everyone: phase 2(a), one slot each.
    Accept { lead: Lead, blocks: Vec<SealedBlock> },
    /// To the leader: phase 2(b). Covers the blocks below of the same ballot.
    Accepted { epoch: Epoch, ballot: View, slot: Height, block: Digest },
    /// To a proposer: a higher ballot was promised.
    Nack { epoch: Epoch, ballot: View },
    /// Leader to everyone: what is chosen, where no `Accept` follows that says it.
    Chosen(Lead),
    /// Leader to everyone: a sign of life.
    Heartbeat(Lead),
    /// Leader to everyone: does my ballot still stand?
    Confirm { epoch: Epoch, ballot: View, round: u64 },
    /// The answer: nothing higher was promised.
    Confirmed { epoch: Epoch, ballot: View, round: u64 },
    /// To the leader: a client's question, to be answered with a height.
    Read { epoch: Epoch, id: u64 },
    /// The answer: whoever has this height final is new enough.
    ReadAt { epoch: Epoch, id: u64, height: Height },
    /// "Send me this block and its ancestors above a height."
    FetchBlocks { block: Digest, above: Height },
    /// The answer, in ascending height.
    Blocks(Vec<SealedBlock>),
    /// "Send me final blocks from this height on."
    FetchFinals { from: Height },
    /// The answer.
    Finals(Finals),
    /// "This is where I am": on start, and in place of what makes no sense across epochs.
    Status { epoch: Epoch, final_height: Height },
}

impl Bounded for Message {
    const MAX_BYTES: usize = 8 * 1024 * 1024;
}

/// What every word of a leader says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Lead {
    pub epoch: Epoch,
    pub ballot: View,
    /// Its newest proposal. Every block between the final chain and this one it proposes as well.
    pub head: BlockRef,
    /// The highest block that it knows to be chosen.
    pub chosen: BlockRef,
}

/// "I accept nothing below this ballot any more; this is what I accepted."
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Promise {
    pub epoch: Epoch,
    pub ballot: View,
    /// Everything up to here is chosen, and final at the sender.
    pub final_height: Height,
    /// In ascending slots.
    pub accepted: Vec<Entry>,
}

impl Message {
    /// The epoch it speaks of; catching up does not depend on one.
    pub(super) fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Prepare { epoch, .. }
            | Self::Accepted { epoch, .. }
            | Self::Nack { epoch, .. }
            | Self::Confirm { epoch, .. }
            | Self::Confirmed { epoch, .. }
            | Self::Read { epoch, .. }
            | Self::ReadAt { epoch, .. } => Some(*epoch),
            Self::Promise(promise) => Some(promise.epoch),
            Self::Accept { lead, .. } | Self::Chosen(lead) | Self::Heartbeat(lead) => {
                Some(lead.epoch)
            }
            Self::Blocks(blocks) => blocks.first().map(|block| block.header.epoch),
            Self::Finals(finals) => finals.blocks.first().map(|block| block.header.epoch),
            Self::FetchBlocks { .. } | Self::FetchFinals { .. } | Self::Status { .. } => None,
        }
    }
}

/// An own message that waits for the disk.
#[derive(Clone, Debug)]
pub struct Draft(pub(super) Message);
