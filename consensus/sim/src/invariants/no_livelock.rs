//! Nobody is busy for nothing: once faults are over and while clients wait, only so many events
//! happen before the chain grows. Catches nodes that answer each other for ever.

use chain::types::Height;

use super::{Facts, Invariant, Observation};

/// Events without a new final block, per pair of validators: some thirty rounds of everybody's
/// signs of life through the longest timeouts.
const MAX_EVENTS: u64 = 5_000;

#[derive(Debug, Default)]
pub(super) struct NoLivelock {
    highest: Height,
    events: u64,
}

impl Invariant for NoLivelock {
    fn name(&self) -> &'static str {
        "no livelock"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        match seen {
            Observation::Finalized { block, .. } => {
                let height = block.commit.block.header.height;
                if height > self.highest {
                    (self.highest, self.events) = (height, 0);
                }
                Ok(())
            }
            Observation::Waited => {
                self.events += 1;
                let n = facts.honest.len() as u64;
                if self.events == MAX_EVENTS * n * n {
                    let (events, height) = (self.events, self.highest);
                    return Err(format!("{events} events in calm, and still at height {height}"));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
