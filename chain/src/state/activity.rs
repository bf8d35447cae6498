//! Who takes part, by the certificates in the last blocks.

use std::collections::BTreeMap;

use crate::crypto::PublicKey;
use crate::governance::{RECENT_BLOCKS, RecentBlock};
use crate::state::{RecordKey, RecordValue, State};
use crate::types::Height;
use crate::validator::ValidatorSet;

impl State {
    /// For each consensus key that signed a certificate in the last blocks: the newest block that
    /// carries one of its signatures. Empty under engines without certificates.
    pub fn took_part(&self) -> BTreeMap<PublicKey, Height> {
        let slots = (0..RECENT_BLOCKS).filter_map(|slot| self.get(&RecordKey::Recent(slot)));
        self.signers_of(slots.filter_map(|value| match value {
            RecordValue::Recent(block) => Some(block),
            _ => None,
        }))
    }

    /// The newest of these blocks that carries a signature, for each key that made one.
    pub(crate) fn signers_of<'a>(
        &self,
        blocks: impl Iterator<Item = &'a RecentBlock>,
    ) -> BTreeMap<PublicKey, Height> {
        let mut newest: BTreeMap<PublicKey, Height> = BTreeMap::new();
        for block in blocks {
            let Some(signers) = block.signers else { continue };
            let set = self.validators_of(signers.epoch);
            for (index, member) in set.into_iter().flat_map(ValidatorSet::members) {
                if signers.contains(index) {
                    let height = newest.entry(member.consensus_key).or_default();
                    *height = block.height.max(*height);
                }
            }
        }
        newest
    }
}
