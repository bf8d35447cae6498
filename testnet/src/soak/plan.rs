//! Who is killed in which round: decided by a seed alone.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    /// Load without disturbance before it.
    pub calm: Duration,
    pub victims: Victims,
    /// Start the victim again at once instead of only after the others went on without it.
    pub at_once: bool,
}

/// Whom a round kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Victims {
    One(usize),
    All,
}

/// `kills` rounds with one victim each, then a tenth as many, at least one, that kill everyone.
pub(super) fn plan(validators: usize, kills: u32, seed: u64) -> Vec<Round> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut round = |all: bool| Round {
        calm: Duration::from_millis(random.random_range(50..600)),
        victims: match random.random_range(0..validators) {
            _ if all => Victims::All,
            victim => Victims::One(victim),
        },
        at_once: random.random_bool(0.5),
    };
    let singles = (0..kills).map(|_| false);
    let everyone = (0..kills.div_ceil(10)).map(|_| true);
    singles.chain(everyone).map(&mut round).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything() {
        assert_eq!(plan(4, 50, 7), plan(4, 50, 7));
        assert_ne!(plan(4, 50, 7), plan(4, 50, 8));
    }

    #[test]
    fn everyone_dies_a_tenth_as_often_and_last() {
        for (kills, all) in [(1, 1), (10, 1), (11, 2), (100, 10)] {
            let rounds = plan(4, kills, 1);
            assert_eq!(rounds.len() as u32, kills + all);
            let first_all = rounds.iter().position(|round| round.victims == Victims::All);
            assert_eq!(first_all, Some(kills as usize));
        }
        let hit = |id| plan(4, 100, 1).iter().any(|round| round.victims == Victims::One(id));
        assert!((0..4).all(hit), "every validator is hit in 100 rounds");
    }
}
