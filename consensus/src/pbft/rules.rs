//! The decisions that safety hangs on, each small enough to be wrong in a test and nowhere else.

use chain::certificate::Ballot;
use chain::quorum::Quorums;
use chain::types::Height;

use super::message::Prepared;
use super::promises::keep_vote;

/// High watermark above low: no block further than this above the last final one is accepted, so
/// one faulty primary cannot use up the sequence numbers or the memory of its backups.
pub const LOG_SIZE: u64 = 16;

/// The rules of the paper, as default implementations. A test overrides one to plant a bug.
pub trait Rules: std::fmt::Debug + Send + 'static {
    /// B5, B7: how many prepares, the primary's among them, or commits decide.
    fn quorum(quorums: &Quorums) -> usize {
        quorums.quorum
    }

    /// B3: whether a height is between the watermarks.
    fn between_watermarks(height: Height, low: Height) -> bool {
        low < height && height.get() <= low.get() + LOG_SIZE
    }

    /// B4, B6: what the record keeps of the votes of the current view.
    fn keep_vote(votes: &mut Vec<Ballot>, vote: Ballot) {
        keep_vote(votes, vote);
    }

    /// B6: whether an accepted block may be committed.
    fn may_commit(prepared: bool, all_below_prepared: bool) -> bool {
        prepared && all_below_prepared
    }

    /// B14: which of the prepared blocks reported for one height a new view starts from.
    fn choose<'a>(reported: &[&'a Prepared]) -> Option<&'a Prepared> {
        reported.iter().copied().max_by_key(|prepared| prepared.view())
    }

    /// B15: whether a report's prepared block counts.
    fn accepts_prepared(certificate_verifies: bool) -> bool {
        certificate_verifies
    }
}

/// The rules as they are.
#[derive(Debug)]
pub struct Paper;

impl Rules for Paper {}
