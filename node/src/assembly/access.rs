//! Who may connect, by the final state of the chain.

use std::time::Duration;

use chain::access::{AccessMode, Role};
use chain::governance::Parameters;
use chain::state::State;
use chain::types::Address;

use crate::chain_view::ChainView;
use crate::network::{AccessPolicy, NetworkHandle};

/// How often it is looked at whether the chain's word on it changed.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Lets the chain decide: anyone where its access is open, else the holders of the role observer.
#[derive(Clone, Debug)]
pub(super) struct ChainAccess(ChainView);

impl ChainAccess {
    pub(super) const fn new(view: ChainView) -> Self {
        Self(view)
    }
}

impl AccessPolicy for ChainAccess {
    fn admits(&self, node: &Address) -> bool {
        admits(&self.0.head().state, node)
    }
}

fn admits(state: &State, node: &Address) -> bool {
    let Parameters { access, .. } = state.parameters();
    access == AccessMode::Open || state.roles(node).has(Role::Observer)
}

/// Sends guests away, for ever, once the chain admits them no more.
pub(super) async fn recheck(view: ChainView, network: NetworkHandle) {
    let mut tick = tokio::time::interval(LOOK_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen = view.head().state.root();
    loop {
        tick.tick().await;
        let root = view.head().state.root();
        if root != seen {
            seen = root;
            network.recheck_access();
        }
    }
}
