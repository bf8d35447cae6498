//! What changes of the validators make of their set.

use crate::crypto::PublicKey;
use crate::execute::Executor;
use crate::governance::{Candidate, Change, KeyKind};
use crate::quorum::Quorums;
use crate::receipt::GovernanceRefusal;
use crate::types::{Epoch, ValidatorIndex};
use crate::validator::{Validator, ValidatorSet};

impl Executor<'_> {
    /// The set of the next epoch, if this one ended with the change.
    pub(super) fn with_members(&self, change: &Change) -> Result<ValidatorSet, GovernanceRefusal> {
        let mut next = self.voters().successor(self.context.view);
        match change {
            Change::AddValidator { candidate } => self.admit(&mut next, candidate)?,
            Change::RemoveValidator { validator } => {
                let index = index_of(&next, validator)?;
                next.remove(index).ok_or(GovernanceRefusal::UnknownValidator)?;
            }
            Change::RotateKey { validator, key, new_key } => {
                self.rotate(&mut next, validator, *key, *new_key)?;
            }
            Change::Jail { validator } => {
                let member = member_mut(&mut next, validator)?;
                if member.jailed {
                    return Err(GovernanceRefusal::NoChange);
                }
                member.jailed = true;
            }
            Change::Pardon { validator } => {
                let epoch = next.epoch;
                pardon(member_mut(&mut next, validator)?, epoch)?;
            }
            Change::SetParameter { .. } | Change::Grant { .. } | Change::Revoke { .. } => {
                return Err(GovernanceRefusal::NoChange);
            }
        }
        self.finished(next)
    }

    fn admit(
        &self,
        next: &mut ValidatorSet,
        candidate: &Candidate,
    ) -> Result<(), GovernanceRefusal> {
        let Candidate { consensus_key, network_key, governance_key } = *candidate;
        if next.len() >= ValidatorSet::MAX {
            return Err(GovernanceRefusal::SetSize);
        }
        for key in [consensus_key, network_key, governance_key] {
            self.check_new_key(next, &key)?;
        }
        if consensus_key == network_key
            || consensus_key == governance_key
            || network_key == governance_key
        {
            return Err(GovernanceRefusal::BadKey);
        }
        next.admit(Validator {
            consensus_key,
            network_key,
            governance_key,
            jailed: false,
            accused: false,
            since: next.epoch,
        });
        Ok(())
    }

    fn rotate(
        &self,
        next: &mut ValidatorSet,
        validator: &PublicKey,
        kind: KeyKind,
        new_key: PublicKey,
    ) -> Result<(), GovernanceRefusal> {
        let index = index_of(next, validator)?;
        let mut changed = member_mut(next, validator)?.clone();
        let key = match kind {
            KeyKind::Consensus => &mut changed.consensus_key,
            KeyKind::Network => &mut changed.network_key,
            KeyKind::Governance => &mut changed.governance_key,
        };
        if *key == new_key {
            return Err(GovernanceRefusal::NoChange);
        }
        self.check_new_key(next, &new_key)?;
        *key = new_key;
        if kind == KeyKind::Consensus {
            // A joiner, but a sentence goes with it.
            next.replace(index, Validator { accused: false, since: next.epoch, ..changed });
        } else {
            *member_mut(next, validator)? = changed;
        }
        Ok(())
    }

    /// A key that nobody in the set has, in whatever role.
    fn check_new_key(&self, set: &ValidatorSet, key: &PublicKey) -> Result<(), GovernanceRefusal> {
        let taken = set.members().any(|(_, member)| {
            [member.consensus_key, member.network_key, member.governance_key].contains(key)
        });
        if taken || !self.context.verifier.is_usable(key) {
            return Err(GovernanceRefusal::BadKey);
        }
        Ok(())
    }

    /// A changed set with the tolerance of its size, if it is a possible one.
    fn finished(&self, mut next: ValidatorSet) -> Result<ValidatorSet, GovernanceRefusal> {
        let resized = next.len() != self.voters().len();
        if resized && !self.draft.parameters().crash_only {
            let most = Quorums::default_max_faulty(next.len());
            next.max_faulty = u16::try_from(most).map_err(|_| GovernanceRefusal::SetSize)?;
        }
        let jailed = next.members().filter(|(_, member)| member.jailed).count();
        if jailed > usize::from(next.max_faulty) {
            return Err(GovernanceRefusal::TooManyJailed(next.max_faulty));
        }
        next.check().map_err(|_| GovernanceRefusal::SetSize)?;
        Ok(next)
    }
}

fn index_of(set: &ValidatorSet, key: &PublicKey) -> Result<ValidatorIndex, GovernanceRefusal> {
    set.index_of(key).ok_or(GovernanceRefusal::UnknownValidator)
}

fn member_mut<'a>(
    set: &'a mut ValidatorSet,
    key: &PublicKey,
) -> Result<&'a mut Validator, GovernanceRefusal> {
    let index = index_of(set, key)?;
    set.get_mut(index).ok_or(GovernanceRefusal::UnknownValidator)
}

/// Evidence from before `since` does not count any more.
fn pardon(member: &mut Validator, since: Epoch) -> Result<(), GovernanceRefusal> {
    if !member.jailed && !member.accused {
        return Err(GovernanceRefusal::NoChange);
    }
    member.jailed = false;
    member.accused = false;
    member.since = since;
    Ok(())
}
