//! Plain key files: the keys of nodes, and of development accounts.
//!
//! A node must start without a person who types a password, so its keys are protected by the mode
//! of their file alone. Keys of people belong into the encrypted store of the wallet.

use std::path::{Path, PathBuf};

use chain::crypto::{Keypair, PublicKey};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use crate::files::{self, FileError};

/// More than any key file has.
const MAX_BYTES: u64 = 4096;

/// The file. Its secret is wiped from memory when it is dropped.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    /// A remark for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    #[serde(rename = "type")]
    kind: Kind,
    /// The account of the key, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    address: Option<chain::types::Address>,
    public: PublicKey,
    /// The 32 secret bytes in hexadecimal.
    secret: String,
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Ed25519,
}

/// A key file that cannot be written or used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("{path} is not a key file: {reason}")]
    Malformed { path: PathBuf, reason: String },
    #[error("{path} is damaged: its public key does not belong to its secret")]
    Mismatch { path: PathBuf },
    #[error("the system gave no randomness: {0}")]
    Randomness(getrandom::Error),
}

/// Makes a key from the randomness of the system.
///
/// # Errors
/// [`KeyFileError::Randomness`].
pub fn generate() -> Result<Keypair, KeyFileError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut()).map_err(KeyFileError::Randomness)?;
    Ok(Keypair::from_seed(&seed))
}

/// Writes the key of a node, readable by its owner only. Never replaces a file.
///
/// # Errors
/// [`FileError`] where the file exists or cannot be written.
pub fn write(path: &Path, key: &Keypair) -> Result<(), KeyFileError> {
    save(path, key, None)
}

/// Writes the key of an account with a warning that it is not encrypted.
///
/// # Errors
/// As [`write`].
pub fn write_unsafe_account(path: &Path, key: &Keypair) -> Result<(), KeyFileError> {
    save(path, key, Some("UNSAFE: development key, not encrypted, for local test networks only"))
}

fn save(path: &Path, key: &Keypair, note: Option<&str>) -> Result<(), KeyFileError> {
    let file = KeyFile {
        note: note.map(str::to_owned),
        kind: Kind::Ed25519,
        address: note.map(|_| key.public().address()),
        public: key.public(),
        secret: hex::encode(Zeroizing::new(key.seed())),
    };
    // Large enough from the start: growing would leave copies of the secret behind.
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_BYTES as usize));
    serde_json::to_writer_pretty(&mut *text, &file)
        .map_err(|error| malformed(path, &error.to_string()))?;
    text.push(b'\n');
    Ok(files::create(path, &text, files::PRIVATE)?)
}

/// Reads a key.
///
/// # Errors
/// [`KeyFileError`] where others may read the file, or it is missing, damaged or another kind of
/// file.
pub fn read(path: &Path) -> Result<Keypair, KeyFileError> {
    parse(&files::read_private(path, MAX_BYTES)?, path)
}

fn parse(text: &[u8], path: &Path) -> Result<Keypair, KeyFileError> {
    let file: KeyFile =
        serde_json::from_slice(text).map_err(|error| malformed(path, &error.to_string()))?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(&file.secret, seed.as_mut())
        .map_err(|_| malformed(path, "the secret is not 32 bytes in hexadecimal"))?;
    let key = Keypair::from_seed(&seed);
    if key.public() != file.public {
        return Err(KeyFileError::Mismatch { path: path.to_owned() });
    }
    Ok(key)
}

fn malformed(path: &Path, reason: &str) -> KeyFileError {
    KeyFileError::Malformed { path: path.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
