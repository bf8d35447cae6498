//! What servers say to each other. docs/protocol/raft.md, table of messages.

use bincode::{Decode, Encode};
use chain::block::SealedBlock;
use chain::codec::Bounded;
use chain::crypto::PublicKey;
use chain::types::{Height, View};

use crate::application::Finals;
use crate::tree::BlockRef;

/// Everything a server sends to another. The channel says who speaks; nothing is signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Message {
    /// AppendEntries: entries, or a sign of life without any.
    Append(Append),
    AppendReply(AppendReply),
    /// RequestVote, also as the question before it (9.6).
    VoteRequest(VoteRequest),
    VoteReply(VoteReply),
    /// Leadership transfer (3.10): "stand for election now."
    TimeoutNow {
        term: View,
    },
    /// ReadIndex (6.4), follower to leader.
    Read {
        id: u64,
    },
    /// "Your state is new enough from this height on."
    ReadReply {
        id: u64,
        height: Height,
    },
    /// "Send me final blocks from this height on."
    FetchFinals {
        from: Height,
    },
    /// The answer: stands for InstallSnapshot.
    Finals(Finals),
}

impl Bounded for Message {
    const MAX_BYTES: usize = 8 * 1024 * 1024;
}

/// Where a log ends, in the order of "up to date": by the term of the last entry, then by length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct LogEnd {
    pub term: View,
    pub height: Height,
}

/// Entries for a follower's log.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Append {
    pub term: View,
    /// The entry before the first one sent.
    pub previous: BlockRef,
    /// In ascending height without gaps.
    pub blocks: Vec<SealedBlock>,
    /// Height of the leader's last committed entry.
    pub commit: Height,
    /// The leader's last round of heartbeats; none where no reply is needed if all is well.
    pub round: Option<u64>,
}

/// What a follower has, on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AppendReply {
    pub term: View,
    /// Up to here the follower's log is known to equal that of the leader of `term`.
    pub matched: Height,
    pub round: u64,
    /// The entry before the first one sent is not in the follower's log.
    pub conflict: Option<Conflict>,
}

/// Where to go on from (3.5, "the follower can include the term of the conflicting entry and the
/// first index it stores for that term").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Conflict {
    /// The height asked for that was not there or differed.
    pub at: Height,
    /// Term of the follower's entry there; none if its log is shorter.
    pub term: Option<View>,
    /// The follower's first entry of that term; one above its last if its log is shorter.
    pub first: Height,
}

/// "Vote for me", or with `asks_first` "would you?"
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct VoteRequest {
    /// The term to lead.
    pub term: View,
    pub log: LogEnd,
    pub asks_first: bool,
    /// On the leader's own request: those who hear it vote all the same.
    pub transfer: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct VoteReply {
    /// The term to lead if granted, else the voter's.
    pub term: View,
    /// By its key: nobody else counts this vote, wherever it sits.
    pub candidate: PublicKey,
    pub asks_first: bool,
    pub granted: bool,
    /// For a candidate that is behind.
    pub final_height: Height,
}
