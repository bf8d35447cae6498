//! Encrypted keys in a directory: one file per key, `NAME.json`.

mod envelope;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chain::crypto::{Keypair, PublicKey};
use chain::types::Address;
use genesis::files::{self, FileError};

use self::envelope::{Envelope, EnvelopeError};

/// More than any key has.
const MAX_BYTES: u64 = 8192;
/// More keys than a person keeps.
const MAX_KEYS: usize = 10_000;

/// Name of a key: 1 to 64 letters, digits, `-` and `_`. Safe as a file name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyName(String);

impl FromStr for KeyName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if text.is_empty() || text.len() > 64 || !text.bytes().all(allowed) {
            return Err("expected a name of 1 to 64 letters, digits, '-' and '_'".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl KeyName {
    /// The name of the key that is to follow this one.
    ///
    /// # Errors
    /// Where that would be too long.
    pub(crate) fn next(&self) -> Result<Self, String> {
        format!("{self}-next").parse()
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key that cannot be stored or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeystoreError {
    #[error("there is no key {name} in {}: see `wallet-cli key list`", directory.display())]
    NoSuchKey { name: KeyName, directory: PathBuf },
    #[error("there is a key {0} already: choose another name")]
    NameTaken(KeyName),
    #[error("{}: {error}", path.display())]
    Envelope { path: PathBuf, error: EnvelopeError },
    #[error(transparent)]
    File(#[from] FileError),
    #[error("more than {MAX_KEYS} keys in {}", .0.display())]
    TooMany(PathBuf),
}

/// The directory of keys.
#[derive(Clone, Debug)]
pub(crate) struct Keystore {
    directory: PathBuf,
}

/// A stored key as far as it can be read without its password.
#[derive(Debug)]
pub(crate) struct Locked {
    pub(crate) name: KeyName,
    pub(crate) path: PathBuf,
    envelope: Envelope,
}

impl Locked {
    pub(crate) fn public(&self) -> PublicKey {
        self.envelope.public()
    }

    /// The account that the key signs for.
    pub(crate) fn account(&self) -> Address {
        self.envelope.account()
    }

    pub(crate) fn open(&self, password: &str) -> Result<Keypair, KeystoreError> {
        self.envelope
            .open(password)
            .map_err(|error| KeystoreError::Envelope { path: self.path.clone(), error })
    }
}

impl Keystore {
    /// The store below the home of a wallet.
    pub(crate) fn below(home: &Path) -> Self {
        Self { directory: home.join("keys") }
    }

    fn path(&self, name: &KeyName) -> PathBuf {
        self.directory.join(format!("{name}.json"))
    }

    /// # Errors
    /// [`KeystoreError::NameTaken`]. [`Keystore::add`] says so too, but only after the password
    /// was asked for.
    pub(crate) fn check_free(&self, name: &KeyName) -> Result<(), KeystoreError> {
        if self.has(name) { Err(KeystoreError::NameTaken(name.clone())) } else { Ok(()) }
    }

    /// Encrypts a key that signs for an account, and stores it under a name that is free. It is on
    /// disk when this returns.
    pub(crate) fn add(
        &self,
        name: &KeyName,
        key: &Keypair,
        account: Address,
        password: &str,
    ) -> Result<PathBuf, KeystoreError> {
        let path = self.path(name);
        let envelope = Envelope::seal(key, account, password)
            .map_err(|error| KeystoreError::Envelope { path: path.clone(), error })?;
        files::create_private_directory(&self.directory)?;
        match files::create(&path, envelope.to_json().as_bytes(), files::PRIVATE) {
            Ok(()) => Ok(path),
            Err(FileError::Exists { .. }) => Err(KeystoreError::NameTaken(name.clone())),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is a key of this name.
    pub(crate) fn has(&self, name: &KeyName) -> bool {
        self.path(name).exists()
    }

    /// Takes a key out of use: its file stays, under a name that is no key's. Returns its path.
    pub(crate) fn retire(&self, name: &KeyName) -> Result<PathBuf, KeystoreError> {
        let retired = self.retired_path(name)?;
        files::rename(&self.path(name), &retired)?;
        Ok(retired)
    }

    /// Puts a key in the place of another, which is taken out of use as by
    /// [`retire`](Self::retire). Returns its path. A crash leaves one of them under the name, and
    /// the other under its own.
    pub(crate) fn succeed(&self, old: &KeyName, new: &KeyName) -> Result<PathBuf, KeystoreError> {
        let retired = self.retired_path(old)?;
        files::also_name(&self.path(old), &retired)?;
        files::replace(&self.path(new), &self.path(old))?;
        Ok(retired)
    }

    fn retired_path(&self, name: &KeyName) -> Result<PathBuf, KeystoreError> {
        (1..=MAX_KEYS)
            .map(|number| self.directory.join(format!("{name}.json.retired-{number}")))
            .find(|retired| !retired.exists())
            .ok_or_else(|| KeystoreError::TooMany(self.directory.clone()))
    }

    /// Reads a key without opening it.
    pub(crate) fn get(&self, name: &KeyName) -> Result<Locked, KeystoreError> {
        let path = self.path(name);
        if !path.exists() {
            return Err(KeystoreError::NoSuchKey {
                name: name.clone(),
                directory: self.directory.clone(),
            });
        }
        let text = files::read_private(&path, MAX_BYTES)?;
        let envelope = Envelope::from_json(&text)
            .map_err(|error| KeystoreError::Envelope { path: path.clone(), error })?;
        Ok(Locked { name: name.clone(), path, envelope })
    }

    /// The names of all keys, in order. Other files are passed over.
    pub(crate) fn names(&self) -> Result<Vec<KeyName>, KeystoreError> {
        let entries = match std::fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(FileError::Io { path: self.directory.clone(), source }.into());
            }
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry =
                entry.map_err(|source| FileError::Io { path: self.directory.clone(), source })?;
            let file_name = entry.file_name();
            let name = file_name.to_str().and_then(|name| name.strip_suffix(".json"));
            if let Some(name) = name.and_then(|name| name.parse().ok()) {
                names.push(name);
            }
            if names.len() > MAX_KEYS {
                return Err(KeystoreError::TooMany(self.directory.clone()));
            }
        }
        names.sort();
        Ok(names)
    }
}

#[cfg(test)]
mod tests;
