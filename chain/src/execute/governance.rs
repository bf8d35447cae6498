//! What the validators decide together: docs/protocol/governance.md.
//!
//! Who decides are the validators of the epoch that the block belongs to, also where an earlier
//! transaction of the block ended it. Everything is checked before anything is written.

mod charter;
mod members;
mod proposals;
mod slack;

pub use charter::{AsWritten, Charter};

use crate::access::{Role, Roles};
use crate::crypto::PublicKey;
use crate::execute::Executor;
use crate::governance::{
    Change, GovernanceAction, Parameter, Parameters, Proposal, ProposalId, ProposalStatus,
    RECENT_BLOCKS,
};
use crate::receipt::GovernanceRefusal;
use crate::state::{RecordKey, RecordValue};
use crate::types::{Address, Digest, Height};
use crate::validator::ValidatorSet;

/// What a change makes of the state.
#[derive(Debug)]
enum Effect {
    Validators(ValidatorSet),
    Parameters(Parameters),
    Roles(Address, Roles),
}

impl Executor<'_> {
    pub(super) fn govern(
        &mut self,
        action: &GovernanceAction,
        sender: &Address,
    ) -> Result<(), GovernanceRefusal> {
        match action {
            GovernanceAction::Propose { change } => self.propose(self.governor(sender)?, change),
            GovernanceAction::Approve { proposal } => {
                self.approve(self.governor(sender)?, *proposal)
            }
            GovernanceAction::Withdraw { proposal } => {
                self.withdraw(&self.governor(sender)?, *proposal)
            }
            GovernanceAction::Ready { proposal, height, block } => {
                self.ready(sender, *proposal, *height, block)
            }
        }
    }

    /// The consensus key of the validator that this account governs for.
    fn governor(&self, account: &Address) -> Result<PublicKey, GovernanceRefusal> {
        let governors = self.charter.governors(self.draft.base());
        governors
            .into_iter()
            .find(|validator| validator.governance_key.address() == *account)
            .map(|validator| validator.consensus_key)
            .ok_or(GovernanceRefusal::NotAGovernor)
    }

    /// Those who decide in this block.
    fn voters(&self) -> &ValidatorSet {
        self.draft.base().validators()
    }

    fn propose(&mut self, proposer: PublicKey, change: &Change) -> Result<(), GovernanceRefusal> {
        let height = self.context.height();
        let record = self.draft.governance();
        let mut open = record.open.iter().filter_map(|id| self.draft.proposal(*id));
        if open.any(|proposal| proposal.proposer == proposer && proposal.is_open(height)) {
            return Err(GovernanceRefusal::ProposalOpen);
        }
        // Nobody is asked to approve what could not be done.
        self.effect(change)?;
        let lifetime = u64::from(self.draft.parameters().proposal_lifetime);
        let mut proposal = Proposal {
            id: record.newest.saturating_add(1),
            change: change.clone(),
            proposer,
            proposed_at: height,
            expires: Height::new(height.get().saturating_add(lifetime)),
            approvals: vec![proposer],
            status: ProposalStatus::Open,
        };
        let effect = self.settle(&mut proposal)?;
        self.enter(proposal);
        self.apply(effect);
        Ok(())
    }

    fn approve(&mut self, governor: PublicKey, id: ProposalId) -> Result<(), GovernanceRefusal> {
        let mut proposal = self.open_proposal(id)?;
        if !self.charter.is_new(&proposal.approvals, &governor) {
            return Err(GovernanceRefusal::AlreadyApproved);
        }
        proposal.approvals.retain(|key| self.charter.counts(self.voters(), key));
        proposal.approvals.push(governor);
        let effect = self.settle(&mut proposal)?;
        self.save(proposal);
        self.apply(effect);
        Ok(())
    }

    fn withdraw(&mut self, governor: &PublicKey, id: ProposalId) -> Result<(), GovernanceRefusal> {
        let mut proposal = self.open_proposal(id)?;
        if proposal.proposer != *governor {
            return Err(GovernanceRefusal::NotTheProposer);
        }
        proposal.status = ProposalStatus::Withdrawn { height: self.context.height() };
        self.save(proposal);
        Ok(())
    }

    fn ready(
        &mut self,
        sender: &Address,
        id: ProposalId,
        height: Height,
        block: &Digest,
    ) -> Result<(), GovernanceRefusal> {
        let mut proposal = self.open_proposal(id)?;
        let joiner = proposal.change.joiner().filter(|joiner| joiner.address() == *sender).copied();
        let awaited = proposal.status == ProposalStatus::AwaitsReady && self.has_quorum(&proposal);
        let joiner = joiner.filter(|_| awaited).ok_or(GovernanceRefusal::NotAwaited)?;
        if self.draft.recent(height).is_none_or(|recent| recent.hash != *block) {
            return Err(GovernanceRefusal::NotAtTip(RECENT_BLOCKS));
        }
        let effect = self.permitted(&proposal.change, Some(&joiner))?;
        proposal.status = ProposalStatus::Executed { height: self.context.height() };
        self.save(proposal);
        self.apply(Some(effect));
        Ok(())
    }

    /// Whether enough of those who vote now approved.
    fn has_quorum(&self, proposal: &Proposal) -> bool {
        let voters = self.voters();
        let approvals = proposal.approvals.iter().filter(|key| self.charter.counts(voters, key));
        self.charter.is_enough(voters, approvals.count())
    }

    /// Lets a proposal pass if a quorum approved: what is left to do then, unless it waits for its
    /// joiner.
    fn settle(&self, proposal: &mut Proposal) -> Result<Option<Effect>, GovernanceRefusal> {
        if !self.has_quorum(proposal) {
            return Ok(None);
        }
        let joiner = proposal.change.joiner();
        if joiner.is_some() && self.charter.awaits_joiner() {
            proposal.status = ProposalStatus::AwaitsReady;
            return Ok(None);
        }
        let effect = self.permitted(&proposal.change, joiner)?;
        proposal.status = ProposalStatus::Executed { height: self.context.height() };
        Ok(Some(effect))
    }

    /// What an approved change makes of the state, if it may be done now.
    fn permitted(
        &self,
        change: &Change,
        joiner: Option<&PublicKey>,
    ) -> Result<Effect, GovernanceRefusal> {
        let effect = self.effect(change)?;
        if let Effect::Validators(next) = &effect {
            if self.next_validators.is_some() {
                return Err(GovernanceRefusal::ChangeInFlight);
            }
            self.check_slack(next, joiner)?;
        }
        Ok(effect)
    }

    /// What a change would make of the state.
    fn effect(&self, change: &Change) -> Result<Effect, GovernanceRefusal> {
        match change {
            Change::SetParameter { parameter } => self.with_parameter(*parameter),
            Change::Grant { account, role } => self.with_role(*account, *role, true),
            Change::Revoke { account, role } => self.with_role(*account, *role, false),
            Change::AddValidator { .. }
            | Change::RemoveValidator { .. }
            | Change::RotateKey { .. }
            | Change::Jail { .. }
            | Change::Pardon { .. } => self.with_members(change).map(Effect::Validators),
        }
    }

    fn with_parameter(&self, parameter: Parameter) -> Result<Effect, GovernanceRefusal> {
        let current = self.draft.parameters();
        let next = current.with(parameter);
        if next == current {
            return Err(GovernanceRefusal::NoChange);
        }
        if !next.problems().is_empty() {
            return Err(GovernanceRefusal::BadParameter);
        }
        Ok(Effect::Parameters(next))
    }

    fn with_role(
        &self,
        account: Address,
        role: Role,
        granted: bool,
    ) -> Result<Effect, GovernanceRefusal> {
        let mut roles = self.draft.roles(account);
        if roles.has(role) == granted {
            return Err(GovernanceRefusal::NoChange);
        }
        roles.set(role, granted);
        Ok(Effect::Roles(account, roles))
    }

    fn apply(&mut self, effect: Option<Effect>) {
        match effect {
            None => {}
            Some(Effect::Validators(next)) => {
                self.close_orphans(&next);
                self.next_validators = Some(next);
            }
            Some(Effect::Parameters(parameters)) => {
                self.access = parameters.access;
                self.draft.put(RecordKey::Parameters, RecordValue::Parameters(parameters));
            }
            Some(Effect::Roles(account, roles)) if roles.is_empty() => {
                self.draft.erase(RecordKey::Roles(account));
            }
            Some(Effect::Roles(account, roles)) => {
                self.draft.put(RecordKey::Roles(account), RecordValue::Roles(roles));
            }
        }
    }
}

#[cfg(test)]
mod tests;
