//! Notices that this node's store has forgotten votes of its validator: an old copy of the disk was
//! put back, or another process votes with the same key.
//!
//! A certificate that others show may hold this validator's own signature. Where that stands above
//! everything that the safety record knows of, the record is not the newest one, and whatever is
//! voted from it may contradict what was voted before. Nobody can forge such a certificate: the
//! signature is checked with the validator's own key. Engines without signed votes show none.

use std::cell::LazyCell;

use chain::certificate::{Certificate, Position};
use chain::crypto::Verifier;
use chain::types::Digest;
use consensus::engine::{Engine, Promised};
use consensus::message::EngineMessage;

/// A vote of this validator that its store knows nothing of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this validator voted at height {height} in view {view} of epoch {epoch}, and its store knows \
     nothing of that: it is an older copy, or another process votes with the same key. It must not \
     vote again: keep this node stopped, let the other one run if there is one, or let governance \
     replace the key",
    height = .0.height, view = .0.view, epoch = .0.epoch
)]
pub struct Rollback(pub Position);

/// Looks for a vote of an engine's own validator that its record knows nothing of.
pub(super) fn check<'a, E: Engine>(
    engine: &E,
    chain_id: &Digest,
    verifier: &dyn Verifier,
    messages: impl IntoIterator<Item = &'a E::Message>,
) -> Result<(), Rollback> {
    let Some(me) = engine.me() else {
        return Ok(());
    };
    let set = engine.validators();
    let Some(own) = set.get(me) else {
        return Ok(());
    };
    // Both cost more than all the rest, and are rarely needed.
    let promised = LazyCell::new(|| E::promised(&engine.record()));
    let final_height = LazyCell::new(|| engine.status().final_height);
    for certificate in messages.into_iter().flat_map(shown) {
        let ballot = &certificate.ballot;
        // Records keep no votes of closed epochs.
        if ballot.position.epoch != set.epoch {
            continue;
        }
        let signature = certificate.signatures.iter().find(|(signer, _)| *signer == me);
        let Some((_, signature)) = signature else {
            continue;
        };
        // Nor do they keep all of those at heights that are final.
        if promised.as_ref().is_some_and(|promised| !covers(promised, ballot.position))
            && ballot.position.height > *final_height
            && verifier.verify(&own.consensus_key, &ballot.digest(chain_id), signature)
        {
            return Err(Rollback(ballot.position));
        }
    }
    Ok(())
}

/// The certificates that a message holds, in whatever it carries.
fn shown<M: EngineMessage>(message: &M) -> impl Iterator<Item = &Certificate> {
    let finals = message.finals().map_or(&[][..], |finals| &finals.blocks);
    let blocks = message.proposals().iter().chain(finals);
    let carried = blocks.filter_map(|block| block.justification.certificate.as_ref());
    message.certificates().into_iter().chain(carried)
}

/// Whether a record may know of a vote at this place.
fn covers(promised: &Promised, vote: Position) -> bool {
    let at = (promised.epoch, promised.view);
    let voted = promised.voted.as_ref().map(|voted| (voted.view, voted.height));
    (vote.epoch, vote.view) < at
        || (vote.epoch, vote.view) == at && voted >= Some((vote.view, vote.height))
}

#[cfg(test)]
mod tests {
    use chain::types::{Epoch, Height, View};
    use consensus::engine::Voted;

    use super::*;

    fn promised(epoch: u64, view: u64, voted: Option<(u64, u64)>) -> Promised {
        let voted = voted.map(|(view, height)| Voted {
            view: View::new(view),
            height: Height::new(height),
            block: Digest([1; 32]),
        });
        Promised { epoch: Epoch::new(epoch), view: View::new(view), led: None, voted }
    }

    #[test]
    fn only_votes_above_everything_promised_are_unknown() {
        let at = |epoch, view, height| Position {
            epoch: Epoch::new(epoch),
            view: View::new(view),
            height: Height::new(height),
        };
        let record = promised(2, 5, Some((5, 40)));
        for known in [at(2, 5, 40), at(2, 5, 39), at(2, 4, 90), at(1, 9, 90)] {
            assert!(covers(&record, known), "{known:?}");
        }
        for unknown in [at(2, 5, 41), at(2, 6, 1), at(3, 0, 1)] {
            assert!(!covers(&record, unknown), "{unknown:?}");
        }
        // It moved to a view and voted in none of it.
        for voted in [None, Some((4, 90))] {
            assert!(!covers(&promised(2, 5, voted), at(2, 5, 41)));
            assert!(covers(&promised(2, 5, voted), at(2, 4, 80)));
        }
    }
}
