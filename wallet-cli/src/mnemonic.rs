//! Words that restore a key: BIP-39 in English, SLIP-10 for Ed25519.
//!
//! 24 words hold 256 random bits. The seed is made from them without a passphrase, and key number
//! N has the path m/44'/1'/N'. Coin type 1 stands for "any test network" in SLIP-44: this chain
//! has no number of its own.

use bip39::{Language, Mnemonic};
use chain::crypto::Keypair;
use zeroize::Zeroizing;

/// First steps of the derivation path; all steps are hardened.
const PATH: [u32; 2] = [44, 1];
/// Numbers above are the hardened range already.
const MAX_INDEX: u32 = 0x7fff_ffff;

/// Words that are no mnemonic.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MnemonicError {
    #[error("expected 12, 15, 18, 21 or 24 words, got {0}")]
    WordCount(usize),
    #[error("word {0} is not in the English BIP-39 list")]
    UnknownWord(usize),
    #[error("the words do not belong together: one is wrong, or their order is")]
    Checksum,
    #[error("key number {0} is above {MAX_INDEX}")]
    Index(u32),
}

/// New words from the randomness of the system.
pub(crate) fn generate() -> Result<Zeroizing<String>, getrandom::Error> {
    let mut entropy = Zeroizing::new([0; 32]);
    getrandom::fill(entropy.as_mut())?;
    let mnemonic = Mnemonic::from_entropy(entropy.as_ref()).expect("32 bytes make 24 words");
    // Room from the start: growing would leave copies of the words behind.
    let mut words = Zeroizing::new(String::with_capacity(24 * 9));
    for word in mnemonic.words() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    Ok(words)
}

/// Key number `index` of the words. Errors name places, never words.
pub(crate) fn derive(words: &str, index: u32) -> Result<Keypair, MnemonicError> {
    if index > MAX_INDEX {
        return Err(MnemonicError::Index(index));
    }
    let [purpose, coin] = PATH;
    derive_path(words, &[purpose, coin, index])
}

fn derive_path(words: &str, path: &[u32]) -> Result<Keypair, MnemonicError> {
    let mut normal = Zeroizing::new(String::with_capacity(words.len()));
    for word in words.split_whitespace() {
        if !normal.is_empty() {
            normal.push(' ');
        }
        normal.extend(word.chars().map(|c| c.to_ascii_lowercase()));
    }
    let mnemonic =
        Mnemonic::parse_in_normalized(Language::English, &normal).map_err(|error| match error {
            bip39::Error::BadWordCount(count) => MnemonicError::WordCount(count),
            bip39::Error::UnknownWord(place) => MnemonicError::UnknownWord(place + 1),
            _ => MnemonicError::Checksum,
        })?;
    let seed = Zeroizing::new(mnemonic.to_seed_normalized(""));
    let secret = Zeroizing::new(slip10_ed25519::derive_ed25519_private_key(seed.as_ref(), path));
    Ok(Keypair::from_seed(&secret))
}

#[cfg(test)]
mod tests;
