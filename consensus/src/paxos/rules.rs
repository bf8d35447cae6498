//! The decisions on which the safety of the log hangs, beyond those of one slot.
//!
//! docs/protocol/paxos.md. The defaults are the protocol; tests plant a bug by overriding one.

use chain::types::View;

use super::single::{self, Paper};
use crate::tree::BlockRef;

/// What a chain of blocks adds to [`single::Rules`].
pub trait Rules: single::Rules {
    /// A3: of the blocks that a proposal rests on, lowest first, those that must be accepted with
    /// it: all of them, in order.
    fn due(path: &[BlockRef]) -> &[BlockRef] {
        path
    }

    /// A4: a block is accepted only if its parent is final or was accepted in the same ballot.
    fn follows(parent_final: bool, parent_accepted: Option<View>, ballot: View) -> bool {
        parent_final || parent_accepted == Some(ballot)
    }

    /// R1: nothing is proposed or accepted above a barrier that is not final.
    fn stops_above_barrier() -> bool {
        true
    }
}

impl Rules for Paper {}
