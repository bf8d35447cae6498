//! A leader that streams blocks and keeps their certificates to itself.

use chain::certificate::Certificate;
use consensus::engine::Recipients;
use consensus::message::{EngineMessage, Rewrite};

use super::{Identity, Misbehaviour, Sent};

/// Takes the certificates out of what it sends. What is there to show finality is held back, and
/// so is a block that carries a certificate on chain: without it it would be another block.
#[derive(Debug)]
pub(super) struct Withhold;

#[derive(Default)]
struct Strip {
    stripped: bool,
}

impl Rewrite for Strip {
    fn certificate(&mut self, _: &Certificate) -> Option<Certificate> {
        self.stripped = true;
        None
    }
}

impl<M: EngineMessage> Misbehaviour<M> for Withhold {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &M) -> Option<Sent<M>> {
        let tells = |block: &chain::block::SealedBlock| {
            me.proposed(block) && block.justification.certificate.is_some()
        };
        if message.shows_finality() || message.proposals().iter().any(tells) {
            return Some(Vec::new());
        }
        let mut strip = Strip::default();
        let bare = message.rewrite(&me.chain_id, &mut strip);
        strip.stripped.then(|| vec![(to, bare)])
    }
}
