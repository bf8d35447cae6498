//! How badly a peer behaved lately.

use std::time::{Duration, Instant};

/// Points at which a peer is shut out for [`BAN`].
pub(super) const LIMIT: f64 = 100.0;
/// Points that are forgiven per second.
const FORGIVEN_PER_SECOND: f64 = 1.0;
/// How long a peer that misbehaved is shut out.
pub(super) const BAN: Duration = Duration::from_secs(30);

/// Something that no correct peer does. Never an error of this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misbehaviour {
    /// Bytes that are no message.
    Undecodable,
    /// A message longer than any may be.
    Oversized,
    /// Gossip that no correct peer passes on.
    InvalidGossip,
    /// More gossip than the network can need.
    Flood,
    /// A message that the consensus engine refused.
    Refused,
    /// An answer that is not true.
    Lie,
}

impl Misbehaviour {
    /// What it costs, of [`LIMIT`].
    pub(super) const fn points(self) -> f64 {
        match self {
            Self::Oversized => 60.0,
            Self::Undecodable | Self::InvalidGossip | Self::Lie => 24.0,
            Self::Flood => 2.0,
            Self::Refused => 1.0,
        }
    }
}

/// Points that fade with time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Score {
    points: f64,
    at: Instant,
}

impl Score {
    pub(super) const fn new(now: Instant) -> Self {
        Self { points: 0.0, at: now }
    }

    /// Adds points. Says whether the limit is reached, and then starts again from none.
    pub(super) fn add(&mut self, points: f64, now: Instant) -> bool {
        self.points = self.at(now) + points;
        self.at = now;
        let over = self.points >= LIMIT;
        if over {
            self.points = 0.0;
        }
        over
    }

    /// The points that are left now.
    pub(super) fn at(&self, now: Instant) -> f64 {
        let forgiven = now.saturating_duration_since(self.at).as_secs_f64() * FORGIVEN_PER_SECOND;
        (self.points - forgiven).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeated_faults_reach_the_limit_and_rare_ones_fade() {
        let start = Instant::now();
        let mut score = Score::new(start);
        let verdicts: Vec<bool> =
            (0..5).map(|_| score.add(Misbehaviour::Undecodable.points(), start)).collect();
        assert_eq!(verdicts, [false, false, false, false, true]);
        assert_eq!(score.at(start), 0.0);

        let mut now = start;
        for _ in 0..100 {
            now += Duration::from_secs(30);
            assert!(!score.add(Misbehaviour::Undecodable.points(), now));
        }
    }
}
