//! A validator that says everything many times over, with junk between.

use consensus::engine::Recipients;
use consensus::message::EngineMessage;
use consensus_sim::byzantine::flood_of;

use super::{Identity, Misbehaviour, Sent};

/// Floods as the simulator's liar does.
#[derive(Debug)]
pub(super) struct Flood;

impl<M: EngineMessage> Misbehaviour<M> for Flood {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &M) -> Option<Sent<M>> {
        Some(flood_of(message, &me.chain_id).map(|message| (to, message)).collect())
    }
}
