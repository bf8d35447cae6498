//! Evidence as a person reads it: the encoding that chains carry, taken apart.

use anyhow::Context as _;
use chain::codec;
use chain::evidence::Evidence;
use node_api::bytes::HexBytes;
use serde::Deserialize;

/// Evidence in its canonical encoding, as `chain_evidence` answers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Encoded {
    evidence: HexBytes,
}

impl Encoded {
    /// The two statements. Nothing is verified: the chain did that.
    ///
    /// # Errors
    /// Where the bytes are no evidence.
    pub(super) fn decode(&self) -> anyhow::Result<Evidence> {
        codec::decode(&self.evidence.0)
            .context("these bytes are no evidence: hand on those of chain_evidence")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_evidence_is_refused() {
        for text in [String::new(), "00".into(), "ff".repeat(64), "00".repeat(4096)] {
            let encoded = Encoded { evidence: text.parse().expect("hexadecimal") };
            assert!(encoded.decode().is_err(), "{text}");
        }
    }
}
