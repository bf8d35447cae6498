//! Transactions whose signature was checked.

use std::sync::Arc;

use crate::codec;
use crate::crypto::{SignatureItem, Verifier};
use crate::transaction::{MalformedTransaction, SignedTransaction};
use crate::types::{Address, Digest};

/// A transaction with its hash and its length, both from one encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedTransaction {
    transaction: SignedTransaction,
    hash: Digest,
    encoded_len: usize,
}

impl HashedTransaction {
    pub fn new(transaction: SignedTransaction) -> Self {
        let encoded = codec::encode(&transaction);
        let hash = SignedTransaction::hash_of(&encoded);
        Self { transaction, hash, encoded_len: encoded.len() }
    }

    pub fn transaction(&self) -> &SignedTransaction {
        &self.transaction
    }

    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// Length of the encoding in bytes.
    pub fn encoded_len(&self) -> usize {
        self.encoded_len
    }
}

/// A transaction whose signature was found good, with what else is worth computing once. There is
/// no way to make one without a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTransaction {
    hashed: HashedTransaction,
    sender: Address,
}

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
            Ok(Self::trusted(HashedTransaction::new(transaction)))
        } else {
            Err(MalformedTransaction::BadSignature)
        }
    }

    /// Checks many together, each verdict in its transaction's place. `known` tells which ones, by
    /// hash, were found good before: the hash covers the signature.
    pub fn check_batch(
        transactions: Vec<HashedTransaction>,
        known: &dyn Fn(&Digest) -> bool,
        verifier: &dyn Verifier,
    ) -> Vec<Result<Arc<Self>, MalformedTransaction>> {
        let is_known: Vec<bool> = transactions.iter().map(|item| known(&item.hash)).collect();
        let unknown: Vec<(&SignedTransaction, Digest)> = transactions
            .iter()
            .zip(&is_known)
            .filter(|(_, known)| !**known)
            .map(|(item, _)| (&item.transaction, item.transaction.payload.signing_digest()))
            .collect();
        let items: Vec<SignatureItem<'_>> = unknown
            .iter()
            .map(|(signed, digest)| (&signed.payload.sender, digest, &signed.signature))
            .collect();
        let mut verdicts = verifier.verify_batch(&items).into_iter();
        let good: Vec<bool> =
            is_known.into_iter().map(|known| known || verdicts.next() == Some(true)).collect();
        transactions
            .into_iter()
            .zip(good)
            .map(|(item, good)| {
                if good { Ok(Self::trusted(item)) } else { Err(MalformedTransaction::BadSignature) }
            })
            .collect()
    }

    fn trusted(hashed: HashedTransaction) -> Arc<Self> {
        let sender = hashed.transaction.sender();
        Arc::new(Self { hashed, sender })
    }

    pub fn transaction(&self) -> &SignedTransaction {
        &self.hashed.transaction
    }

    pub fn hash(&self) -> Digest {
        self.hashed.hash
    }

    pub fn sender(&self) -> Address {
        self.sender
    }

    /// Length of the encoding in bytes.
    pub fn encoded_len(&self) -> usize {
        self.hashed.encoded_len
    }
}
