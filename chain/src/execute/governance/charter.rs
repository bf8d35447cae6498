//! The decisions that say whose word counts, one small function each.
//!
//! [`AsWritten`] takes every default, and so does every chain that people run. Tests of the simulator
//! override one at a time and show that it notices.

use crate::crypto::PublicKey;
use crate::state::State;
use crate::validator::{Validator, ValidatorSet};

/// What docs/protocol/governance.md prescribes; "G2" is a line of it.
pub trait Charter: std::fmt::Debug + Send + Sync {
    /// "Current validators": whose governance keys may propose, approve and withdraw, in the state
    /// before the block.
    fn governors<'a>(&self, before: &'a State) -> Vec<&'a Validator> {
        before.validators().members().map(|(_, member)| member).collect()
    }

    /// G2: whether an approval adds to those that were given.
    fn is_new(&self, approvals: &[PublicKey], governor: &PublicKey) -> bool {
        !approvals.contains(governor)
    }

    /// G3: whether the approval that was given with this consensus key counts.
    fn counts(&self, voters: &ValidatorSet, approval: &PublicKey) -> bool {
        voters.index_of(approval).is_some()
    }

    /// G3: whether so many approvals that count are enough.
    fn is_enough(&self, voters: &ValidatorSet, approvals: usize) -> bool {
        approvals >= voters.quorums().quorum
    }

    /// G4: whether an approved change waits until its joiner says that it is there.
    fn awaits_joiner(&self) -> bool {
        true
    }
}

/// The rules as they are written.
#[derive(Clone, Copy, Debug)]
pub struct AsWritten;

impl Charter for AsWritten {}
