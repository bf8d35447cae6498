//! Blocks and what proves them.

use std::fmt;
use std::str::FromStr;

use chain::block::{Header, Mode};
use chain::certificate::{Certificate, VoteKind};
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::transaction::TxInBlock;

/// Which block: a height, `"latest"` (the last final one) or a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockRef {
    Height(Height),
    Latest,
    Hash(Digest),
}

/// What a [`BlockRef`] is written as.
const FORMS: &str = "a height, \"latest\" or a block hash";

/// A text that names no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBlockRef;

impl fmt::Display for NoBlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {FORMS}")
    }
}

impl std::error::Error for NoBlockRef {}

impl fmt::Display for BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Height(height) => height.fmt(f),
            Self::Latest => f.write_str("latest"),
            Self::Hash(hash) => hash.fmt(f),
        }
    }
}

impl FromStr for BlockRef {
    type Err = NoBlockRef;

    fn from_str(text: &str) -> Result<Self, NoBlockRef> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if text.len() == 2 * Digest::LEN {
            return text.parse().map(Self::Hash).map_err(|_| NoBlockRef);
        }
        text.parse().map(|height| Self::Height(Height::new(height))).map_err(|_| NoBlockRef)
    }
}

impl Serialize for BlockRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Height(height) => height.serialize(serializer),
            Self::Latest | Self::Hash(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for BlockRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl serde::de::Visitor<'_> for Visitor {
            type Value = BlockRef;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(FORMS)
            }

            fn visit_u64<E: serde::de::Error>(self, height: u64) -> Result<BlockRef, E> {
                Ok(BlockRef::Height(Height::new(height)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<BlockRef, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

/// How much of a block's transactions `chain_block` answers with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// Only their number.
    None,
    /// Their hashes.
    #[default]
    Hashes,
    /// Their contents and receipts.
    Full,
}

/// How safe a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockStatus {
    /// Has a prepare certificate: survives crashes.
    Ordered,
    /// Stays for ever, whatever the tolerated validators do: see [`Finality`].
    Final,
}

/// What finality is worth on a chain: it follows from the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finality {
    /// Proven by the votes of a quorum, to anyone; holds though up to f validators lie.
    Certified,
    /// A majority has it on disk: holds whoever crashes, as long as no validator lies. Nothing
    /// proves it.
    CrashFinal,
}

impl fmt::Display for Finality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certified => "certified",
            Self::CrashFinal => "crash-final",
        })
    }
}

/// Answer of `chain_block`. The fields of the header stand beside `hash`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    pub hash: Digest,
    pub status: BlockStatus,
    /// What its finality is worth; absent where it is not final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finality: Option<Finality>,
    #[serde(flatten)]
    pub header: Header,
    /// Length of its encoding in bytes.
    pub size_bytes: u64,
    pub transaction_count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_hashes: Option<Vec<Digest>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Vec<TxInBlock>>,
    /// What makes it final: votes on it, or on a descendant. Absent where finality is
    /// [`Finality::CrashFinal`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateSummary>,
}

/// Who voted for a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateSummary {
    pub kind: VoteKind,
    pub epoch: Epoch,
    pub view: View,
    pub height: Height,
    /// The block voted on.
    pub block: Digest,
    pub signers: Vec<ValidatorIndex>,
}

impl From<&Certificate> for CertificateSummary {
    fn from(certificate: &Certificate) -> Self {
        let ballot = &certificate.ballot;
        Self {
            kind: ballot.kind,
            epoch: ballot.position.epoch,
            view: ballot.position.view,
            height: ballot.position.height,
            block: ballot.block,
            signers: certificate.signatures.signers().collect(),
        }
    }
}

/// What `chain_subscribe` sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum BlockEvent {
    /// A block reached the status that was asked for.
    Block(BlockNotice),
    /// The subscriber was too slow: this many notices are missing before the next one.
    Lagged { missed: u64 },
}

/// A block in brief.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockNotice {
    pub status: BlockStatus,
    pub height: Height,
    pub hash: Digest,
    pub epoch: Epoch,
    pub view: View,
    pub mode: Mode,
    pub proposer: ValidatorIndex,
    pub timestamp_ms: u64,
    pub transaction_count: u32,
    /// Only for subscribers that asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transactions: Option<Vec<Digest>>,
    /// Places of the transactions that execution refused; only together with `transactions`, and
    /// only in final blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Vec<u32>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_named_by_height_word_or_hash() {
        let hash = Digest([7; 32]);
        let table = [
            (BlockRef::Height(Height::new(12)), "12".to_owned()),
            (BlockRef::Latest, "\"latest\"".to_owned()),
            (BlockRef::Hash(hash), format!("\"{hash}\"")),
        ];
        for (block, text) in table {
            assert_eq!(serde_json::to_string(&block).unwrap(), text);
            assert_eq!(serde_json::from_str::<BlockRef>(&text).unwrap(), block);
            assert_eq!(block.to_string().parse::<BlockRef>().unwrap(), block);
        }
        for text in ["-1", "1.5", "null", "\"newest\"", "\"07\\u0000\"", "[]"] {
            assert!(serde_json::from_str::<BlockRef>(text).is_err(), "{text}");
        }
    }
}
