//! What a damaged disk may give back, record by record.

use std::sync::Arc;
use std::time::Duration;

use bincode::{Decode, Encode};
use chain::block::Mode;
use chain::codec::{self, Bounded};
use chain::crypto::{Ed25519, Keypair};
use chain::types::{Digest, Epoch, Height, View};
use chain::validator::{Validator, ValidatorSet};
use consensus::engine::{Config, Engine, Output, Recovered, Time};
use consensus::policy::Policy;
use consensus::registry::{EngineName, Visitor};
use fuzz::Target;
use fuzz::corpus::Form;

use super::super::records::{Base, EvidenceList, Identity, Marker};

fn read<T: Encode + Decode<()> + Bounded>(name: &'static str, samples: Vec<Vec<u8>>) {
    let target = Target::new(name, Form::Codec, samples, |bytes| {
        let Ok(value) = codec::decode::<T>(bytes) else { return false };
        assert_eq!(codec::encode(&value), bytes, "two encodings of one record");
        true
    });
    target.check();
}

#[test]
fn fuzz_store_records() {
    let marker = Marker {
        height: Height::new(7),
        hash: Digest([7; 32]),
        epoch: Epoch::new(1),
        checkpoint: Height::new(3),
    };
    read::<Marker>("store-marker", vec![codec::encode(&marker)]);
    read::<Base>("store-base", vec![codec::encode(&Base(Height::new(7)))]);
    read::<EvidenceList>("store-evidence", vec![codec::encode(&EvidenceList(Vec::new()))]);
    let identity = Identity { schema: 2, chain_id: Digest([7; 32]) };
    let target = Target::new("store-identity", Form::Codec, [identity.to_bytes()], |bytes| {
        let Some(identity) = Identity::from_bytes(bytes) else { return false };
        assert_eq!(identity.to_bytes(), bytes);
        true
    });
    target.check();
}

struct SafetyRecord;

impl Visitor for SafetyRecord {
    type Output = ();

    fn visit<E: Engine>(self) {
        let sample = codec::encode(&first_engine::<E>().record());
        let target = Target::new("safety-record", Form::Codec, [sample], |bytes| {
            let Ok(record) = codec::decode::<E::Record>(bytes) else { return false };
            assert_eq!(codec::encode(&record), bytes, "two encodings of one record");
            // What `node inspect` and `node doctor` show of it.
            let _ = E::promised(&record);
            true
        });
        target.check();
    }
}

/// An engine at the start of a chain of one validator.
fn first_engine<E: Engine>() -> E {
    let key = Keypair::from_seed(&[1; 32]);
    let validator = Validator {
        consensus_key: key.public(),
        network_key: Keypair::from_seed(&[2; 32]).public(),
        governance_key: Keypair::from_seed(&[3; 32]).public(),
        jailed: false,
        accused: false,
        since: Epoch::default(),
    };
    let chain_id = Digest([7; 32]);
    let second = Duration::from_secs(1);
    let config = Config {
        chain_id,
        me: key.public(),
        verifier: Arc::new(Ed25519),
        timeout_min: second,
        timeout_max: second,
        heartbeat: second / 10,
        grace: Duration::ZERO,
        block_interval: Duration::ZERO,
        batch: 1,
        pipeline: 8,
        policy: Policy::Adaptive,
    };
    let recovered = Recovered {
        validators: ValidatorSet::new(Epoch::default(), View::default(), 0, [validator]),
        final_height: Height::default(),
        final_hash: chain_id,
        final_block: None,
        final_proof: None,
        opening_height: Height::default(),
        opening_hash: chain_id,
        opening_mode: Mode::Fast,
        recent: Vec::new(),
        blocks: Vec::new(),
        record: None,
    };
    E::recover(config, recovered, Time::default(), &mut Output::default())
}

#[test]
fn fuzz_safety_records() {
    for engine in EngineName::ALL {
        engine.visit(SafetyRecord);
    }
}
