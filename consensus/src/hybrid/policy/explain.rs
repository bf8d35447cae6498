//! The policy's answer in a sentence, from committed blocks alone.

use chain::block::Mode;
use chain::types::{Epoch, Height, View};

use super::{History, Place, Sample};
use crate::policy::Policy;

impl History {
    /// Why the next block has the mode that [`mode`](Self::mode) says: "in pbft since height 812:
    /// equivocation by validator 2; fast again after 11 more calm blocks".
    pub(in crate::hybrid) fn explain(&self, policy: Policy, place: Place) -> String {
        let mode = self.mode(policy, place);
        match (policy, mode) {
            (Policy::StaticFast | Policy::StaticPbft, mode) => {
                format!("in {mode} at all times: the policy is {policy}")
            }
            (Policy::Adaptive, Mode::Fast) => self.explain_fast(place),
            (Policy::Adaptive, Mode::Pbft) => self.explain_pbft(place),
        }
    }

    fn explain_fast(&self, place: Place) -> String {
        let Some(run) = self.run(Mode::Fast) else {
            let (next, calm) = (self.next_height(), self.calm(place));
            return match calm {
                0 => format!("in fast from height {next} on: nothing speaks against it"),
                _ => format!("in fast from height {next} on: {calm} calm blocks in pbft"),
            };
        };
        let since = self.samples[run].height;
        match run.checked_sub(1).map(|before| self.calm_blocks_up_to(before)) {
            None if since == Height::new(1) => "in fast since the first block".into(),
            None => format!("in fast since height {since} or longer: no view change since"),
            Some(calm) => format!("in fast since height {since}, after {calm} calm blocks in pbft"),
        }
    }

    fn explain_pbft(&self, place: Place) -> String {
        let needed = self.calm_needed(place).saturating_sub(self.calm(place));
        let blocks = if needed == 1 { "block" } else { "blocks" };
        let (since, cause) = match self.run(Mode::Pbft) {
            None => {
                let cause = self.samples.len().checked_sub(1);
                let cause = cause.map(|last| self.cause(last, place.epoch, place.view));
                (format!("from height {} on", self.next_height()), cause)
            }
            Some(run) => {
                let first = &self.samples[run];
                let cause =
                    run.checked_sub(1).map(|last| self.cause(last, first.epoch, first.view));
                let cause = cause.map(|cause| cause + &self.more_changes(run, place));
                (format!("since height {}", first.height), cause)
            }
        };
        let cause = cause.unwrap_or_else(|| "what came before is not known here".into());
        format!("in pbft {since}: {cause}; fast again after {needed} more calm {blocks}")
    }

    /// Where the newest blocks in a row of this mode begin, if the newest is one.
    fn run(&self, mode: Mode) -> Option<usize> {
        let count = self.samples.iter().rev().take_while(|sample| sample.mode == mode).count();
        (count > 0).then(|| self.samples.len() - count)
    }

    fn next_height(&self) -> Height {
        self.samples.back().map_or(Height::new(1), |sample| sample.height.next())
    }

    /// How many blocks in a row, the last of them at this place, are of its view.
    fn calm_blocks_up_to(&self, last: usize) -> usize {
        let Sample { epoch, view, .. } = self.samples[last];
        let of_view = |sample: &&Sample| (sample.epoch, sample.view) == (epoch, view);
        self.samples.range(..=last).rev().take_while(of_view).count()
    }

    /// What led from the block at this place to the next one, or the next one to come, in this view.
    fn cause(&self, last: usize, epoch: Epoch, view: View) -> String {
        let left = &self.samples[last];
        if !left.was_left_for(epoch, view) {
            return "its leader chose it".into();
        }
        let lied = self
            .samples
            .range(last + 1..)
            .flat_map(|sample| &sample.accusations)
            .find(|of| of.epoch == epoch && of.view >= left.view && of.view < view);
        if let Some(accusation) = lied {
            return format!("equivocation by validator {}", accusation.accused);
        }
        if left.epoch != epoch {
            return format!("timeout of the first leader of epoch {epoch}");
        }
        // A node that starts anew may still be in an earlier view than the last final block.
        match view.get().saturating_sub(left.view.get()) {
            0 | 1 => format!("timeout of validator {}", left.proposer),
            views => format!("timeout of validator {} and {} after it", left.proposer, views - 1),
        }
    }

    /// Further view changes since the blocks in pbft began.
    fn more_changes(&self, run: usize, place: Place) -> String {
        match self.view_changes(run, place) {
            0 => String::new(),
            1 => ", then another view change".into(),
            more => format!(", then {more} more view changes"),
        }
    }
}
