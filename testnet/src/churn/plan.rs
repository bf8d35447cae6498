//! Which changes, and who is killed meanwhile: decided by a seed alone.

use std::fmt;
use std::time::Duration;

use chain::governance::KeyKind;
use consensus::engine::FaultModel;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Join,
    Leave,
    Rotate(KeyKind),
    Jail,
    Pardon,
}

/// The order of the kinds, again and again: it ends with as many validators as it began with, and
/// nobody in jail.
const TOUR: [Kind; 9] = [
    Kind::Join,
    Kind::Rotate(KeyKind::Consensus),
    Kind::Jail,
    Kind::Join,
    Kind::Pardon,
    Kind::Rotate(KeyKind::Network),
    Kind::Leave,
    Kind::Rotate(KeyKind::Governance),
    Kind::Leave,
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join => f.write_str("join"),
            Self::Leave => f.write_str("leave"),
            Self::Rotate(kind) => write!(f, "rotate {kind}"),
            Self::Jail => f.write_str("jail"),
            Self::Pardon => f.write_str("pardon"),
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Load without disturbance before it.
    pub calm: Duration,
    pub kind: Kind,
    /// Chooses the validator that it is about.
    pub subject: usize,
    /// Whether the process of a validator that leaves ends.
    pub stop: bool,
    pub strike: Option<Strike>,
}

/// A kill in the middle of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Strike {
    /// Chooses the victim.
    pub victim: usize,
    /// From the beginning of the change.
    pub after: Duration,
    /// Until the victim is started again.
    pub lasts: Duration,
}

/// So many changes; in about a third of them a validator is killed. Nobody is jailed on a chain whose
/// validators only crash: nothing there proves that one lied.
pub(super) fn plan(changes: u32, seed: u64, faults: FaultModel) -> Vec<Change> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let possible =
        |kind: &Kind| faults == FaultModel::Byzantine || !matches!(kind, Kind::Jail | Kind::Pardon);
    TOUR.into_iter()
        .filter(possible)
        .cycle()
        .take(changes as usize)
        .map(|kind| {
            let strike = Strike {
                victim: random.random_range(0..1_000),
                after: Duration::from_millis(random.random_range(0..300)),
                lasts: Duration::from_millis(random.random_range(300..1_500)),
            };
            Change {
                calm: Duration::from_millis(random.random_range(100..600)),
                kind,
                subject: random.random_range(0..1_000),
                stop: random.random_bool(0.5),
                strike: random.random_ratio(1, 3).then_some(strike),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_everything() {
        let plan = |changes, seed| plan(changes, seed, FaultModel::Byzantine);
        assert_eq!(plan(20, 7), plan(20, 7));
        assert_ne!(plan(20, 7), plan(20, 8));
        let strikes = plan(300, 1).iter().filter(|change| change.strike.is_some()).count();
        assert!((60..140).contains(&strikes), "{strikes}");
    }

    #[test]
    fn nobody_is_jailed_where_nobody_lies() {
        let changes = plan(20, 7, FaultModel::Crash);
        assert_eq!(changes.len(), 20);
        assert!(changes.iter().all(|it| !matches!(it.kind, Kind::Jail | Kind::Pardon)));
    }

    #[test]
    fn nobody_is_left_over_after_a_tour() {
        let (mut validators, mut jailed) = (4, 0);
        for kind in TOUR {
            match kind {
                Kind::Join => validators += 1,
                Kind::Leave => validators -= 1,
                Kind::Jail => jailed += 1,
                Kind::Pardon => jailed -= 1,
                Kind::Rotate(_) => {}
            }
            assert!(validators >= 4 && (0..=1).contains(&jailed), "{kind}");
        }
        assert_eq!((validators, jailed), (4, 0));
    }
}
