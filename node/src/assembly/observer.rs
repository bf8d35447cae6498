//! Shows clients and metrics what the engine reports.

use std::time::Duration;

use consensus::engine::{Event, Status};

use crate::chain_view::ChainView;
use crate::consensus_host::Observer;

/// Tells the view of the chain, then the next observer.
pub(super) struct ChainObserver {
    view: ChainView,
    next: Box<dyn Observer>,
}

impl ChainObserver {
    pub(super) fn new(view: ChainView, next: Box<dyn Observer>) -> Self {
        Self { view, next }
    }
}

impl Observer for ChainObserver {
    fn turn(&mut self, took: Duration, messages: usize, status: &Status, events: &[Event]) {
        for event in events {
            match event {
                Event::Ordered { block, .. } => self.view.mark_ordered(block),
                Event::ModeChanged { height, reason, .. } => {
                    self.view.mark_mode_changed(*height, *reason);
                }
                _ => {}
            }
        }
        self.next.turn(took, messages, status, events);
    }
}
