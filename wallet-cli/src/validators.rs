//! Validators by the names that people have for them.

use std::str::FromStr;

use chain::crypto::PublicKey;
use chain::types::ValidatorIndex;
use node_api::chain::{ValidatorInfo, ValidatorList};

use crate::failure::{Failure, Outcome};
use crate::output::printable;

/// A validator as somebody names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ValidatorRef {
    Index(ValidatorIndex),
    Key(PublicKey),
    Name(String),
}

impl FromStr for ValidatorRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("expected an index, a name or a consensus key".to_owned());
        }
        let index = || text.parse().ok().map(|index| Self::Index(ValidatorIndex::new(index)));
        let key = || text.parse().ok().map(Self::Key);
        Ok(index().or_else(key).unwrap_or_else(|| Self::Name(text.to_owned())))
    }
}

/// The validators of the current epoch.
#[derive(Debug)]
pub(crate) struct Validators<'a>(pub(crate) &'a ValidatorList);

impl Validators<'_> {
    /// The validator that somebody means.
    ///
    /// # Errors
    /// Bad arguments where it is none, or not one alone.
    pub(crate) fn find(&self, wanted: &ValidatorRef) -> Outcome<&ValidatorInfo> {
        let means = |validator: &&ValidatorInfo| match wanted {
            ValidatorRef::Index(index) => validator.index == *index,
            ValidatorRef::Key(key) => validator.consensus_key == *key,
            ValidatorRef::Name(name) => validator.name.as_deref() == Some(name),
        };
        let mut found = self.0.validators.iter().filter(means);
        let what = || match wanted {
            ValidatorRef::Index(index) => index.to_string(),
            ValidatorRef::Key(key) => key.to_string(),
            ValidatorRef::Name(name) => printable(name),
        };
        match (found.next(), found.next()) {
            (Some(validator), None) => Ok(validator),
            (None, _) => Err(Failure::bad_arguments(format!(
                "there is no validator {}: see `wallet-cli validators`",
                what()
            ))),
            (Some(_), Some(_)) => Err(Failure::bad_arguments(format!(
                "several validators are called {}: give the index or the consensus key",
                what()
            ))),
        }
    }

    /// What people call the holder of a consensus key: name and index where it has them.
    pub(crate) fn title(&self, key: &PublicKey) -> String {
        let member = self.0.validators.iter().find(|member| member.consensus_key == *key);
        match member {
            Some(ValidatorInfo { index, name: Some(name), .. }) => {
                format!("{} (validator {index})", printable(name))
            }
            Some(member) => format!("validator {}", member.index),
            None => format!("the validator with key {key}"),
        }
    }
}
