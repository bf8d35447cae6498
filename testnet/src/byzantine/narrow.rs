//! Links that carry only so many bytes per second.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chain::types::ValidatorIndex;

/// What would wait longer than this is lost, as in the queue of a router.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// When each narrow link has carried what was sent over it.
///
/// Invariant: no link is busy for longer than [`LONGEST_WAIT`] and one message.
#[derive(Debug, Default)]
pub(super) struct NarrowLinks(BTreeMap<ValidatorIndex, Instant>);

impl NarrowLinks {
    /// How long a message of so many bytes is under way, behind those before it; `None`: it is lost.
    pub(super) fn carry(
        &mut self,
        to: ValidatorIndex,
        bytes: usize,
        bytes_per_s: u32,
        now: Instant,
    ) -> Option<Duration> {
        let free = self.0.entry(to).or_insert(now);
        let begins = (*free).max(now);
        if begins - now > LONGEST_WAIT {
            return None;
        }
        *free = begins + Duration::from_secs_f64(bytes as f64 / f64::from(bytes_per_s.max(1)));
        Some(*free - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_wait_for_each_other_on_their_own_link_alone() {
        let (mut links, now) = (NarrowLinks::default(), Instant::now());
        let [one, other] = [1, 2].map(ValidatorIndex::new);
        let tenth = Duration::from_millis(100);
        assert_eq!(links.carry(one, 100, 1000, now), Some(tenth));
        assert_eq!(links.carry(one, 100, 1000, now), Some(tenth * 2));
        assert_eq!(links.carry(other, 100, 1000, now), Some(tenth));
        assert_eq!(links.carry(one, 100, 1000, now + tenth * 5), Some(tenth), "it was free again");
    }

    #[test]
    fn what_would_wait_too_long_is_lost() {
        let (mut links, now) = (NarrowLinks::default(), Instant::now());
        let to = ValidatorIndex::new(0);
        let carried = (0..100).filter(|_| links.carry(to, 100, 1000, now).is_some()).count();
        assert_eq!(carried, 11, "a second's worth, and the one that was begun by then");
    }
}
