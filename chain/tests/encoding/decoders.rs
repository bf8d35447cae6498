//! Decoders meet lengths that nobody can mean.

use bincode::Decode;
use chain::block::Block;
use chain::certificate::{Certificate, ViewCertificate, Vote};
use chain::codec::{self, Bounded, CodecError};
use chain::crypto::Ed25519;
use chain::evidence::Evidence;
use chain::merkle::MerkleProof;
use chain::receipt::Receipt;
use chain::state::{RecordKey, RecordValue, StateProof};
use chain::transaction::{SignedTransaction, Transaction};
use chain::validator::ValidatorSet;

use crate::samples::{CHAIN, Samples};

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
