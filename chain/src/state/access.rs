//! Who may submit, and whose node may connect.

use crate::access::{AccessMode, Role};
use crate::crypto::PublicKey;
use crate::governance::{Change, GovernanceAction, Proposal, ProposalStatus};
use crate::namespace;
use crate::state::{Account, Draft, State};
use crate::transaction::{Body, Payload};
use crate::types::{Address, Height};

impl Account {
    /// Whether a transaction that names this account as its sender is signed with the key that
    /// signs for the account now.
    pub fn is_signed_by(&self, payload: &Payload) -> bool {
        match &self.key {
            Some(key) => *key == payload.sender,
            None => payload.account.is_none(),
        }
    }
}

impl Draft<'_> {
    /// Whether an account may submit where only members may: with the role, for a validator, or as
    /// the joiner that an approved proposal waits for.
    pub(crate) fn is_member(&self, account: &Address, body: &Body, height: Height) -> bool {
        self.roles(*account).has(Role::Member)
            || namespace::is_validator(self.base().validators(), account)
            || self.awaits(account, body, height)
    }

    fn awaits(&self, account: &Address, body: &Body, height: Height) -> bool {
        let Body::Governance(GovernanceAction::Ready { proposal, .. }) = body else {
            return false;
        };
        self.proposal(*proposal).is_some_and(|proposal| {
            proposal.status == ProposalStatus::AwaitsReady
                && proposal.is_open(height)
                && proposal.change.joiner().is_some_and(|joiner| joiner.address() == *account)
        })
    }
}

impl State {
    /// Whether a block at this height may carry a transaction of this account, as far as the
    /// [`AccessMode`] goes.
    pub fn may_submit(&self, account: &Address, body: &Body, height: Height) -> bool {
        self.parameters().access == AccessMode::Open
            || Draft::new(self).is_member(account, body, height)
    }

    /// Whether the node with this network key may connect: validators' always; else anyone's in an
    /// open chain, and among members that of an observer or of a joiner that is awaited.
    pub fn may_connect(&self, network_key: &PublicKey) -> bool {
        self.parameters().access == AccessMode::Open
            || self.validators().members().any(|(_, member)| member.network_key == *network_key)
            || self.roles(&network_key.address()).has(Role::Observer)
            || self.proposals().any(|proposal| awaits_node(proposal, network_key))
    }
}

/// Whether a proposal waits for the `Ready` of a candidate whose node has this key.
fn awaits_node(proposal: &Proposal, network_key: &PublicKey) -> bool {
    matches!(&proposal.change, Change::AddValidator { candidate }
        if candidate.network_key == *network_key)
        && proposal.status == ProposalStatus::AwaitsReady
}
