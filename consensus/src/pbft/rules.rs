//! The decisions that safety hangs on, each small enough to be wrong in a test and nowhere else.

use chain::certificate::Ballot;
use chain::quorum::Quorums;
use chain::types::Height;

use super::message::Prepared;

/// The paper's K: a checkpoint is taken at every height that this divides.
pub const CHECKPOINT_INTERVAL: u64 = 6;
/// The paper's L, high watermark above low: no block further than this above the last final one is
/// accepted, so one faulty primary cannot use up the sequence numbers or the memory of its backups,
/// and the new-view message of a set of 128 stays below the largest message.
pub const LOG_SIZE: u64 = 2 * CHECKPOINT_INTERVAL;

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

    /// B4, B6: whether a vote of the current view goes to disk with its block.
    fn keeps_vote(_earlier: &[Ballot], _vote: &Ballot) -> bool {
        true
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
#[derive(Clone, Copy, Debug)]
pub struct Paper;

impl Rules for Paper {}
