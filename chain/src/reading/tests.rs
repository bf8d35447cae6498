use super::*;
use crate::access::{Access, Role, Roles};
use crate::namespace::{Namespace, NamespaceRules};
use crate::state::{RecordKey, RecordValue};
use crate::testing::{CHAIN, Cheap, CheapSigner, account, address, signer, state_with};

const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

/// Namespace `n` of account 0, readable for role reader, which account 1 has, and `m`, for
/// account 2 alone. Account 3 signs with the key of account 9.
fn state() -> State {
    let before = state_with(&[100]);
    let mut roles = Roles::default();
    roles.set(Role::Reader, true);
    let namespace = |name: &[u8], readers| {
        let rules = NamespaceRules { writers: Access::Anyone, readers };
        let namespace = Namespace { owner: address(0), rules };
        (RecordKey::Namespace(name.to_vec()), RecordValue::Namespace(namespace))
    };
    let mut rotated = before.account(&address(3));
    rotated.key = Some(account(9).0);
    let added = [
        (RecordKey::Roles(address(1)), RecordValue::Roles(roles)),
        (RecordKey::Account(address(3)), RecordValue::Account(rotated)),
        namespace(b"n", Access::Role(Role::Reader)),
        namespace(b"m", Access::Accounts(vec![address(2), address(3)])),
    ];
    let records = before.records().map(|(key, value)| (key.clone(), value.clone()));
    State::from_records(records.chain(added)).unwrap()
}

fn claim(signer: CheapSigner) -> ReadClaim {
    let (account, scope, expires_ms) = (None, Scope::Everything, NOW + HOUR);
    ReadClaim { chain_id: CHAIN, account, key: signer.0, scope, expires_ms }
}

fn token(signer: CheapSigner) -> ReadToken {
    claim(signer).sign(&signer)
}

#[test]
fn the_owner_and_whom_the_rules_name_may_read() {
    let state = state();
    let read = |key: &str, signer| may_read(&state, key.as_bytes(), Some(&token(signer)));
    for (key, allowed) in [("n/a", vec![0, 1]), ("m/a", vec![0, 2])] {
        for number in 0..3 {
            let verdict = read(key, account(number));
            assert_eq!(verdict.is_ok(), allowed.contains(&number), "{key}, {number}: {verdict:?}");
        }
        let name = key[..1].to_owned();
        assert_eq!(
            may_read(&state, key.as_bytes(), None),
            Err(ReadRefusal::TokenNeeded { name: name.clone() })
        );
        let account = address(7);
        let refused = ReadRefusal::NotAReader { name, account };
        assert_eq!(read(key, crate::testing::account(7)), Err(refused));
    }
    assert_eq!(read("n/a", signer(402)), Ok(()), "a validator has every role");
    for open in ["n", "free", "other/a", "/n/a", "n a/b"] {
        assert_eq!(may_read(&state, open.as_bytes(), None), Ok(()), "{open}");
    }
}

#[test]
fn a_token_opens_what_it_says_and_speaks_for_the_key_that_signs_now() {
    let state = state();
    let narrow = ReadClaim { scope: Scope::Namespace(b"n".to_vec()), ..claim(account(0)) };
    let narrow = narrow.sign(&account(0));
    assert_eq!(may_read(&state, b"n/a", Some(&narrow)), Ok(()));
    let other = ReadRefusal::OtherNamespace { name: "m".to_owned() };
    assert_eq!(may_read(&state, b"m/a", Some(&narrow)), Err(other));

    let old = token(account(3));
    assert_eq!(may_read(&state, b"m/a", Some(&old)), Err(ReadRefusal::OtherKey(address(3))));
    let new = ReadClaim { account: Some(address(3)), ..claim(account(9)) }.sign(&account(9));
    assert_eq!(may_read(&state, b"m/a", Some(&new)), Ok(()));
    let stolen = ReadClaim { account: Some(address(2)), ..claim(account(9)) }.sign(&account(9));
    assert_eq!(may_read(&state, b"m/a", Some(&stolen)), Err(ReadRefusal::OtherKey(address(2))));
}

#[test]
fn tokens_of_other_chains_out_of_time_or_not_signed_are_refused() {
    let good = token(account(1));
    assert_eq!(good.check(&CHAIN, NOW, &Cheap), Ok(()));
    assert_eq!(good.check(&CHAIN, NOW + HOUR - 1, &Cheap), Ok(()));
    assert_eq!(good.check(&CHAIN, NOW + HOUR, &Cheap), Err(ReadRefusal::Expired));
    let long = ReadClaim { expires_ms: NOW + ReadToken::MAX_LIFE_MS, ..claim(account(1)) };
    assert_eq!(long.clone().sign(&account(1)).check(&CHAIN, NOW, &Cheap), Ok(()));
    let longer = ReadClaim { expires_ms: long.expires_ms + 1, ..long };
    let longer = longer.sign(&account(1));
    assert_eq!(longer.check(&CHAIN, NOW, &Cheap), Err(ReadRefusal::LivesTooLong));
    let elsewhere = good.check(&Digest::ZERO, NOW, &Cheap);
    assert_eq!(elsewhere, Err(ReadRefusal::OtherChain(CHAIN)));
    let mut widened = good.clone();
    widened.claim.expires_ms += 1;
    assert_eq!(widened.check(&CHAIN, NOW, &Cheap), Err(ReadRefusal::BadSignature));
    let bytes = crate::codec::encode(&good);
    assert_eq!(crate::codec::decode(&bytes), Ok(good));
}
