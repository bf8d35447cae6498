//! What the machine could do at most: every validator checks every signature, and nothing else.

use std::time::{Duration, Instant};

use anyhow::bail;
use ed25519_zebra::{SigningKey, VerificationKeyBytes, batch};

/// Signatures in one batch, each of another key.
const BATCH: usize = 1024;
/// The fastest of so many batches counts: whatever disturbs a measurement makes it slower.
const REPETITIONS: usize = 9;

/// The limit that signature checks set to a network whose validators share this machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct VerifyBound {
    pub cores: usize,
    pub validators: usize,
    /// Time per signature on one core.
    pub per_signature: Duration,
}

impl VerifyBound {
    /// Measures on this thread; nothing else should be running.
    ///
    /// # Errors
    /// Where the library refuses its own signatures.
    pub(super) fn measure(validators: usize) -> anyhow::Result<Self> {
        let items: Vec<batch::Item> = (0..BATCH)
            .map(|number| {
                let mut seed = [7; 32];
                seed[..8].copy_from_slice(&(number as u64).to_le_bytes());
                let key = SigningKey::from(seed);
                // What a transaction's signature covers is a digest of 32 bytes.
                let message = seed;
                (VerificationKeyBytes::from(&key), key.sign(&message), &message).into()
            })
            .collect();
        let mut best = Duration::MAX;
        for _ in 0..REPETITIONS {
            let mut verifier = batch::Verifier::new();
            for item in items.clone() {
                verifier.queue(item);
            }
            let start = Instant::now();
            if verifier.verify(rand::rng()).is_err() {
                bail!("the signature library refuses what it signed");
            }
            best = best.min(start.elapsed());
        }
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            validators,
            per_signature: best / BATCH as u32,
        })
    }

    /// The same machine before and after a run: it may have become slower or faster meanwhile.
    pub(super) fn mean(self, after: Self) -> Self {
        Self { per_signature: (self.per_signature + after.per_signature) / 2, ..self }
    }

    /// Transactions per second.
    pub(super) fn tps(&self) -> f64 {
        self.cores as f64 / (self.validators as f64 * self.per_signature.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_validators_lower_the_bound() {
        let four = VerifyBound::measure(4).expect("it measures");
        assert!(four.per_signature > Duration::from_micros(1), "{:?}", four.per_signature);
        let eight = VerifyBound { validators: 8, ..four };
        assert!((four.tps() / eight.tps() - 2.0).abs() < 1e-9);
    }
}
