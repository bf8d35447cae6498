//! What a chain starts from.

use chain::access::Roles;
use chain::genesis::{GenesisError, genesis_state};
use chain::state::State;
use chain::types::{Address, Epoch, View};
use chain::validator::{Validator, ValidatorSet};

use crate::spec::Genesis;

impl Genesis {
    /// The validators of epoch 0. Meaningful only for a genesis that
    /// [validates](Genesis::validate).
    pub fn validator_set(&self) -> ValidatorSet {
        let validators = self.validators.iter().map(|validator| Validator {
            consensus_key: validator.consensus_key,
            network_key: validator.network_key,
            governance_key: validator.governance_key,
            jailed: false,
            accused: false,
            since: Epoch::new(0),
        });
        ValidatorSet::new(Epoch::new(0), View::new(0), self.max_faulty(), validators)
    }

    fn granted_roles(&self) -> impl Iterator<Item = (Address, Roles)> {
        self.roles.iter().map(|entry| {
            let mut roles = Roles::default();
            entry.roles.iter().for_each(|role| roles.set(*role, true));
            (entry.address, roles)
        })
    }

    /// The state before the first block.
    ///
    /// # Errors
    /// [`GenesisError`] where the genesis does not [validate](Genesis::validate).
    pub fn state(&self) -> Result<State, GenesisError> {
        let balances = self.balances.iter().map(|balance| (balance.address, balance.amount));
        genesis_state(balances, self.validator_set(), self.parameters(), self.granted_roles())
    }
}

#[cfg(test)]
mod tests {
    use chain::access::{AccessMode, Role};
    use chain::types::{Address, Amount, ValidatorIndex};
    use consensus::engine::FaultModel;
    use consensus::registry::EngineName;

    use crate::spec::tests::example;
    use crate::spec::{Genesis, GenesisRoles};

    #[test]
    fn a_valid_genesis_builds_what_it_says() {
        let mut genesis = example(4);
        let set = genesis.validator_set();
        set.check().unwrap();
        assert_eq!(
            (set.len(), set.max_faulty, set.epoch.get(), set.first_view.get()),
            (4, 1, 0, 0)
        );
        assert_eq!(
            set.get(ValidatorIndex::new(2)).unwrap().network_key,
            genesis.validators[2].network_key
        );

        let root = genesis.state().unwrap().root();
        genesis.balances.reverse();
        assert_eq!(genesis.state().unwrap().root(), root, "the order of balances means nothing");
        genesis.balances[0].amount = Amount::new(1);
        assert_ne!(genesis.state().unwrap().root(), root);
    }

    #[test]
    fn the_rules_and_roles_are_in_the_state() {
        let address = Address([7; 20]);
        let roles = vec![Role::Observer, Role::Member];
        for engine in EngineName::ALL {
            let genesis = Genesis {
                engine: *engine,
                access: AccessMode::Members,
                roles: vec![GenesisRoles { address, roles: roles.clone() }],
                ..example(4)
            };
            genesis.validate().unwrap();
            let state = genesis.state().unwrap();
            let found = state.roles(&address);
            assert_eq!((found.member, found.observer, found.reader), (true, true, false));
            let rules = state.parameters();
            assert_eq!(rules.access, AccessMode::Members);
            assert_eq!(rules.block_bytes, genesis.limits.block_bytes);
            assert_eq!(rules.crash_only, engine.fault_model() == FaultModel::Crash);
        }
    }
}
