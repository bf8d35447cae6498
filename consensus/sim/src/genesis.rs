//! Where a simulated chain starts.

use chain::block::Mode;
use chain::crypto::{PublicKey, Signer};
use chain::types::{Digest, Epoch, View};
use chain::validator::{Validator, ValidatorSet};
use consensus::engine::FaultModel;

use crate::application::Snapshot;
use crate::signatures::SignatureRule;

/// Clients' keys grow from numbers that no validator has.
const FIRST_CLIENT: usize = 1_000;

/// The birth certificate of a simulated chain.
#[derive(Clone, Debug)]
pub struct Genesis {
    pub chain_id: Digest,
    /// Stands for block 0.
    pub hash: Digest,
    pub mode: Mode,
    /// Whether final blocks have proofs.
    pub fault_model: FaultModel,
    pub rule: SignatureRule,
    pub validators: ValidatorSet,
    /// The state before the first block.
    pub snapshot: Snapshot,
}

impl Genesis {
    /// The consensus key of validator `index` in the chain of this seed.
    pub fn signer(rule: SignatureRule, seed: u64, index: usize) -> Box<dyn Signer + Send> {
        rule.signer(key_seed(b'c', seed, index))
    }

    /// The key of a client of the chain of this seed.
    pub fn client(rule: SignatureRule, seed: u64, sender: usize) -> Box<dyn Signer + Send> {
        Self::signer(rule, seed, FIRST_CLIENT + sender)
    }

    /// The governance key of this number: those of the first validators come first.
    pub fn governor(rule: SignatureRule, seed: u64, number: usize) -> Box<dyn Signer + Send> {
        rule.signer(key_seed(b'g', seed, number))
    }

    /// The network key of this number.
    pub fn network_key(rule: SignatureRule, seed: u64, number: usize) -> PublicKey {
        rule.signer(key_seed(b'n', seed, number)).public()
    }

    /// The first validator set of the chain of this seed.
    pub fn validators(rule: SignatureRule, seed: u64, n: usize, max_faulty: u16) -> ValidatorSet {
        let members = (0..n).map(|index| validator(rule, seed, index));
        let set = ValidatorSet::new(Epoch::default(), View::default(), max_faulty, members);
        set.check().expect("a plan names a possible validator set");
        set
    }

    /// The validator of a number in the chain of this seed, in the set or not.
    pub fn validator(&self, seed: u64, index: usize) -> Validator {
        validator(self.rule, seed, index)
    }
}

fn validator(rule: SignatureRule, seed: u64, index: usize) -> Validator {
    Validator {
        consensus_key: Genesis::signer(rule, seed, index).public(),
        network_key: Genesis::network_key(rule, seed, index),
        governance_key: Genesis::governor(rule, seed, index).public(),
        jailed: false,
        accused: false,
        since: Epoch::default(),
    }
}

fn key_seed(kind: u8, seed: u64, index: usize) -> [u8; 32] {
    let mut bytes = [kind; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&(index as u64).to_le_bytes());
    bytes
}
