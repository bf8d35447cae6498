//! Transactions whose signature was checked.

use std::sync::Arc;

use crate::codec::{self, CodecError};
use crate::crypto::{SignatureItem, Verifier};
use crate::transaction::{MalformedTransaction, SignedTransaction};
use crate::types::{Address, Digest};

/// A transaction with what else is worth computing once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedTransaction {
    transaction: SignedTransaction,
    hash: Digest,
    /// What the signature is to cover.
    signing_digest: Digest,
    sender: Address,
    encoded_len: usize,
}

impl HashedTransaction {
    pub fn new(transaction: SignedTransaction) -> Self {
        let encoded = codec::encode(&transaction);
        Self::encoded_as(transaction, &encoded)
    }

    /// Reads a transaction from its canonical encoding.
    ///
    /// # Errors
    /// [`CodecError`] where the bytes are not the encoding of one transaction.
    pub fn decode(encoded: &[u8]) -> Result<Self, CodecError> {
        Ok(Self::encoded_as(codec::decode(encoded)?, encoded))
    }

    /// Reads a transaction from the encoding that `bytes` begin with, and tells its length.
    ///
    /// # Errors
    /// [`CodecError`] where they begin with none.
    pub fn decode_first(bytes: &[u8]) -> Result<(Self, usize), CodecError> {
        let (transaction, len) = codec::decode_first(bytes)?;
        Ok((Self::encoded_as(transaction, &bytes[..len]), len))
    }

    fn encoded_as(transaction: SignedTransaction, encoded: &[u8]) -> Self {
        let hash = SignedTransaction::hash_of(encoded);
        let signing_digest = SignedTransaction::signing_digest_of(encoded);
        let sender = transaction.sender();
        Self { transaction, hash, signing_digest, sender, encoded_len: encoded.len() }
    }

    pub fn transaction(&self) -> &SignedTransaction {
        &self.transaction
    }

    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// The account that sends.
    pub fn sender(&self) -> Address {
        self.sender
    }

    /// Length of the encoding in bytes.
    pub fn encoded_len(&self) -> usize {
        self.encoded_len
    }

    fn signature(&self) -> SignatureItem<'_> {
        let signed = &self.transaction;
        (&signed.payload.sender, &self.signing_digest, &signed.signature)
    }
}

/// A transaction whose signature was found good. There is no way to make one without a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTransaction(HashedTransaction);

impl VerifiedTransaction {
    /// Checks one transaction.
    ///
    /// # Errors
    /// [`MalformedTransaction::BadSignature`].
    pub fn check(
        transaction: SignedTransaction,
        verifier: &dyn Verifier,
    ) -> Result<Arc<Self>, MalformedTransaction> {
        if transaction.verify_signature(verifier) {
            Ok(Arc::new(Self(HashedTransaction::new(transaction))))
        } else {
            Err(MalformedTransaction::BadSignature)
        }
    }

    /// Checks many together, each verdict in its transaction's place. `known` tells which ones, in their
    /// order, were found good before, by their hashes: those cover the signature.
    ///
    /// # Panics
    /// Where `known` has another length.
    pub fn check_batch(
        transactions: Vec<HashedTransaction>,
        known: &[bool],
        verifier: &dyn Verifier,
    ) -> Vec<Result<Arc<Self>, MalformedTransaction>> {
        assert_eq!(transactions.len(), known.len(), "each is known or not");
        let items: Vec<SignatureItem<'_>> = transactions
            .iter()
            .zip(known)
            .filter(|(_, known)| !**known)
            .map(|(item, _)| item.signature())
            .collect();
        let mut verdicts = verifier.verify_batch(&items).into_iter();
        let good: Vec<bool> =
            known.iter().map(|known| *known || verdicts.next() == Some(true)).collect();
        transactions
            .into_iter()
            .zip(good)
            .map(|(item, good)| {
                if good {
                    Ok(Arc::new(Self(item)))
                } else {
                    Err(MalformedTransaction::BadSignature)
                }
            })
            .collect()
    }

    pub fn hashed(&self) -> &HashedTransaction {
        &self.0
    }

    pub fn transaction(&self) -> &SignedTransaction {
        self.0.transaction()
    }

    pub fn hash(&self) -> Digest {
        self.0.hash()
    }

    /// The account that sends.
    pub fn sender(&self) -> Address {
        self.0.sender()
    }

    /// Length of the encoding in bytes.
    pub fn encoded_len(&self) -> usize {
        self.0.encoded_len()
    }
}
