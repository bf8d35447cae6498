//! The proposals seen so far: who signs a second one for a place has lied.

use std::collections::BTreeMap;

use chain::block::SignedHeader;
use chain::certificate::Position;
use chain::evidence::Evidence;
use chain::types::{Digest, Height};

use crate::tree::WINDOW;

/// The first header seen at each position of an epoch above the last final block.
#[derive(Clone, Debug, Default)]
pub(crate) struct Headers(BTreeMap<Position, SignedHeader>);

impl Headers {
    /// Whether this very header was seen, and its signature verified.
    pub(crate) fn contains(&self, signed: &SignedHeader) -> bool {
        self.0.get(&signed.header.position()) == Some(signed)
    }

    /// Remembers a header above the last final block, if it is the first at its position. A
    /// different second one is evidence.
    pub(crate) fn note(
        &mut self,
        signed: &SignedHeader,
        last_final: Height,
        chain_id: &Digest,
    ) -> Option<Evidence> {
        let position = signed.header.position();
        let (root, height) = (last_final.get(), position.height.get());
        if height <= root || height > root + WINDOW {
            return None;
        }
        match self.0.get(&position) {
            None => {
                // One who signs many must not keep those of others from being remembered.
                let proposer = signed.header.proposer;
                let held = self.0.values().filter(|held| held.header.proposer == proposer);
                if held.count() < 2 * WINDOW as usize {
                    self.0.insert(position, signed.clone());
                }
                None
            }
            Some(first) if first.header == signed.header => None,
            Some(first) => Evidence::from_headers(first, signed, chain_id),
        }
    }

    /// Forgets what is final by now.
    pub(crate) fn forget_up_to(&mut self, height: Height) {
        self.0.retain(|position, _| position.height > height);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
