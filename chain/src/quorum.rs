//! How many of `n` validators make a decision, with up to `f` of them Byzantine.
//!
//! docs/protocol/hybrid.md, "Numbers". The bound n ≥ 3f + 2p - 1 for one-round finality with `p`
//! silent validators is tight: Kuznetsov, Tonkikh, Zhang, "Revisiting Optimal Resilience of Fast
//! Byzantine Consensus", arXiv 2102.12825.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// A validator set that cannot tolerate what it claims to tolerate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    #[error("a chain needs at least one validator")]
    Empty,
    #[error("{n} validators cannot tolerate {f} Byzantine ones: that needs at least {needed}")]
    TooFew { n: usize, f: usize, needed: usize },
}

/// Every threshold of the hybrid protocol for one validator set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Quorums {
    /// Validators in the set.
    pub n: usize,
    /// Byzantine validators tolerated.
    pub f: usize,
    /// Validators that may be silent without costing the fast certificate.
    pub p: usize,
    /// Prepare, commit and view certificates.
    pub quorum: usize,
    /// Fast certificate: final after one round of prepare votes.
    pub fast_quorum: usize,
    /// Reports that a new view starts from.
    pub view_change_quorum: usize,
    /// Reports that make a block the tip of a new view, no equivocation in sight.
    pub support: usize,
    /// The same where the old leader is proven to have equivocated.
    pub support_under_equivocation: usize,
}

impl Quorums {
    /// The most Byzantine validators that `n` can tolerate.
    pub const fn default_max_faulty(n: usize) -> usize {
        n.saturating_sub(1) / 3
    }

    /// # Errors
    /// [`QuorumError`] where `n` is 0 or below 3f + 1.
    pub fn new(n: usize, f: usize) -> Result<Self, QuorumError> {
        if n == 0 {
            return Err(QuorumError::Empty);
        }
        let needed = 3 * f + 1;
        if n < needed {
            return Err(QuorumError::TooFew { n, f, needed });
        }
        let p = f.min((n - 3 * f).div_ceil(2));
        let quorum = (n + f + 1).div_ceil(2);
        Ok(Self {
            n,
            f,
            p,
            quorum,
            fast_quorum: n - p,
            view_change_quorum: n - f,
            support: (n - 2 * f - p).min(quorum - f),
            support_under_equivocation: n - 2 * f - p + 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of docs/protocol/hybrid.md, every column.
    #[test]
    fn default_thresholds_match_the_table() {
        // n, p, quorum, fast, view change, support, support under equivocation
        let table = [
            (4, 1, 3, 3, 3, 1, 2),
            (5, 1, 4, 4, 4, 2, 3),
            (6, 1, 4, 5, 5, 3, 4),
            (7, 1, 5, 6, 5, 2, 3),
            (9, 2, 6, 7, 7, 3, 4),
            (10, 1, 7, 9, 7, 3, 4),
        ];
        for (n, p, quorum, fast, view_change, support, under) in table {
            let q = Quorums::new(n, Quorums::default_max_faulty(n)).unwrap();
            assert_eq!(
                (q.p, q.quorum, q.fast_quorum, q.view_change_quorum),
                (p, quorum, fast, view_change),
                "n = {n}"
            );
            assert_eq!((q.support, q.support_under_equivocation), (support, under), "n = {n}");
        }
    }

    /// Two quorums share an honest member; an ordered block has its support in every report set.
    #[test]
    fn quorums_intersect_in_honest_validators_for_every_f() {
        for n in 1..=40 {
            for f in 0..=Quorums::default_max_faulty(n) {
                let q = Quorums::new(n, f).unwrap();
                assert!(2 * q.quorum > n + f, "n = {n}, f = {f}");
                assert!(q.quorum <= n - f && q.quorum <= q.fast_quorum, "n = {n}, f = {f}");
                assert!(n + 1 >= 3 * f + 2 * q.p, "n = {n}, f = {f}");
                assert!(q.support <= q.quorum - f && q.support >= 1, "n = {n}, f = {f}");
            }
        }
    }

    #[test]
    fn impossible_sets_are_refused() {
        assert_eq!(Quorums::new(0, 0), Err(QuorumError::Empty));
        assert_eq!(Quorums::new(3, 1), Err(QuorumError::TooFew { n: 3, f: 1, needed: 4 }));
    }
}
