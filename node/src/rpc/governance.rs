//! Namespace `governance`: the proposals in the state after the last final block.

use std::sync::Arc;

use chain::crypto::PublicKey;
use chain::governance::{Proposal, ProposalId, ProposalStatus};
use chain::state::State;
use chain::types::Height;
use jsonrpsee::core::{RpcResult, async_trait};
use node_api::governance::{
    Approval, GovernanceApiServer, GovernanceParameters, ProposalFilter, ProposalInfo,
    ProposalList, ProposalState, WaitsFor,
};
use node_api::limits::MAX_PROPOSALS;

use super::{Context, errors};

pub(super) struct GovernanceRpc(pub(super) Arc<Context>);

#[async_trait]
impl GovernanceApiServer for GovernanceRpc {
    async fn proposals(&self, status: Option<ProposalFilter>) -> RpcResult<ProposalList> {
        let head = self.0.view.head();
        let wanted = |info: &ProposalInfo| match status.unwrap_or_default() {
            ProposalFilter::Pending => info.status.is_pending(),
            ProposalFilter::All => true,
        };
        let proposals = head
            .state
            .proposals()
            .map(|proposal| describe(&self.0, &head.state, head.height, proposal))
            .filter(wanted)
            .take(MAX_PROPOSALS)
            .collect();
        Ok(ProposalList { proposals, height: head.height })
    }

    async fn proposal(&self, id: ProposalId) -> RpcResult<ProposalInfo> {
        let head = self.0.view.head();
        match head.state.proposal(id) {
            Some(proposal) => Ok(describe(&self.0, &head.state, head.height, proposal)),
            None => {
                let newest = head.state.governance().newest;
                Err(errors::not_found(format!(
                    "there is no proposal {id}: it was never made, or closed long ago (the newest \
                     is {newest})"
                ))
                .into())
            }
        }
    }

    async fn parameters(&self) -> RpcResult<GovernanceParameters> {
        let head = self.0.view.head();
        let set = head.state.validators();
        Ok(GovernanceParameters {
            parameters: head.state.parameters(),
            epoch: set.epoch,
            validators: set.len() as u32,
            quorum: set.quorums().quorum as u32,
            height: head.height,
        })
    }
}

fn describe(context: &Context, state: &State, height: Height, proposal: &Proposal) -> ProposalInfo {
    let set = state.validators();
    let name = |key: &PublicKey| context.identity.validator_names.get(key).cloned();
    let approvals: Vec<Approval> = proposal
        .approvals
        .iter()
        .map(|key| Approval { validator: *key, name: name(key), index: set.index_of(key) })
        .collect();
    let status = ProposalState::of(proposal, height);
    let counts = |approval: &&Approval| approval.index.is_some() || !status.is_pending();
    let counted = approvals.iter().filter(counts).count() as u32;
    let quorum = set.quorums().quorum as u32;
    let settled_at = match proposal.status {
        ProposalStatus::Executed { height } | ProposalStatus::Withdrawn { height } => Some(height),
        ProposalStatus::Open | ProposalStatus::AwaitsReady => None,
    };
    let waits_for = match (status, proposal.change.joiner().copied()) {
        (ProposalState::AwaitsReady, Some(consensus_key)) => WaitsFor::Ready { consensus_key },
        (ProposalState::Open | ProposalState::AwaitsReady, _) => {
            WaitsFor::Approvals { missing: quorum.saturating_sub(counted) }
        }
        _ => WaitsFor::Nothing,
    };
    ProposalInfo {
        id: proposal.id,
        change: proposal.change.clone(),
        status,
        settled_at,
        proposer: proposal.proposer,
        proposer_name: name(&proposal.proposer),
        proposed_at: proposal.proposed_at,
        expires: proposal.expires,
        expires_in: if status.is_pending() {
            proposal.expires.get().saturating_sub(height.get())
        } else {
            0
        },
        approvals,
        counted,
        quorum,
        waits_for,
    }
}
