//! Which key acts.

use std::path::PathBuf;

use chain::crypto::Keypair;
use chain::types::Address;
use genesis::keyfile;

use crate::args::Global;
use crate::failure::{Failure, Outcome};
use crate::keystore::{Keystore, Locked};
use crate::passwords;

/// The directory of the wallet.
pub(crate) fn home(global: &Global) -> Outcome<PathBuf> {
    if let Some(home) = &global.home {
        return Ok(home.clone());
    }
    match std::env::var_os("HOME").filter(|home| !home.is_empty()) {
        Some(home) => Ok(PathBuf::from(home).join(".catamaran")),
        None => Err(Failure::bad_arguments("HOME is not set: give --home")),
    }
}

pub(crate) fn keystore(global: &Global) -> Outcome<Keystore> {
    Ok(Keystore::below(&home(global)?))
}

/// The key that the options name.
#[derive(Debug)]
pub(crate) enum Selected {
    /// From the store: its password is still to be asked for.
    Locked(Locked),
    /// From an unencrypted file.
    Plain(Keypair),
}

impl Selected {
    /// The key of `--key-file` or `--key`, else the only one in the store.
    pub(crate) fn from(global: &Global) -> Outcome<Self> {
        if let Some(path) = &global.key_file {
            return keyfile::read(path).map(Self::Plain).map_err(Failure::bad_arguments);
        }
        let store = keystore(global)?;
        let name = match &global.key {
            Some(name) => name.clone(),
            None => {
                let mut names = store.names().map_err(Failure::bad_arguments)?;
                match (names.pop(), names.is_empty()) {
                    (Some(only), true) => only,
                    (None, _) => {
                        return Err(Failure::bad_arguments(
                            "there is no key yet: make one with `wallet-cli key new NAME`, or \
                             give --key-file",
                        ));
                    }
                    (Some(_), false) => {
                        return Err(Failure::bad_arguments(
                            "there are several keys: name one with --key, see `wallet-cli key \
                             list`",
                        ));
                    }
                }
            }
        };
        store.get(&name).map(Self::Locked).map_err(Failure::bad_arguments)
    }

    /// The account that the key acts for: that of `--account`, else the one it remembers.
    pub(crate) fn account(&self, global: &Global) -> Address {
        global.account.unwrap_or_else(|| match self {
            Self::Locked(locked) => locked.account(),
            Self::Plain(key) => key.public().address(),
        })
    }

    /// The key, ready to sign. Asks for the password where there is one.
    pub(crate) fn open(self, global: &Global) -> Outcome<Keypair> {
        match self {
            Self::Plain(key) => Ok(key),
            Self::Locked(locked) => {
                let password =
                    passwords::existing(global.password_file.as_deref(), &locked.name.to_string())?;
                locked.open(&password).map_err(Failure::bad_arguments)
            }
        }
    }
}
