use super::*;
use crate::testing::{address, validators};
use crate::types::ValidatorIndex;

fn amounts(balances: &[(u16, u128)]) -> Vec<(Address, Amount)> {
    balances.iter().map(|(number, balance)| (address(*number), Amount::new(*balance))).collect()
}

#[test]
fn the_state_holds_the_balances_the_supply_and_the_first_set() {
    let state = genesis_state(
        amounts(&[(0, 70), (1, 0), (2, 30)]),
        validators(4),
        Parameters::default(),
        [],
    )
    .unwrap();
    assert_eq!(state.account(&address(0)).balance, Amount::new(70));
    assert_eq!(state.chain(), ChainRecord { epoch: Epoch::new(0), total_supply: Amount::new(100) });
    assert_eq!(state.validators(), &validators(4));
    assert_eq!(state.entry_count(), 0);
    // An account without anything has no record: two accounts, the chain, its
    // parameters, the validators.
    assert_eq!(state.records().count(), 5);
    let without =
        genesis_state(amounts(&[(2, 30), (0, 70)]), validators(4), Parameters::default(), [])
            .unwrap();
    assert_eq!(state.root(), without.root());
}

#[test]
fn impossible_beginnings_are_refused() {
    let refused = |balances: &[(u16, u128)], set| {
        genesis_state(amounts(balances), set, Parameters::default(), [])
            .map(|state| state.root())
            .unwrap_err()
    };
    assert_eq!(
        refused(&[(0, 1), (0, 2)], validators(4)),
        GenesisError::DuplicateAccount(address(0))
    );
    assert_eq!(refused(&[(0, u128::MAX), (1, 1)], validators(4)), GenesisError::SupplyOverflow);
    let mut later = validators(4);
    later.epoch = Epoch::new(1);
    assert_eq!(refused(&[], later), GenesisError::NotFirstSet);
    let mut jailed = validators(4);
    jailed.get_mut(ValidatorIndex::new(2)).unwrap().jailed = true;
    assert_eq!(refused(&[], jailed), GenesisError::NotFirstSet);
    let mut weak = validators(4);
    weak.max_faulty = 2;
    assert!(matches!(refused(&[], weak), GenesisError::State(StateError::Validators(_))));
}
