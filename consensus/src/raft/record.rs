//! Every promise of a server: its term, its vote and its log (Raft's persistent state, 3.4).

use bincode::{Decode, Encode};
use chain::codec::Bounded;
use chain::crypto::PublicKey;
use chain::types::{Epoch, View};

use super::message::LogEnd;
use crate::tree::BlockRef;

/// What must be on disk before a message that rests on it leaves. The entries of the log are blocks
/// that the driver writes along: each names its parent, so the last one names the log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Promises {
    pub epoch: Epoch,
    /// The highest term seen.
    pub term: View,
    /// The candidate voted for in `term`, by its key: a seat may have another holder later.
    pub voted_for: Option<PublicKey>,
    /// The end of the log. Moving it is appending and truncating.
    pub tip: BlockRef,
    /// The end of a log that this server had and lost with its chain: until it has as much again it
    /// neither stands for election nor votes for anybody with less.
    pub lost: Option<LogEnd>,
}

impl Bounded for Promises {
    const MAX_BYTES: usize = 4 * 1024;
}
