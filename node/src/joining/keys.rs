//! Keys that are made before the chain knows them, and take over once it does.
//!
//! `node keys rotate` writes `keys/next-….json`; the set of an epoch says when it is time. Then the
//! old file gets a second name and the new one takes its place: a crash in between leaves a home that
//! starts, and the next start goes on from there. The old consensus key is no member any more when
//! the new one is, so the two never sign in one epoch.

use std::path::PathBuf;

use chain::crypto::{Keypair, PublicKey};
use chain::governance::KeyKind;
use chain::validator::{Validator, ValidatorSet};
use genesis::files::{self, FileError};
use genesis::keyfile;

use crate::home::{Home, HomeError};

/// Keys that wait for their epoch.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    pub(crate) validator: Option<Keypair>,
    pub(crate) network: Option<PublicKey>,
    pub(crate) governance: Option<PublicKey>,
}

impl Staged {
    /// # Errors
    /// [`HomeError::Key`] where a file is damaged or may be read by others.
    pub(crate) fn read(home: &Home) -> Result<Self, HomeError> {
        let at = |kind| -> Result<Option<Keypair>, HomeError> {
            let path = home.next_key_path(kind);
            if path.exists() { Ok(Some(keyfile::read(&path)?)) } else { Ok(None) }
        };
        let public = |key: Keypair| key.public();
        Ok(Self {
            validator: at(KeyKind::Consensus)?,
            network: at(KeyKind::Network)?.map(public),
            governance: at(KeyKind::Governance)?.map(public),
        })
    }

    /// Which of them a set names where it named the old ones before.
    pub(crate) fn due(&self, validator: &PublicKey, set: &ValidatorSet) -> Vec<KeyKind> {
        let next = self.validator.as_ref().map(Keypair::public);
        let member = |key: &PublicKey| -> Option<&Validator> { set.get(set.index_of(key)?) };
        let (old, new) = (member(validator), next.as_ref().and_then(member));
        let mut due = Vec::new();
        if old.is_none() && new.is_some() {
            due.push(KeyKind::Consensus);
        }
        let me = old.or(new);
        let named = |staged: Option<PublicKey>, key: fn(&Validator) -> PublicKey| {
            staged.is_some() && me.map(key) == staged
        };
        if named(self.network, |me| me.network_key) {
            due.push(KeyKind::Network);
        }
        if named(self.governance, |me| me.governance_key) {
            due.push(KeyKind::Governance);
        }
        due
    }
}

/// Puts those staged keys of the holder of a consensus key in force that the set names. Whether there
/// were any.
///
/// # Errors
/// [`HomeError`] where a file cannot be read or moved.
pub(crate) fn promote_due(
    home: &Home,
    validator: &PublicKey,
    set: &ValidatorSet,
) -> Result<bool, HomeError> {
    let due = Staged::read(home)?.due(validator, set);
    for kind in &due {
        let kept = promote(home, *kind)?;
        let kept = kept.as_deref().map_or("none", |path| path.to_str().unwrap_or_default());
        tracing::info!(?kind, kept, "the chain names the staged key: it is in force from now on");
    }
    Ok(!due.is_empty())
}

/// Puts one staged key in the place of the present one. Returns where that is kept.
fn promote(home: &Home, kind: KeyKind) -> Result<Option<PathBuf>, HomeError> {
    let (present, next) = (home.key_path(kind), home.next_key_path(kind));
    // A governance key may be kept elsewhere.
    let kept = if present.exists() {
        let old = keyfile::read(&present)?.public().to_string();
        let kept = home.old_key_path(kind, &old[..16]);
        match files::also_name(&present, &kept) {
            // An interrupted attempt got this far.
            Ok(()) | Err(FileError::Exists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Some(kept)
    } else {
        None
    };
    files::replace(&next, &present)?;
    Ok(kept)
}
