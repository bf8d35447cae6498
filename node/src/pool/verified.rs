//! Hashes of transactions whose signature was checked, the most recent ones.

use std::collections::HashSet;

use chain::types::Digest;

/// A bounded set that forgets its oldest members.
///
/// A transaction's hash covers all its bytes, the signature included, so a member can only be
/// found by exactly what was checked.
///
/// Invariant: each generation holds at most `capacity` hashes.
#[derive(Debug)]
pub(super) struct VerifiedHashes {
    current: HashSet<Digest>,
    previous: HashSet<Digest>,
    capacity: usize,
}

impl VerifiedHashes {
    /// Remembers at least the last `capacity` hashes, at most twice as many.
    pub(super) fn new(capacity: usize) -> Self {
        Self { current: HashSet::new(), previous: HashSet::new(), capacity }
    }

    pub(super) fn insert(&mut self, hash: Digest) {
        if self.current.len() == self.capacity {
            // The older one goes and leaves its memory to the next.
            std::mem::swap(&mut self.current, &mut self.previous);
            self.current.clear();
        }
        self.current.insert(hash);
    }

    pub(super) fn contains(&self, hash: &Digest) -> bool {
        self.current.contains(hash) || self.previous.contains(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hashes_are_remembered_and_older_ones_forgotten() {
        let hash = |number: u8| Digest([number; 32]);
        let mut set = VerifiedHashes::new(4);
        for number in 0..100 {
            set.insert(hash(number));
            let oldest = number.saturating_sub(3);
            assert!((oldest..=number).all(|recent| set.contains(&hash(recent))), "after {number}");
            assert!(set.current.len() + set.previous.len() <= 8, "after {number}");
        }
        assert!(!set.contains(&hash(0)));
    }
}
