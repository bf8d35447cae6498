//! Namespace `governance`: what the validators decide together.

use chain::crypto::PublicKey;
use chain::governance::{Change, Parameters, Proposal, ProposalId, ProposalStatus};
use chain::types::{Epoch, Height, ValidatorIndex};
use jsonrpsee::core::RpcResult;
use jsonrpsee::proc_macros::rpc;
use serde::{Deserialize, Serialize};

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    /// May be approved.
    Open,
    /// A quorum approved; the node that it admits has not shown yet that it is at the tip.
    AwaitsReady,
    /// In force.
    Executed,
    /// Taken back by its proposer.
    Withdrawn,
    /// Its time ran out.
    Expired,
}

impl ProposalState {
    /// The state of a proposal once the block at `height` is final.
    pub fn of(proposal: &Proposal, height: Height) -> Self {
        match proposal.status {
            _ if proposal.status.is_open() && !proposal.is_open(height.next()) => Self::Expired,
            ProposalStatus::Open => Self::Open,
            ProposalStatus::AwaitsReady => Self::AwaitsReady,
            ProposalStatus::Executed { .. } => Self::Executed,
            ProposalStatus::Withdrawn { .. } => Self::Withdrawn,
        }
    }

    /// Whether something may still become of it.
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::Open | Self::AwaitsReady)
    }
}

/// One approval of a proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Consensus key of the validator that approved.
    pub validator: PublicKey,
    /// From the genesis file, where the key stands in it.
    pub name: Option<String>,
    /// Its place in the current set; `null`: it left, and its approval does not count.
    pub index: Option<ValidatorIndex>,
}

/// What has to happen next for a proposal to take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "for")]
pub enum WaitsFor {
    /// So many more approvals of current validators.
    Approvals { missing: u32 },
    /// The node with this consensus key: it shows by itself that it is at the tip.
    Ready { consensus_key: PublicKey },
    /// Nothing will change any more.
    Nothing,
}

/// A proposal after the last final block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalInfo {
    pub id: ProposalId,
    pub change: Change,
    pub status: ProposalState,
    /// Height at which it was executed or withdrawn.
    pub settled_at: Option<Height>,
    /// Consensus key of the validator that proposed it.
    pub proposer: PublicKey,
    /// From the genesis file, where the key stands in it.
    pub proposer_name: Option<String>,
    pub proposed_at: Height,
    /// Last height at which it may be approved.
    pub expires: Height,
    /// Blocks until then; 0 once nothing can become of it.
    pub expires_in: u64,
    /// The proposer's first.
    pub approvals: Vec<Approval>,
    /// How many of them count: those of current validators, while it may still pass.
    pub counted: u32,
    /// How many must count.
    pub quorum: u32,
    pub waits_for: WaitsFor,
}

/// Answer of `governance_proposals`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalList {
    /// Newest first.
    pub proposals: Vec<ProposalInfo>,
    /// The final block that this is the state after.
    pub height: Height,
}

/// Which proposals to list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalFilter {
    /// Those that something may still become of.
    #[default]
    Pending,
    /// Also closed ones, as far back as the chain keeps them.
    All,
}

/// Answer of `governance_parameters`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GovernanceParameters {
    pub parameters: Parameters,
    pub epoch: Epoch,
    /// Current validators.
    pub validators: u32,
    /// How many of them pass a proposal.
    pub quorum: u32,
    /// The final block that this is the state after.
    pub height: Height,
}

#[rpc(server, client, namespace = "governance")]
pub trait GovernanceApi {
    /// Proposals, newest first, at most [`MAX_PROPOSALS`](crate::limits::MAX_PROPOSALS).
    #[method(name = "proposals")]
    async fn proposals(&self, status: Option<ProposalFilter>) -> RpcResult<ProposalList>;

    /// One proposal by its number.
    #[method(name = "proposal")]
    async fn proposal(&self, id: ProposalId) -> RpcResult<ProposalInfo>;

    /// The rules that governance may change, and what it takes to change them.
    #[method(name = "parameters")]
    async fn parameters(&self) -> RpcResult<GovernanceParameters>;
}
