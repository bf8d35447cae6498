//! Checking proof files against the genesis, as `wallet-cli proof verify` does.

use std::path::Path;

use anyhow::Context as _;
use chain::crypto::Ed25519;
use chain::light::{Proof, Trust};
use genesis::Genesis;
use serde::Serialize;

/// Checks files against what the genesis says; without one nothing can be proven.
#[derive(Debug)]
pub(super) struct Checker(Option<Trust>);

/// What a file proves.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Verdict {
    pub(super) ok: bool,
    pub(super) sentence: String,
}

impl Checker {
    /// Trusts the genesis in a file.
    ///
    /// # Errors
    /// Where it is none.
    pub(super) fn new(genesis: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = genesis else {
            return Ok(Self(None));
        };
        let shown = path.display();
        let genesis = Genesis::read(path).with_context(|| format!("cannot read {shown}"))?;
        genesis.validate().with_context(|| format!("{shown} makes no chain"))?;
        Ok(Self(Some(Trust { chain_id: genesis.hash(), validators: genesis.validator_set() })))
    }

    pub(super) fn check(&self, file: &[u8]) -> Verdict {
        let Some(trust) = &self.0 else {
            let sentence = "a proof means nothing without a genesis: start with --genesis FILE";
            return Verdict { ok: false, sentence: sentence.into() };
        };
        let checked = Proof::from_json(file).and_then(|proof| proof.verify(trust, &Ed25519));
        match checked {
            Ok(verdict) => Verdict { ok: true, sentence: verdict.statement },
            Err(error) => Verdict { ok: false, sentence: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_genesis_nothing_is_proven() {
        let checker = Checker::new(None).expect("nothing to read");
        let verdict = checker.check(b"{}");
        assert!(!verdict.ok && verdict.sentence.contains("--genesis"), "{verdict:?}");
        assert!(Checker::new(Some(Path::new("/nowhere/genesis.json"))).is_err());
    }
}
