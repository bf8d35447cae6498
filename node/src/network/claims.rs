//! How far the chain is, by what the members say.

use std::collections::BTreeMap;

use bincode::{Decode, Encode};
use chain::codec::Bounded;
use chain::types::Height;
use libp2p::PeerId;

/// What members tell where finality is no certificate: the height of their last final block. Who
/// tells it has signed the gossip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Claim(pub(super) Height);

impl Bounded for Claim {
    const MAX_BYTES: usize = 16;
}

/// The highest final height that each member claimed. What a certificate of the present epoch
/// proves needs none of this; one of another epoch cannot be checked here, and a node that is far
/// behind hears no others.
#[derive(Debug, Default)]
pub(super) struct Claims(BTreeMap<PeerId, Height>);

impl Claims {
    pub(super) fn note(&mut self, member: PeerId, height: Height) {
        let claimed = self.0.entry(member).or_default();
        *claimed = height.max(*claimed);
    }

    /// Forgets who is no member any more.
    pub(super) fn retain(&mut self, is_member: impl Fn(&PeerId) -> bool) {
        self.0.retain(|member, _| is_member(member));
    }

    /// A height that the chain surely has, where so many members may lie: one honest member at
    /// least claims as much.
    pub(super) fn credible(&self, liars: usize) -> Height {
        let mut heights: Vec<Height> = self.0.values().copied().collect();
        heights.sort_unstable();
        heights.iter().rev().nth(liars).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_may_lie_move_nothing_and_one_more_does() {
        let [a, b, c] = std::array::from_fn(|_| PeerId::random());
        let height = Height::new;
        let mut claims = Claims::default();
        assert_eq!(claims.credible(0), height(0));
        claims.note(a, height(u64::MAX));
        assert_eq!((claims.credible(0), claims.credible(1)), (height(u64::MAX), height(0)));
        claims.note(b, height(50));
        claims.note(b, height(40));
        assert_eq!((claims.credible(1), claims.credible(2)), (height(50), height(0)));
        claims.note(c, height(60));
        assert_eq!((claims.credible(1), claims.credible(2)), (height(60), height(50)));
        claims.retain(|member| *member != a);
        assert_eq!(claims.credible(1), height(50));
    }
}
