use std::time::Instant;

use serde_json::Value;

use super::*;

fn key() -> Keypair {
    Keypair::from_seed(&[7; 32])
}

fn seal(password: &str) -> Result<Envelope, EnvelopeError> {
    Envelope::seal(&key(), key().public().address(), password)
}

/// The JSON of a sealed key with one change.
fn changed(envelope: &Envelope, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = serde_json::to_value(envelope).unwrap();
    change(&mut value);
    value.to_string().into_bytes()
}

#[test]
fn a_sealed_key_opens_with_its_password_only() {
    let envelope = seal("right").unwrap();
    let read = Envelope::from_json(envelope.to_json().as_bytes()).unwrap();
    assert_eq!(read, envelope);
    assert_eq!(read.open("right").unwrap().seed(), key().seed());
    assert_eq!(read.open("wrong").unwrap_err(), EnvelopeError::Sealed);
    let text = envelope.to_json() + &format!("{envelope:?}");
    assert!(!text.contains(&hex::encode([7; 32])), "{text}");
}

/// Keys of earlier versions must open for ever.
#[test]
fn golden_file() {
    let text = include_bytes!("golden.json");
    let key = Envelope::from_json(text).unwrap().open("correct horse battery staple").unwrap();
    assert_eq!(key.seed(), [7; 32]);
}

#[test]
fn a_key_remembers_the_account_that_it_signs_for_and_cannot_be_turned_to_another() {
    let [account, other] = [[1; 20], [2; 20]].map(Address);
    let own = seal("x").unwrap();
    assert_eq!(own.account(), key().public().address());
    assert!(!own.to_json().contains("account"), "{}", own.to_json());
    let envelope = Envelope::seal(&key(), account, "x").unwrap();
    let read = Envelope::from_json(envelope.to_json().as_bytes()).unwrap();
    assert_eq!(read.account(), account);
    assert_eq!(read.open("x").unwrap().seed(), key().seed());
    let text = changed(&envelope, |value| value["header"]["account"] = other.to_string().into());
    let turned = Envelope::from_json(&text).unwrap();
    assert_eq!(turned.open("x").unwrap_err(), EnvelopeError::Sealed);
}

#[test]
fn two_seals_of_one_key_share_nothing() {
    let (a, b) = (seal("x").unwrap(), seal("x").unwrap());
    assert_ne!(a.header.kdf.salt, b.header.kdf.salt);
    assert_ne!(a.header.nonce, b.header.nonce);
    assert_ne!(a.sealed, b.sealed);
}

#[test]
fn a_tampered_cost_is_refused_before_any_work() {
    let envelope = seal("x").unwrap();
    let start = Instant::now();
    let costs = [
        ("memory_kib", 8),
        ("memory_kib", 64 * 1024 - 1),
        ("memory_kib", u32::MAX),
        ("passes", 1),
        ("passes", u32::MAX),
        ("lanes", 0),
        ("lanes", 5),
    ];
    for (field, cost) in costs {
        let text = changed(&envelope, |value| value["header"]["kdf"]["cost"][field] = cost.into());
        assert_eq!(Envelope::from_json(&text).unwrap_err(), EnvelopeError::Cost, "{field} {cost}");
    }
    assert!(start.elapsed().as_secs() < 1, "refused at a glance");
}

#[test]
fn every_field_of_the_header_is_sealed() {
    let envelope = seal("x").unwrap();
    let other = Keypair::from_seed(&[8; 32]).public();
    // Another key's name on the file: without the seal a payment would go elsewhere.
    let renamed = changed(&envelope, |value| {
        value["header"]["public"] = other.to_string().into();
        value["header"]["address"] = other.address().to_string().into();
    });
    let cheaper = changed(&envelope, |value| value["header"]["kdf"]["cost"]["passes"] = 4.into());
    let other_nonce = changed(&envelope, |value| value["header"]["nonce"] = "00".repeat(24).into());
    let other_secret = changed(&envelope, |value| value["sealed"] = "00".repeat(48).into());
    for text in [renamed, cheaper, other_nonce, other_secret] {
        let envelope = Envelope::from_json(&text).expect("well formed");
        assert_eq!(envelope.open("x").unwrap_err(), EnvelopeError::Sealed);
    }
    let half = changed(&envelope, |value| value["header"]["public"] = other.to_string().into());
    assert_eq!(Envelope::from_json(&half).unwrap_err(), EnvelopeError::Mismatch);
}

#[test]
fn what_is_no_sealed_key_is_refused_in_one_line() {
    let envelope = seal("x").unwrap();
    let whole = envelope.to_json().into_bytes();
    let mut table = vec![
        changed(&envelope, |value| value["header"]["version"] = 2.into()),
        changed(&envelope, |value| value["header"]["nonce"] = "00".into()),
        changed(&envelope, |value| value["header"]["kdf"]["salt"] = "".into()),
        changed(&envelope, |value| value["header"]["kdf"]["name"] = "scrypt".into()),
        changed(&envelope, |value| value["sealed"] = "zz".into()),
        changed(&envelope, |value| value["more"] = 1.into()),
        b"[]".to_vec(),
        vec![0xff; 100],
    ];
    // A torn file: cut at every place.
    table.extend((0..whole.len() - 2).map(|end| whole[..end].to_vec()));
    println!("{} damaged files", table.len());
    for text in table {
        let error = Envelope::from_json(&text).unwrap_err().to_string();
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

/// Any text is refused before the password is asked for, or costs no more than is accepted.
#[test]
fn fuzz_keystore() {
    let samples =
        [include_bytes!("golden.json").to_vec(), seal("password").unwrap().to_json().into_bytes()];
    let target = fuzz::Target::new("keystore", fuzz::corpus::Form::Json, samples, |bytes| {
        let Ok(envelope) = Envelope::from_json(bytes) else { return false };
        let Cost { memory_kib, passes, lanes } = envelope.header.kdf.cost;
        assert!(memory_kib <= 256 * 1024 && passes <= 10 && lanes <= 4);
        let again = Envelope::from_json(envelope.to_json().as_bytes()).expect("what it wrote");
        assert_eq!(again, envelope);
        true
    });
    target.check();
}
