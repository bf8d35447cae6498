//! What a chain starts from.

use chain::types::{Epoch, View};
use chain::validator::{Validator, ValidatorSet};

use crate::spec::Genesis;

impl Genesis {
    /// The validators of epoch 0. Meaningful only for a genesis that
    /// [validates](Genesis::validate).
    pub fn validator_set(&self) -> ValidatorSet {
        let validators = self
            .validators
            .iter()
            .map(|validator| Validator {
                consensus_key: validator.consensus_key,
                network_key: validator.network_key,
                governance_key: validator.governance_key,
                jailed: false,
                accused: false,
                since: Epoch::new(0),
            })
            .collect();
        ValidatorSet {
            epoch: Epoch::new(0),
            first_view: View::new(0),
            max_faulty: self.max_faulty(),
            validators,
        }
    }
}
