//! Evidence against a validator: it jails the accused and ends the epoch.

use crate::crypto::Verifier;
use crate::evidence::Evidence;
use crate::execute::{Executor, InvalidReason};
use crate::receipt::{Outcome, Receipt};
use crate::state::State;
use crate::types::Digest;
use crate::validator::ValidatorSet;

/// Whether a block on top of `state` may contain this evidence: it is genuine, the accused is still
/// a validator, was not accused before, and was not admitted or pardoned since.
pub fn evidence_counts(
    state: &State,
    evidence: &Evidence,
    chain_id: &Digest,
    verifier: &dyn Verifier,
) -> bool {
    accused_place(state, state.validators(), evidence, chain_id, verifier).is_some()
}

/// Where the accused stands in the current set, if the evidence counts.
fn accused_place(
    state: &State,
    current: &ValidatorSet,
    evidence: &Evidence,
    chain_id: &Digest,
    verifier: &dyn Verifier,
) -> Option<usize> {
    let old = state.validators_of(evidence.epoch())?;
    let key = &old.get(evidence.accused())?.consensus_key;
    let place = current.index_of(key)?.as_usize();
    let accused = &current.validators[place];
    let counts = !accused.accused
        && evidence.epoch() >= accused.since
        && evidence.verify(chain_id, old, verifier);
    counts.then_some(place)
}

impl Executor<'_> {
    /// # Errors
    /// [`InvalidReason`] where it must not be in the block.
    pub(crate) fn apply_evidence(
        &mut self,
        evidence: &Evidence,
        hash: Digest,
    ) -> Result<(), InvalidReason> {
        if self.signed {
            return Err(InvalidReason::EvidenceNotFirst);
        }
        let state = self.draft.base();
        let current = self.next_validators.as_ref().unwrap_or(state.validators());
        let place =
            accused_place(state, current, evidence, &self.context.chain_id, self.context.verifier)
                .ok_or(InvalidReason::EvidenceDoesNotCount)?;
        let mut next = self.next_validators.take().unwrap_or_else(|| self.next_set());
        let jailed = next.validators.iter().filter(|validator| validator.jailed).count();
        let accused = &mut next.validators[place];
        accused.accused = true;
        accused.jailed = accused.jailed || jailed < usize::from(next.max_faulty);
        self.next_validators = Some(next);
        self.receipts.push(Receipt { transaction: hash, outcome: Outcome::Success });
        Ok(())
    }
}
