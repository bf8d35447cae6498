//! One encrypted key: Argon2id makes a key of the password, XChaCha20-Poly1305 seals the secret,
//! and the header is sealed with it as associated data.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use chain::crypto::{Keypair, PublicKey};
use chain::types::Address;
use node_api::HexBytes;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const VERSION: u16 = 1;
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;
/// The 32 secret bytes and the tag.
const SEALED_BYTES: usize = 32 + 16;

/// Cost of new keys: 64 MiB, 3 passes, 1 lane; some 0.1 s on a small machine.
const COST: Cost = Cost { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
/// Costs that are accepted. Below: guessing gets cheap. Above: opening a tampered file would take
/// the machine down.
const MEMORY_KIB: std::ops::RangeInclusive<u32> = 64 * 1024..=256 * 1024;
const PASSES: std::ops::RangeInclusive<u32> = 3..=10;
const LANES: std::ops::RangeInclusive<u32> = 1..=4;

/// An encrypted key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Envelope {
    header: Header,
    /// The secret, encrypted, with its tag.
    sealed: HexBytes,
}

/// What may be read without the password. Associated data of the seal, in its JSON form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u16,
    address: Address,
    public: PublicKey,
    /// The account that the key signs for, where that is not its own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<Address>,
    kdf: Kdf,
    cipher: CipherName,
    nonce: HexBytes,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kdf {
    name: KdfName,
    cost: Cost,
    salt: HexBytes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum KdfName {
    #[serde(rename = "argon2id")]
    Argon2id,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum CipherName {
    #[serde(rename = "xchacha20-poly1305")]
    XChaCha20Poly1305,
}

/// An envelope that does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EnvelopeError {
    #[error("not an encrypted key: {0}")]
    Malformed(String),
    #[error("written by a newer version of this program (format {0})")]
    Version(u16),
    #[error("its cost is outside of what is accepted: it was tampered with")]
    Cost,
    #[error("its public key and address do not belong together: it was tampered with")]
    Mismatch,
    #[error("wrong password, or the file was tampered with")]
    Sealed,
    #[error("the system gave no randomness")]
    Randomness,
    #[error("not enough memory to open it")]
    Memory,
}

impl Envelope {
    /// Encrypts a key that signs for an account.
    pub(crate) fn seal(
        key: &Keypair,
        account: Address,
        password: &str,
    ) -> Result<Self, EnvelopeError> {
        let mut salt = vec![0; SALT_BYTES];
        let mut nonce = vec![0; NONCE_BYTES];
        for random in [&mut salt, &mut nonce] {
            getrandom::fill(random).map_err(|_| EnvelopeError::Randomness)?;
        }
        let header = Header {
            version: VERSION,
            address: key.public().address(),
            public: key.public(),
            account: (account != key.public().address()).then_some(account),
            kdf: Kdf { name: KdfName::Argon2id, cost: COST, salt: HexBytes(salt) },
            cipher: CipherName::XChaCha20Poly1305,
            nonce: HexBytes(nonce),
        };
        let secret = Zeroizing::new(key.seed());
        let sealed = header
            .cipher(password)?
            .encrypt(&header.nonce()?, Payload { msg: secret.as_ref(), aad: &header.bytes() })
            .map_err(|_| EnvelopeError::Sealed)?;
        Ok(Self { header, sealed: HexBytes(sealed) })
    }

    /// Reads a stored envelope and checks what can be checked without the password.
    pub(crate) fn from_json(text: &[u8]) -> Result<Self, EnvelopeError> {
        let malformed = |error: serde_json::Error| EnvelopeError::Malformed(error.to_string());
        // First the version alone: the fields of another one may differ.
        let version: AnyVersion = serde_json::from_slice(text).map_err(malformed)?;
        if version.header.version != VERSION {
            return Err(EnvelopeError::Version(version.header.version));
        }
        let envelope: Self = serde_json::from_slice(text).map_err(malformed)?;
        let header = &envelope.header;
        let Cost { memory_kib, passes, lanes } = header.kdf.cost;
        if !MEMORY_KIB.contains(&memory_kib) || !PASSES.contains(&passes) || !LANES.contains(&lanes)
        {
            return Err(EnvelopeError::Cost);
        }
        let lengths = [
            ("salt", header.kdf.salt.0.len(), SALT_BYTES),
            ("nonce", header.nonce.0.len(), NONCE_BYTES),
            ("sealed secret", envelope.sealed.0.len(), SEALED_BYTES),
        ];
        for (what, len, expected) in lengths {
            if len != expected {
                return Err(EnvelopeError::Malformed(format!(
                    "the {what} has {len} bytes, not {expected}"
                )));
            }
        }
        if header.public.address() != header.address {
            return Err(EnvelopeError::Mismatch);
        }
        Ok(envelope)
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("an envelope is plain data") + "\n"
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.header.public
    }

    /// The account that the key signs for.
    pub(crate) fn account(&self) -> Address {
        self.header.account.unwrap_or(self.header.address)
    }

    /// Decrypts the key.
    pub(crate) fn open(&self, password: &str) -> Result<Keypair, EnvelopeError> {
        let header = &self.header;
        let payload = Payload { msg: &self.sealed.0, aad: &header.bytes() };
        let secret = header
            .cipher(password)?
            .decrypt(&header.nonce()?, payload)
            .map(Zeroizing::new)
            .map_err(|_| EnvelopeError::Sealed)?;
        let seed: &[u8; 32] = secret.as_slice().try_into().map_err(|_| EnvelopeError::Sealed)?;
        let key = Keypair::from_seed(seed);
        if key.public() != header.public {
            return Err(EnvelopeError::Mismatch);
        }
        Ok(key)
    }
}

impl Header {
    /// What the seal covers besides the secret. A struct has one JSON text: its fields are
    /// written in the order of their declaration.
    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a header is plain data")
    }

    fn nonce(&self) -> Result<XNonce, EnvelopeError> {
        XNonce::try_from(self.nonce.0.as_slice())
            .map_err(|_| EnvelopeError::Malformed("the nonce".to_owned()))
    }

    /// The cipher under the key that the password makes. Slow on purpose.
    fn cipher(&self, password: &str) -> Result<XChaCha20Poly1305, EnvelopeError> {
        let Cost { memory_kib, passes, lanes } = self.kdf.cost;
        let params =
            Params::new(memory_kib, passes, lanes, Some(32)).map_err(|_| EnvelopeError::Cost)?;
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(password.as_bytes(), &self.kdf.salt.0, key.as_mut())
            .map_err(|_| EnvelopeError::Memory)?;
        Ok(XChaCha20Poly1305::new(&(*key).into()))
    }
}

/// What every version of the format has.
#[derive(Deserialize)]
struct AnyVersion {
    header: VersionOnly,
}

#[derive(Deserialize)]
struct VersionOnly {
    version: u16,
}

#[cfg(test)]
mod tests;
