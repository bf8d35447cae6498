//! Decoders meet bytes that nobody meant.

use bincode::{Decode, Encode};
use chain::block::{Block, SealedBlock};
use chain::certificate::{Certificate, ViewCertificate, Vote};
use chain::codec::{self, Bounded, CodecError};
use chain::crypto::Ed25519;
use chain::evidence::Evidence;
use chain::execute::{BlockContext, execute};
use chain::governance::RecentBlock;
use chain::ledger::{InvalidBlock, Ledger, Tip};
use chain::merkle::MerkleProof;
use chain::receipt::Receipt;
use chain::state::{RecordKey, RecordValue, StateProof};
use chain::transaction::{SignedTransaction, Transaction};
use chain::types::{Digest, Height, View};
use chain::validator::ValidatorSet;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use std::sync::Arc;

use crate::samples::{self, CHAIN, Samples};

/// Random strings and as many mutated ones, per type.
const CASES: usize = 10_000;

/// Feeds a decoder. Whatever it accepts is the one encoding of its value.
fn feed<T: Encode + Decode<()> + Bounded>(name: &str, samples: &[Vec<u8>]) {
    let mut rng = ChaCha20Rng::seed_from_u64(samples.len() as u64);
    let mut accepted = 0;
    let mut check = |bytes: &[u8]| {
        if let Ok(value) = codec::decode::<T>(bytes) {
            accepted += 1;
            assert_eq!(codec::encode(&value), bytes, "{name}: two encodings of one value");
        }
    };
    for _ in 0..CASES {
        check(&random(&mut rng));
        check(&mutated(&samples[rng.random_range(0..samples.len())], &mut rng));
    }
    println!("{name}: {CASES} random and {CASES} mutated, {accepted} accepted");
    assert!(accepted > 0, "{name}: mutation reaches behind the first check");
}

fn random(rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = vec![0; rng.random_range(0..600)];
    rng.fill_bytes(&mut bytes);
    // Small numbers are what tags and lengths are made of.
    if rng.random_bool(0.5) {
        for byte in &mut bytes {
            *byte = if rng.random_bool(0.8) { 0 } else { *byte % 4 };
        }
    }
    bytes
}

fn mutated(sample: &[u8], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for _ in 0..rng.random_range(1..4) {
        let place = rng.random_range(0..bytes.len().max(1));
        match rng.random_range(0..6) {
            0 => bytes.truncate(place),
            1 => bytes.insert(place.min(bytes.len()), rng.random()),
            2 if place < bytes.len() => drop(bytes.remove(place)),
            3 => {
                let tail = bytes[place.min(bytes.len())..].to_vec();
                bytes.extend(tail);
            }
            4 if place + 8 <= bytes.len() => {
                // Where a length stands, this claims more memory than there is.
                bytes[place..place + 8].copy_from_slice(&u64::MAX.to_le_bytes());
            }
            _ if place < bytes.len() => bytes[place] ^= 1 << rng.random_range(0..8),
            _ => {}
        }
    }
    bytes
}

fn encoded<T: Encode>(values: impl IntoIterator<Item = T>) -> Vec<Vec<u8>> {
    values.into_iter().map(|value| codec::encode(&value)).collect()
}

#[test]
fn every_decoder_survives_nonsense() {
    let samples = Samples::new();
    let genesis = samples.genesis();
    let transactions = || samples.executable().into_iter().map(|(_, transaction)| transaction);
    let hashes: Vec<Digest> = transactions().map(|item| item.hash(&CHAIN)).collect();
    feed::<Vote>("vote", &encoded([samples.prepare(1), samples.commit(3)]));
    feed::<Certificate>("certificate", &encoded([samples.certificate()]));
    feed::<ViewCertificate>("view certificate", &encoded([samples.view_certificate()]));
    feed::<Evidence>("evidence", &encoded(samples.evidence().map(|(_, evidence)| evidence)));
    feed::<SignedTransaction>(
        "signed transaction",
        &encoded(samples.transactions().into_iter().map(|(_, transaction)| transaction)),
    );
    feed::<Transaction>("transaction", &encoded(transactions()));
    feed::<Block>("block", &[samples.block().encoded().to_vec()]);
    feed::<ValidatorSet>("validator set", &encoded([samples.validators()]));
    let context = BlockContext {
        chain_id: CHAIN,
        parent: RecentBlock { height: Height::new(0), hash: CHAIN, signers: None },
        view: View::new(0),
        verifier: &Ed25519,
    };
    let execution = execute(&genesis, &context, &transactions().collect::<Vec<_>>()).unwrap();
    feed::<Receipt>("receipt", &encoded(execution.receipts));
    feed::<MerkleProof>("merkle proof", &encoded([samples::merkle_proof(&hashes)]));
    let records = || execution.state.records();
    feed::<RecordKey>("record key", &encoded(records().map(|(key, _)| key)));
    feed::<RecordValue>("record value", &encoded(records().map(|(_, value)| value)));
    feed::<StateProof>(
        "state proof",
        &encoded(records().map(|(key, _)| execution.state.prove(key))),
    );
}

