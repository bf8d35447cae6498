//! Evidence against a validator: it jails the accused and ends the epoch.

use crate::crypto::Verifier;
use crate::evidence::Evidence;
use crate::execute::{Executor, InvalidReason};
use crate::receipt::{Outcome, Receipt};
use crate::state::State;
use crate::types::{Digest, ValidatorIndex};
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

/// Where the accused sits in the current set, if the evidence counts.
fn accused_place(
    state: &State,
    current: &ValidatorSet,
    evidence: &Evidence,
    chain_id: &Digest,
    verifier: &dyn Verifier,
) -> Option<ValidatorIndex> {
    let old = state.validators_of(evidence.epoch())?;
    let key = &old.get(evidence.accused())?.consensus_key;
    let place = current.index_of(key)?;
    let accused = current.get(place)?;
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
        let view = self.context.view;
        let next = self.next_validators.get_or_insert_with(|| state.validators().successor(view));
        let jailed = next.members().filter(|(_, validator)| validator.jailed).count();
        let may_jail = jailed < usize::from(next.max_faulty);
        let accused = next.get_mut(place).expect("its place in this set");
        accused.accused = true;
        accused.jailed |= may_jail;
        self.receipts.push(Receipt { transaction: hash, outcome: Outcome::Success });
        Ok(())
    }
}
