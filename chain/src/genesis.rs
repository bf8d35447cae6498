//! The state that a chain starts from.

use std::collections::BTreeSet;

use crate::access::Roles;
use crate::governance::Parameters;
use crate::state::{Account, ChainRecord, RecordKey, RecordValue, State, StateError};
use crate::types::{Address, Amount, Epoch, View};
use crate::validator::ValidatorSet;

/// A beginning that no chain can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    #[error("the account {0} is listed twice")]
    DuplicateAccount(Address),
    #[error("the roles of {0} are listed twice")]
    DuplicateRoles(Address),
    #[error("{0}")]
    Parameters(String),
    #[error("the balances exceed the largest amount")]
    SupplyOverflow,
    #[error("the first validator set must be of epoch 0 and view 0, nobody jailed or accused")]
    NotFirstSet,
    #[error(transparent)]
    State(#[from] StateError),
}

/// The state before the first block: these balances, parameters and roles, an empty key-value
/// store, and the validators of epoch 0.
///
/// # Errors
/// [`GenesisError`] with what is wrong.
pub fn genesis_state(
    balances: impl IntoIterator<Item = (Address, Amount)>,
    validators: ValidatorSet,
    parameters: Parameters,
    roles: impl IntoIterator<Item = (Address, Roles)>,
) -> Result<State, GenesisError> {
    let first = Epoch::new(0);
    let fresh = validators.epoch == first
        && validators.first_view == View::new(0)
        && validators.members().all(|(_, v)| v.since == first && !v.jailed && !v.accused);
    if !fresh {
        return Err(GenesisError::NotFirstSet);
    }
    let mut records = Vec::new();
    let mut total_supply = Amount::ZERO;
    let mut seen = BTreeSet::new();
    for (address, balance) in balances {
        if !seen.insert(address) {
            return Err(GenesisError::DuplicateAccount(address));
        }
        total_supply = total_supply.checked_add(balance).ok_or(GenesisError::SupplyOverflow)?;
        if balance != Amount::ZERO {
            let account = Account { balance, nonce: 0, key: None };
            records.push((RecordKey::Account(address), RecordValue::Account(account)));
        }
    }
    let mut seen = BTreeSet::new();
    for (address, roles) in roles {
        if !seen.insert(address) {
            return Err(GenesisError::DuplicateRoles(address));
        }
        if !roles.is_empty() {
            records.push((RecordKey::Roles(address), RecordValue::Roles(roles)));
        }
    }
    if let Some(problem) = parameters.problems().into_iter().next() {
        return Err(GenesisError::Parameters(problem));
    }
    records.push((RecordKey::Parameters, RecordValue::Parameters(parameters)));
    let chain = ChainRecord { epoch: first, total_supply };
    records.push((RecordKey::Chain, RecordValue::Chain(chain)));
    records.push((RecordKey::Validators(first), RecordValue::Validators(Box::new(validators))));
    Ok(State::from_records(records)?)
}

#[cfg(test)]
mod tests;
