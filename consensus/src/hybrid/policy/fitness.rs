//! Whom nobody waits for as a leader: the committed blocks show it to be slow or away.
//!
//! docs/protocol/hybrid.md, lines L1-L3. A validator that lied is another matter: it is jailed.

use chain::types::{Epoch, ValidatorIndex};
use chain::validator::ValidatorSet;

use super::History;

/// So many of the newest certificates are looked at,
const CERTIFICATES: usize = 64;
/// and nothing is said of anybody with fewer than so many.
const ENOUGH: usize = 16;
/// Who has less is passed over: percent of the certificates that it signed, less a penalty.
const LEAST: i64 = 50;
/// For each view in the window that was given up under it.
const PENALTY: i64 = 60;

impl History {
    /// L2: at most f validators, the worst ones, that signed few of the last certificates or whose
    /// views were given up.
    ///
    /// At most f, because who leads may show whom it likes in the certificates: whatever it shows,
    /// an honest leader is left.
    pub(in crate::hybrid) fn passed_over(&self, set: &ValidatorSet) -> Vec<ValidatorIndex> {
        let free = set.members().filter(|(_, member)| !member.jailed);
        let mut slow: Vec<(i64, ValidatorIndex)> = free
            .map(|(index, _)| (self.fitness(index, set.epoch), index))
            .filter(|(fitness, _)| *fitness < LEAST)
            .collect();
        slow.sort_unstable();
        slow.truncate(set.quorums().f);
        slow.into_iter().map(|(_, index)| index).collect()
    }

    /// L1: percent of the last certificates with its signature, less the penalties. A seat keeps its
    /// holder over one change of epoch, so those of the epoch before count too.
    fn fitness(&self, index: ValidatorIndex, epoch: Epoch) -> i64 {
        let counts = |of: Epoch| of == epoch || of.next() == epoch;
        let newest = self.samples.iter().rev().filter_map(|sample| sample.signers);
        let (mut all, mut signed) = (0, 0);
        for signers in newest.filter(|signers| counts(signers.epoch)).take(CERTIFICATES) {
            all += 1;
            signed += i64::from(signers.contains(index));
        }
        let share = if all < ENOUGH { 100 } else { signed * 100 / all as i64 };
        let pairs = self.samples.iter().zip(self.samples.iter().skip(1));
        let given_up = pairs.filter(|(left, next)| {
            left.proposer == index && counts(left.epoch) && left.was_left_for(next.epoch, next.view)
        });
        share - PENALTY * given_up.count() as i64
    }
}
