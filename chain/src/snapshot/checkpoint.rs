//! A block that somebody knows to be in the chain, told apart from it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Manifest;
use crate::types::{Digest, Height, ParseError};

/// A block by its height and hash. Written `HEIGHT:HASH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub height: Height,
    pub hash: Digest,
}

/// A snapshot that does not show the block of a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    #[error("it has block {found} at height {height}, the checkpoint says {expected}")]
    OtherBlock { height: Height, found: Digest, expected: Digest },
    #[error(
        "it shows no block at the checkpoint's height {height}: give one between {lowest} and \
         {highest}, or of a change of the validators"
    )]
    NotShown { height: Height, lowest: Height, highest: Height },
}

impl Checkpoint {
    /// Whether the snapshot's chain has the block, as far as the headers in it reach.
    pub(super) fn check(&self, manifest: &Manifest) -> Result<(), CheckpointError> {
        let Self { height, hash: expected } = *self;
        let tip = &manifest.tip.header;
        let recent = manifest.recent.iter().chain([tip]);
        let mut shown = recent.chain(manifest.barriers());
        let Some(header) = shown.find(|header| header.height == height) else {
            let lowest = manifest.recent.first().unwrap_or(tip).height;
            return Err(CheckpointError::NotShown { height, lowest, highest: tip.height });
        };
        let found = header.hash(&tip.chain_id);
        if found == expected {
            Ok(())
        } else {
            Err(CheckpointError::OtherBlock { height, found, expected })
        }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.height, self.hash)
    }
}

impl FromStr for Checkpoint {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let expected = "HEIGHT:HASH, like 5000:9f86d0…";
        let (height, hash) = text.trim().split_once(':').ok_or(ParseError { expected })?;
        let height: u64 = height.parse().map_err(|_| ParseError { expected })?;
        if height == 0 {
            let expected = "a height above 0: the genesis file fixes the genesis";
            return Err(ParseError { expected });
        }
        Ok(Self { height: Height::new(height), hash: hash.parse()? })
    }
}

impl Serialize for Checkpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checkpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
