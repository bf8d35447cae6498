//! What a message is for, in words that all engines share: the page colours by it.

use chain::certificate::VoteKind;
use serde::Serialize;

/// The class of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A leader's new blocks.
    Append,
    /// An answer to that without a signed vote.
    Ack,
    /// A vote that a block is the one at its place.
    Prepare,
    /// A vote that a block is prepared, or the news that it is final.
    Commit,
    /// Elections and changes of view.
    ViewChange,
    /// Blocks for somebody who lacks them.
    Block,
    /// Catching up.
    Sync,
    /// Signs of life, evidence, reads.
    Other,
}

impl Class {
    /// The class of a message of this kind, by what its last vote says where it carries votes.
    pub fn of(kind: &str, vote: Option<VoteKind>) -> Self {
        match (kind, vote) {
            ("votes", Some(VoteKind::Commit)) => Self::Commit,
            ("votes", _) => Self::Prepare,
            _ => Self::named(kind).unwrap_or(Self::Other),
        }
    }

    /// The class of a kind that is always for the same; `None` where no engine has it.
    fn named(kind: &str) -> Option<Self> {
        Some(match kind {
            "append" | "pre_prepare" | "accept" => Self::Append,
            "append_reply" | "accepted" => Self::Ack,
            "votes" => Self::Prepare,
            "commit_notice" | "decided" | "chosen" | "checkpoint" => Self::Commit,
            "suspect" | "view_change" | "new_view" | "view_ack" | "pre_vote_request"
            | "pre_vote_reply" | "vote_request" | "vote_reply" | "timeout_now" | "prepare"
            | "promise" | "nack" => Self::ViewChange,
            "blocks" => Self::Block,
            "fetch_blocks" | "fetch_finals" | "finals" | "status" => Self::Sync,
            "heartbeat" | "evidence" | "read" | "read_at" | "read_reply" | "confirm"
            | "confirmed" => Self::Other,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use consensus::registry::EngineName;
    use consensus_sim::simulate::{Request, Story, Variation};

    use super::*;

    /// Whatever engines say has a class: also in those that are added later.
    #[test]
    fn every_kind_of_message_has_a_class() {
        let mut kinds = 0;
        for &engine in EngineName::ALL {
            for scenario in ["leader-crash", "partition", "lossy", "restart-all"] {
                let request = Request {
                    engine,
                    story: Story::named(scenario).expect("a scenario"),
                    validators: 4,
                    seed: 1,
                    duration: None,
                    variation: Variation::default(),
                };
                let report = request.run().expect("it runs");
                for kind in report.messages_by_kind.keys() {
                    kinds += 1;
                    assert!(Class::named(kind).is_some(), "{engine} says {kind:?}");
                }
            }
        }
        println!("{kinds} kinds in 16 runs");
    }

    #[test]
    fn votes_are_told_by_what_they_say() {
        assert_eq!(Class::of("votes", Some(VoteKind::Prepare)), Class::Prepare);
        assert_eq!(Class::of("votes", Some(VoteKind::PbftPrepare)), Class::Prepare);
        assert_eq!(Class::of("votes", Some(VoteKind::Commit)), Class::Commit);
        assert_eq!(Class::of("append", Some(VoteKind::Commit)), Class::Append);
    }
}