/// What was changed and still decodes passes no check, and no check panics over it.
#[test]
fn nothing_that_was_changed_verifies() {
    const CASES: usize = 3_000;
    let samples = Samples::new();
    let set = samples.validators();
    let mut rng = ChaCha20Rng::seed_from_u64(9);
    let mut decoded = 0;
    for _ in 0..CASES {
        let original = codec::encode(&samples.certificate());
        let bytes = mutated(&original, &mut rng);
        if let Ok(value) = codec::decode::<Certificate>(&bytes) {
            decoded += 1;
            assert!(bytes == original || !value.verify(&CHAIN, &set, &Ed25519));
            assert!(value.signatures.signers().count() <= 8 * bytes.len());
        }
        let original = codec::encode(&samples.view_certificate());
        let bytes = mutated(&original, &mut rng);
        if let Ok(value) = codec::decode::<ViewCertificate>(&bytes) {
            decoded += 1;
            assert!(bytes == original || !value.verify(&CHAIN, &set, &Ed25519));
        }
        let [(_, votes), (_, proposals)] = samples.evidence();
        for original in [codec::encode(&votes), codec::encode(&proposals)] {
            let bytes = mutated(&original, &mut rng);
            if let Ok(value) = codec::decode::<Evidence>(&bytes) {
                decoded += 1;
                assert!(bytes == original || !value.verify(&CHAIN, &set, &Ed25519));
            }
        }
    }
    println!("{} mutated statements, {decoded} decoded", 4 * CASES);
    assert!(decoded > CASES / 4);
}

/// A bitmap may claim more signers than an index can count.
#[test]
fn a_bitmap_beyond_every_index_is_only_wrong() {
    let samples = Samples::new();
    let mut bytes = codec::encode(&samples.certificate().ballot);
    bytes.extend(codec::encode(&(vec![0xffu8; 9_000], Vec::<u8>::new())));
    let certificate = codec::decode::<Certificate>(&bytes).unwrap();
    assert_eq!(certificate.signatures.signers().count(), 1 << 16);
    assert!(!certificate.verify(&CHAIN, &samples.validators(), &Ed25519));
}

/// Blocks made of nonsense get a verdict.
#[test]
fn the_ledger_judges_any_block() {
    let samples = Samples::new();
    let genesis = samples.genesis();
    let set_hash = samples.validators().hash(&CHAIN);
    let sample = samples.block();
    // The parent of the sample, so that the first check does not end it.
    let tip = Tip {
        hash: sample.header.parent,
        height: sample.header.height.previous(),
        ..Tip::genesis(CHAIN, 0, set_hash)
    };
    let mut ledger = Ledger::new(CHAIN, Arc::new(Ed25519), tip, genesis);
    let mut rng = ChaCha20Rng::seed_from_u64(10);
    let mut judged = std::collections::HashSet::new();
    let mut decoded = 0;
    for _ in 0..CASES {
        let Ok(block) = SealedBlock::from_encoded(mutated(sample.encoded(), &mut rng)) else {
            continue;
        };
        decoded += 1;
        let verdict = ledger.execute(&block, &every_other);
        judged.insert(std::mem::discriminant(&verdict.unwrap_err()));
        assert_eq!(ledger.overlay_count(), 0);
    }
    println!("{CASES} mutated blocks, {decoded} decoded, {} kinds of verdict", judged.len());
    assert!(judged.contains(&std::mem::discriminant(&InvalidBlock::TransactionsRoot)));
    assert!(judged.len() >= 5);
}

/// Some transactions are known, by no rule that matters.
fn every_other(hash: &Digest) -> bool {
    hash.0[0] & 1 == 0
}

#[test]
fn claimed_lengths_reserve_nothing() {
    // A list of u64::MAX transactions, of signatures, of bytes: in few bytes of input.
    let sample = Samples::new().block();
    let frame = sample.encoded().len() - sample.transaction_bytes() - 8;
    for claimed in [u64::MAX, u64::MAX / 2, 1 << 40, 1 << 24, 100_000] {
        let mut bytes = sample.encoded()[..frame].to_vec();
        bytes.extend(claimed.to_le_bytes());
        let refused = codec::decode::<Block>(&bytes);
        assert!(matches!(refused, Err(CodecError::Malformed(_))), "{claimed}: {refused:?}");
        let mut bytes = codec::encode(&RecordKey::Entry(Vec::new()));
        bytes.truncate(4);
        bytes.extend(claimed.to_le_bytes());
        let refused = codec::decode::<RecordKey>(&bytes);
        assert!(matches!(refused, Err(CodecError::Malformed(_))), "{claimed}: {refused:?}");
    }
}

#[test]
fn what_is_longer_than_its_type_allows_is_not_even_read() {
    fn refuses<T: Decode<()> + Bounded + std::fmt::Debug>() {
        let len = T::MAX_BYTES + 1;
        let refused = codec::decode::<T>(&vec![0; len]);
        let expected = CodecError::TooLarge { len, max: T::MAX_BYTES };
        assert_eq!(refused.unwrap_err(), expected);
        assert!(codec::decode::<T>(&[]).is_err());
    }
    refuses::<Vote>();
    refuses::<Certificate>();
    refuses::<ViewCertificate>();
    refuses::<Evidence>();
    refuses::<SignedTransaction>();
    refuses::<Transaction>();
    refuses::<Block>();
    refuses::<ValidatorSet>();
    refuses::<Receipt>();
    refuses::<MerkleProof>();
    refuses::<RecordKey>();
    refuses::<RecordValue>();
    refuses::<StateProof>();
}

/// JSON carries the same values: hexadecimal bytes, amounts as text.
#[test]
fn json_round_trips() {
    let samples = Samples::new();
    for (_, transaction) in samples.executable() {
        let text = serde_json::to_string(&transaction).unwrap();
        assert_eq!(serde_json::from_str::<Transaction>(&text).unwrap(), transaction);
    }
    let block = samples.block();
    let text = serde_json::to_string(&*block).unwrap();
    assert_eq!(serde_json::from_str::<Block>(&text).unwrap(), *block);
    let (_, transfer) = samples.transactions().swap_remove(0);
    let json = serde_json::to_value(&transfer).unwrap();
    assert_eq!(json["payload"]["body"]["amount"], "250");
    assert_eq!(json["payload"]["body"]["type"], "transfer");
}
