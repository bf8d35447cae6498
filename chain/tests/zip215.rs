//! One signature rule on every path: single and batch accept exactly what ZIP-215 accepts.

use chain::crypto::{Ed25519, Keypair, PublicKey, Signature, SignatureItem, Signer, Verifier};
use chain::types::Digest;
use rand::{RngExt, SeedableRng};

/// What the vectors sign.
const DIGEST: &str = "07e2da83072c8ec966136d461bf04c6536a9d56c235978a9b82b724a1da092e3";

/// Every encoding of a point of order 1, 2, 4 or 8 that ZIP-215 reads: the eight canonical ones,
/// then six whose y is not reduced or whose sign belongs to no x.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

#[derive(Clone, Debug)]
struct Vector {
    name: String,
    valid: bool,
    key: PublicKey,
    digest: Digest,
    signature: Signature,
}

impl Vector {
    fn item(&self) -> SignatureItem<'_> {
        (&self.key, &self.digest, &self.signature)
    }
}

fn crafted() -> Vec<Vector> {
    include_str!("vectors/zip215.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let [name, verdict, key, signature] = fields[..] else { panic!("{line}") };
            assert!(["accept", "refuse"].contains(&verdict), "{line}");
            Vector {
                name: name.to_owned(),
                valid: verdict == "accept",
                key: key.parse().unwrap(),
                digest: DIGEST.parse().unwrap(),
                signature: signature.parse().unwrap(),
            }
        })
        .collect()
}

/// Any two points of small order with s = 0 satisfy the equation times 8, whatever is signed.
fn small_order() -> Vec<Vector> {
    let mut vectors = Vec::new();
    for key in SMALL_ORDER {
        for point in SMALL_ORDER {
            vectors.push(Vector {
                name: format!("small order {key} {point}"),
                valid: true,
                key: key.parse().unwrap(),
                digest: DIGEST.parse().unwrap(),
                signature: format!("{point}{}", "00".repeat(32)).parse().unwrap(),
            });
        }
    }
    vectors
}

/// Plain mistakes, next to an honest signature.
fn spoiled() -> Vec<Vector> {
    let signer = Keypair::from_seed(&[5; 32]);
    let digest = Digest([8; 32]);
    let good = Vector {
        name: "good".into(),
        valid: true,
        key: signer.public(),
        digest,
        signature: signer.sign(&digest),
    };
    let spoil = |name: &str, change: fn(&mut Vector)| {
        let mut vector = Vector { name: name.into(), valid: false, ..good.clone() };
        change(&mut vector);
        vector
    };
    vec![
        spoil("other digest", |vector| vector.digest.0[0] ^= 1),
        spoil("other key", |vector| vector.key = Keypair::from_seed(&[6; 32]).public()),
        spoil("other R", |vector| vector.signature.0[0] ^= 1),
        spoil("other s", |vector| vector.signature.0[32] ^= 1),
        spoil("s too large", |vector| vector.signature.0[63] |= 0x80),
        spoil("key not on the curve", |vector| vector.key = PublicKey([2; 32])),
        spoil("R not on the curve", |vector| vector.signature.0[..32].fill(2)),
        spoil("nothing", |vector| vector.signature = Signature([0; 64])),
        good,
    ]
}

fn all() -> Vec<Vector> {
    [crafted(), small_order(), spoiled()].concat()
}

#[test]
fn single_verification_follows_zip_215() {
    for vector in all() {
        let verdict = Ed25519.verify(&vector.key, &vector.digest, &vector.signature);
        assert_eq!(verdict, vector.valid, "{}", vector.name);
    }
}

/// The vectors are worth something: dalek's own rule, or its strict one, differs on them.
#[test]
fn the_vectors_tell_other_rules_apart() {
    let dalek_accepts = |vector: &Vector| {
        let signature = ed25519_dalek::Signature::from_bytes(&vector.signature.0);
        ed25519_dalek::VerifyingKey::from_bytes(&vector.key.0).is_ok_and(|key| {
            ed25519_dalek::Verifier::verify(&key, &vector.digest.0, &signature).is_ok()
        })
    };
    let differ: Vec<String> = crafted()
        .into_iter()
        .filter(|vector| dalek_accepts(vector) != vector.valid)
        .map(|vector| vector.name)
        .collect();
    assert!(differ.iter().any(|name| name.ends_with("in-r")), "{differ:?}");
    assert!(differ.iter().any(|name| name.ends_with("in-key")), "{differ:?}");
    assert!(small_order().iter().any(|vector| !dalek_accepts(vector)));
}

#[test]
fn a_batch_accepts_exactly_what_its_members_accept_one_by_one() {
    let vectors = all();
    for vector in &vectors {
        assert_eq!(Ed25519.verify_batch(&[vector.item()]), [vector.valid], "{}", vector.name);
        assert_eq!(Ed25519.verify_all(&[vector.item()]), vector.valid, "{}", vector.name);
        // In company as well.
        let good = vectors.last().unwrap().item();
        let batch = [good, good, good, vector.item(), good, good, good, good];
        let mut expected = [true; 8];
        expected[3] = vector.valid;
        assert_eq!(Ed25519.verify_batch(&batch), expected, "{}", vector.name);
        assert_eq!(Ed25519.verify_all(&batch), vector.valid, "{}", vector.name);
    }
    let items: Vec<SignatureItem<'_>> = vectors.iter().map(Vector::item).collect();
    let expected: Vec<bool> = vectors.iter().map(|vector| vector.valid).collect();
    assert_eq!(Ed25519.verify_batch(&items), expected);
    let valid: Vec<SignatureItem<'_>> =
        vectors.iter().filter(|vector| vector.valid).map(Vector::item).collect();
    assert!(Ed25519.verify_all(&valid));
    assert_eq!(Ed25519.verify_batch(&valid), vec![true; valid.len()]);
    assert!(Ed25519.verify_batch(&[]).is_empty() && Ed25519.verify_all(&[]));
}

/// Batches of every mix, from all good to all bad: also where batching is given up.
#[test]
fn random_mixes_agree() {
    let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(215);
    let (good, bad): (Vec<Vector>, Vec<Vector>) =
        all().into_iter().partition(|vector| vector.valid);
    let mut checked = 0;
    for bad_percent in [0, 1, 5, 20, 50, 90, 100] {
        for len in [2, 3, 17, 64, 150] {
            let mix: Vec<&Vector> = (0..len)
                .map(|_| {
                    let from = if rng.random_range(0..100) < bad_percent { &bad } else { &good };
                    &from[rng.random_range(0..from.len())]
                })
                .collect();
            let items: Vec<SignatureItem<'_>> = mix.iter().map(|vector| vector.item()).collect();
            let expected: Vec<bool> = mix.iter().map(|vector| vector.valid).collect();
            assert_eq!(Ed25519.verify_batch(&items), expected, "{len} with {bad_percent} % bad");
            assert_eq!(Ed25519.verify_all(&items), !expected.contains(&false));
            checked += len;
        }
    }
    println!("{checked} random members of batches");
    assert_eq!(checked, 7 * 236);
}
