//! Who may connect, by the final state of the chain.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chain::access::{AccessMode, Role};
use chain::governance::{Change, Parameters, ProposalStatus};
use chain::state::State;
use chain::types::Address;

use crate::chain_view::ChainView;
use crate::network::{AccessPolicy, NetworkHandle};

/// How often it is looked at whether the chain's word on it changed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Lets the chain decide: anyone where its access is open, else the holders of the role observer, and
/// a node that is to become a validator.
/// The network outlives the store by a moment, so it has the state alone.
#[derive(Debug)]
pub(super) struct ChainAccess(RwLock<State>);

impl ChainAccess {
    pub(super) const fn new(state: State) -> Self {
        Self(RwLock::new(state))
    }
}

impl AccessPolicy for ChainAccess {
    fn admits(&self, node: &Address) -> bool {
        admits(&self.0.read().unwrap_or_else(PoisonError::into_inner), node)
    }
}

fn admits(state: &State, node: &Address) -> bool {
    let Parameters { access, .. } = state.parameters();
    access == AccessMode::Open || state.roles(node).has(Role::Observer) || is_awaited(state, node)
}

/// Whether a quorum wants the node for a validator: it has to come to the tip first.
fn is_awaited(state: &State, node: &Address) -> bool {
    let open = state.governance().open;
    let mut proposals = open.iter().filter_map(|id| state.proposal(*id));
    proposals.any(|proposal| match proposal.change {
        Change::AddValidator { candidate } => {
            proposal.status == ProposalStatus::AwaitsReady
                && candidate.network_key.address() == *node
        }
        _ => false,
    })
}

/// Follows the final state for ever, and sends guests away once the chain admits them no more.
pub(super) async fn follow(access: Arc<ChainAccess>, view: ChainView, network: NetworkHandle) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen = view.head().state.root();
    loop {
        tick.tick().await;
        let head = view.head();
        if head.state.root() != seen {
            seen = head.state.root();
            *access.0.write().unwrap_or_else(PoisonError::into_inner) = head.state.clone();
            network.recheck_access();
        }
    }
}
