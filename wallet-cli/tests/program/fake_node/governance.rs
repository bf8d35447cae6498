//! Proposals of four validators, whose keys all grow from one seed each.

use std::collections::BTreeMap;

use chain::access::{Role, Roles};
use chain::crypto::{Keypair, PublicKey};
use chain::governance::{Change, GovernanceAction};
use chain::receipt::GovernanceRefusal;
use chain::types::{Address, Height, ValidatorIndex};
use node_api::governance::{Approval, ProposalInfo, ProposalState, WaitsFor};

use super::validator;

/// Approvals that pass a proposal.
pub(super) const QUORUM: u32 = 3;
/// Blocks for which a proposal stays open.
const LIFETIME: u64 = 100;

#[derive(Default)]
pub(super) struct Governance {
    proposals: Vec<ProposalInfo>,
    roles: BTreeMap<Address, Roles>,
}

/// The validator that an account governs for.
fn governor(account: Address) -> Option<(u8, PublicKey)> {
    let key = |index| Keypair::from_seed(&[validator(index); 32]).public();
    (0..4).map(|index| (index, key(index))).find(|(_, key)| key.address() == account)
}

impl Governance {
    pub(super) fn roles(&self, address: &Address) -> Vec<Role> {
        let roles = self.roles.get(address).copied().unwrap_or_default();
        Role::ALL.into_iter().filter(|role| roles.has(*role)).collect()
    }

    /// As they stand at a height, newest first.
    pub(super) fn proposals(&self, height: u64) -> Vec<ProposalInfo> {
        let mut proposals = self.proposals.clone();
        proposals.reverse();
        for proposal in proposals.iter_mut().filter(|proposal| proposal.status.is_pending()) {
            proposal.expires_in = proposal.expires.get().saturating_sub(height);
        }
        proposals
    }

    pub(super) fn apply(
        &mut self,
        action: &GovernanceAction,
        sender: Address,
        height: u64,
    ) -> Result<(), GovernanceRefusal> {
        let (index, key) = governor(sender).ok_or(GovernanceRefusal::NotAGovernor)?;
        match action {
            GovernanceAction::Propose { change } => self.propose(change.clone(), key, height),
            GovernanceAction::Withdraw { proposal } => {
                let found = self.find(*proposal)?;
                if found.proposer != key {
                    return Err(GovernanceRefusal::NotTheProposer);
                }
                close(found, ProposalState::Withdrawn, height);
                return Ok(());
            }
            GovernanceAction::Approve { .. } => {}
            GovernanceAction::Ready { .. } => return Err(GovernanceRefusal::NotAwaited),
        }
        let id = match action {
            GovernanceAction::Approve { proposal } => *proposal,
            _ => self.proposals.len() as u64,
        };
        let found = self.find(id)?;
        if found.approvals.iter().any(|approval| approval.validator == key) {
            return Err(GovernanceRefusal::AlreadyApproved);
        }
        let (name, index) = (format!("node{index}"), ValidatorIndex::new(index.into()));
        found.approvals.push(Approval { validator: key, name: Some(name), index: Some(index) });
        found.counted += 1;
        found.waits_for = WaitsFor::Approvals { missing: QUORUM - found.counted.min(QUORUM) };
        if found.counted == QUORUM {
            let change = found.change.clone();
            match change {
                Change::AddValidator { candidate } => {
                    found.status = ProposalState::AwaitsReady;
                    found.waits_for = WaitsFor::Ready { consensus_key: candidate.consensus_key };
                }
                change => {
                    close(found, ProposalState::Executed, height);
                    self.execute(&change);
                }
            }
        }
        Ok(())
    }

    fn propose(&mut self, change: Change, proposer: PublicKey, height: u64) {
        self.proposals.push(ProposalInfo {
            id: self.proposals.len() as u64 + 1,
            change,
            status: ProposalState::Open,
            settled_at: None,
            proposer,
            proposer_name: governor(proposer.address()).map(|(index, _)| format!("node{index}")),
            proposed_at: Height::new(height),
            expires: Height::new(height + LIFETIME),
            expires_in: LIFETIME,
            approvals: Vec::new(),
            counted: 0,
            quorum: QUORUM,
            waits_for: WaitsFor::Nothing,
        });
    }

    fn find(&mut self, id: u64) -> Result<&mut ProposalInfo, GovernanceRefusal> {
        let found = self.proposals.iter_mut().find(|proposal| proposal.id == id);
        found
            .filter(|proposal| proposal.status.is_pending())
            .ok_or(GovernanceRefusal::NoSuchProposal)
    }

    fn execute(&mut self, change: &Change) {
        if let Change::Grant { account, role } | Change::Revoke { account, role } = change {
            let granted = matches!(change, Change::Grant { .. });
            self.roles.entry(*account).or_default().set(*role, granted);
        }
    }
}

fn close(proposal: &mut ProposalInfo, status: ProposalState, height: u64) {
    proposal.status = status;
    proposal.settled_at = Some(Height::new(height));
    proposal.expires_in = 0;
    proposal.waits_for = WaitsFor::Nothing;
}
