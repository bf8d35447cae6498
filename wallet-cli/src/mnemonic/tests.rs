use super::*;

const ZERO_WORDS: &str = "abandon abandon abandon abandon abandon abandon abandon abandon abandon \
                          abandon abandon about";

fn hexadecimal(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// The reference vectors of BIP-39 (trezor/python-mnemonic, vectors.json; passphrase "TREZOR").
#[test]
fn bip39_vectors() {
    let table = [
        (
            "00000000000000000000000000000000",
            ZERO_WORDS,
            "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1\
             c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
        ),
        (
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo \
             zoo zoo vote",
            "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e1613912f0a5b694407be899f\
             fd31ed3992c456cdf60f5d4564b8ba3f05a69890ad",
        ),
    ];
    for (entropy, words, seed) in table {
        let mnemonic = Mnemonic::from_entropy(&hex::decode(entropy).unwrap()).unwrap();
        assert_eq!(mnemonic.to_string(), words);
        assert_eq!(hexadecimal(&mnemonic.to_seed_normalized("TREZOR")), seed);
    }
}

/// Test vector 1 and the end of vector 2 for Ed25519 of SLIP-10.
#[test]
fn slip10_vectors() {
    let first = "000102030405060708090a0b0c0d0e0f";
    let second = "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8\
                  784817e7b7875726f6c696663605d5a5754514e4b484542";
    let table: [(&str, &[u32], &str); 4] = [
        (first, &[], "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7"),
        (first, &[0, 1], "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2"),
        (
            first,
            &[0, 1, 2, 2, 1_000_000_000],
            "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793",
        ),
        (
            second,
            &[0, 2_147_483_647, 1, 2_147_483_646, 2],
            "551d333177df541ad876a60ea71f00447931c0a9da16f227c11ea080d7391b8d",
        ),
    ];
    for (seed, path, secret) in table {
        let derived = slip10_ed25519::derive_ed25519_private_key(&hex::decode(seed).unwrap(), path);
        assert_eq!(hexadecimal(&derived), secret, "{path:?}");
    }
}

/// Words to key in one go: test 1 of Stellar's SEP-5, account 0 at m/44'/148'/0'.
#[test]
fn words_to_key_vector() {
    let words = "illness spike retreat truth genius clock brain pass fit cave bargain toe";
    let key = derive_path(words, &[44, 148, 0]).unwrap();
    assert_eq!(
        key.public().to_string(),
        "e3726830a0b60cb5f52c844cffcd4eed65eba5c155e89b26411562724e71e544"
    );
}

/// Backups are on paper: what the words restore must never change.
#[test]
fn golden_keys_of_this_chain() {
    let address = |index| derive(ZERO_WORDS, index).unwrap().public().address().to_string();
    assert_eq!(address(0), "cat10yew293xyr4kzqqtkwhrg3ur9ppxn9yx4ayk9f");
    assert_eq!(address(1), "cat108yjpa6652j3ykr2ndhtj32g9q2svswzwftlwk");
}

#[test]
fn new_words_are_24_differ_and_restore_a_key() {
    let (first, second) = (generate().unwrap(), generate().unwrap());
    assert_eq!(first.split(' ').count(), 24);
    assert_ne!(*first, *second);
    let key = derive(&first, 0).unwrap().public();
    let sloppy = format!("  {}\n", first.to_uppercase().replace(' ', " \n "));
    assert_eq!(derive(&sloppy, 0).unwrap().public(), key, "blanks and capitals do not matter");
    assert_ne!(derive(&first, 1).unwrap().public(), key);
}

#[test]
fn wrong_words_are_refused_without_repeating_them() {
    let table = [
        ("", "got 0"),
        ("abandon", "got 1"),
        (&ZERO_WORDS.replace("about", "abouts"), "word 12 is not"),
        (&ZERO_WORDS.replace("about", "zoo"), "do not belong together"),
    ];
    for (words, expected) in table {
        let error = derive(words, 0).unwrap_err().to_string();
        assert!(error.contains(expected), "{expected}: {error}");
        assert!(!error.contains("abandon") && !error.contains("abouts"), "{error}");
    }
    assert!(matches!(derive(ZERO_WORDS, 0x8000_0000), Err(MnemonicError::Index(_))));
}
