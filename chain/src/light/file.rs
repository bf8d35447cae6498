//! Proofs as files: JSON with one form per proof, so that no byte of it can be changed unnoticed.

use serde::{Deserialize, Serialize};

use super::{Claim, EpochChange, Lineage, Proof, ProofError};
use crate::types::Digest;

/// The fields of the file, in their order.
#[derive(Serialize, Deserialize)]
struct File {
    format: String,
    /// For people. Derived from the rest.
    statement: String,
    chain_id: Digest,
    claim: Claim,
    lineage: Vec<EpochChange>,
}

impl Proof {
    /// The format that this program reads and writes.
    pub const FORMAT: &str = "catamaran-proof/1";
    /// Largest file, in bytes.
    pub const MAX_FILE_BYTES: usize = 8 * 1024 * 1024;

    /// The text of the file.
    pub fn to_json(&self) -> String {
        let file = File {
            format: Self::FORMAT.to_owned(),
            statement: self.statement(),
            chain_id: self.chain_id,
            claim: self.claim.clone(),
            lineage: self.lineage.0.clone(),
        };
        let mut text = serde_json::to_string_pretty(&file)
            .expect("a proof has only text, numbers and lists, which JSON can always hold");
        text.push('\n');
        text
    }

    /// Reads a file. Says nothing of whether the proof holds: see [`Proof::verify`].
    ///
    /// # Errors
    /// [`ProofError`] where it is too large, no proof, or not byte for byte what
    /// [`Proof::to_json`] writes of its content.
    pub fn from_json(text: &[u8]) -> Result<Self, ProofError> {
        if text.len() > Self::MAX_FILE_BYTES {
            return Err(ProofError::TooLarge { len: text.len() });
        }
        let file: File = serde_json::from_slice(text)
            .map_err(|error| ProofError::Malformed(error.to_string()))?;
        if file.format != Self::FORMAT {
            return Err(ProofError::Format(file.format.chars().take(64).collect()));
        }
        let File { chain_id, claim, lineage, .. } = file;
        let proof = Self { chain_id, claim, lineage: Lineage(lineage) };
        if proof.to_json().as_bytes() == text { Ok(proof) } else { Err(ProofError::NotCanonical) }
    }
}
