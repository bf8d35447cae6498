//! Development accounts that anyone who knows a phrase can spend from.

use chain::crypto::Keypair;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Separates these keys from everything else that is hashed.
const TAG: &[u8] = b"catamaran/development-account/1";

/// The key of development account number `index` under a seed phrase.
///
/// SHA-256 of a tag, the length of the phrase, the phrase and the number. Not stretched: the
/// phrase is no secret worth the name. Local test networks fund thousands of senders with it.
pub fn derive(dev_seed: &str, index: u32) -> Keypair {
    let hash = Sha256::new()
        .chain_update(TAG)
        .chain_update((dev_seed.len() as u64).to_le_bytes())
        .chain_update(dev_seed)
        .chain_update(index.to_le_bytes())
        .finalize();
    Keypair::from_seed(&Zeroizing::new(hash.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test networks on disk name their senders by seed and number: this must not change.
    #[test]
    fn derived_accounts_are_stable_and_distinct() {
        let address = |seed: &str, index| derive(seed, index).public().address().to_string();
        assert_eq!(address("load", 0), "cat1zpyxfg057nhhnvafvyvgywsh5hwz54qcln08sh");
        assert_eq!(address("load", 1), "cat1hnyju5g5tllhjp6e4qt3e2a86ydyjwx88zwcxd");
        assert_ne!(address("load2", 0), address("load", 0));
    }
}
