//! Who may read what, where a namespace is not open to everybody.
//!
//! The nodes that answer reads enforce this. It keeps no secret from those who hold the chain:
//! validators and observers have all of its data.

use bincode::{Decode, Encode};

use crate::codec::Bounded;
use crate::crypto::{Domain, Hasher, PublicKey, Signature, Signer, Verifier};
use crate::namespace::{self, MAX_NAME_BYTES};
use crate::state::State;
use crate::types::{Address, Digest};

/// What a token opens.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Scope {
    /// Everything that its account may read.
    Everything,
    /// One namespace, by name.
    Namespace(Vec<u8>),
}

/// What an account signs to read: whoever has the token reads in its name until it expires.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReadClaim {
    /// Hash of the genesis: a token is worth nothing on another chain.
    pub chain_id: Digest,
    /// The account that reads, where it is not the signing key's own: after a rotation of its key.
    pub account: Option<Address>,
    /// The key that signs.
    pub key: PublicKey,
    pub scope: Scope,
    /// Unix milliseconds.
    pub expires_ms: u64,
}

/// A signed [`ReadClaim`].
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ReadToken {
    pub claim: ReadClaim,
    pub signature: Signature,
}

impl Bounded for ReadToken {
    const MAX_BYTES: usize = 256 + MAX_NAME_BYTES;
}

/// Why something may not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadRefusal {
    #[error("namespace {name} is not open to everybody: reading it needs a token")]
    TokenNeeded { name: String },
    #[error("the token was made for another chain ({0})")]
    OtherChain(Digest),
    #[error("the token has expired")]
    Expired,
    #[error("the token expires more than {} hours from now", ReadToken::MAX_LIFE_MS / 3_600_000)]
    LivesTooLong,
    #[error("the signature of the token does not match")]
    BadSignature,
    #[error("{0} does not sign with the key of the token")]
    OtherKey(Address),
    #[error("the token does not open namespace {name}")]
    OtherNamespace { name: String },
    #[error("the rules of namespace {name} do not let {account} read")]
    NotAReader { name: String, account: Address },
}

impl ReadClaim {
    fn digest(&self) -> Digest {
        Hasher::new(Domain::ReadToken).value(self).finish()
    }

    pub fn sign(self, signer: &dyn Signer) -> ReadToken {
        let signature = signer.sign(&self.digest());
        ReadToken { claim: self, signature }
    }
}

impl ReadToken {
    /// Longest time until a token expires, in milliseconds.
    pub const MAX_LIFE_MS: u64 = 24 * 3_600_000;

    /// The checks that need no state.
    ///
    /// # Errors
    /// [`ReadRefusal`] where the token is worth nothing here and now.
    pub fn check(
        &self,
        chain_id: &Digest,
        now_ms: u64,
        verifier: &dyn Verifier,
    ) -> Result<(), ReadRefusal> {
        let claim = &self.claim;
        if claim.chain_id != *chain_id {
            return Err(ReadRefusal::OtherChain(claim.chain_id));
        }
        if claim.expires_ms <= now_ms {
            return Err(ReadRefusal::Expired);
        }
        if claim.expires_ms - now_ms > Self::MAX_LIFE_MS {
            return Err(ReadRefusal::LivesTooLong);
        }
        if verifier.verify(&claim.key, &claim.digest(), &self.signature) {
            Ok(())
        } else {
            Err(ReadRefusal::BadSignature)
        }
    }

    /// The account that reads.
    pub fn reader(&self) -> Address {
        self.claim.account.unwrap_or_else(|| self.claim.key.address())
    }
}

/// Whether the bearer of a checked token, or of none, may read a key.
///
/// # Errors
/// [`ReadRefusal`] where the rules of its namespace do not allow it.
pub fn may_read(state: &State, key: &[u8], token: Option<&ReadToken>) -> Result<(), ReadRefusal> {
    let named = namespace::name_of(key).and_then(|name| Some((name, state.namespace(name)?)));
    let Some((name, namespace)) = named else {
        return Ok(());
    };
    let shown = || String::from_utf8_lossy(name).into_owned();
    if namespace.rules.readers == crate::access::Access::Anyone {
        return Ok(());
    }
    let Some(token) = token else {
        return Err(ReadRefusal::TokenNeeded { name: shown() });
    };
    match &token.claim.scope {
        Scope::Namespace(opened) if opened != name => {
            return Err(ReadRefusal::OtherNamespace { name: shown() });
        }
        _ => {}
    }
    let account = token.reader();
    let signs = state
        .account(&account)
        .key
        .map_or_else(|| token.claim.key.address() == account, |current| current == token.claim.key);
    if !signs {
        return Err(ReadRefusal::OtherKey(account));
    }
    let has = |role| {
        state.roles(&account).has(role) || namespace::is_validator(state.validators(), &account)
    };
    if namespace.owner == account || namespace.rules.readers.lets_through(&account, has) {
        Ok(())
    } else {
        Err(ReadRefusal::NotAReader { name: shown(), account })
    }
}

#[cfg(test)]
mod tests;
