//! Transactions whose signature was checked.

use std::sync::Arc;

use crate::codec;
use crate::crypto::{SignatureItem, Verifier};
use crate::transaction::{MalformedTransaction, SignedTransaction};
use crate::types::{Address, Digest};

/// A transaction whose signature was found good, with what else is worth computing once. There is
/// no way to make one without a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTransaction {
    transaction: SignedTransaction,
    hash: Digest,
    sender: Address,
    encoded_len: usize,
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
            Ok(Arc::new(Self::trusted(transaction)))
        } else {
            Err(MalformedTransaction::BadSignature)
        }
    }

    /// Checks many together, each verdict in its transaction's place.
    pub fn check_batch(
        transactions: Vec<SignedTransaction>,
        verifier: &dyn Verifier,
    ) -> Vec<Result<Arc<Self>, MalformedTransaction>> {
        let digests: Vec<Digest> =
            transactions.iter().map(|transaction| transaction.payload.signing_digest()).collect();
        let items: Vec<SignatureItem<'_>> = transactions
            .iter()
            .zip(&digests)
            .map(|(transaction, digest)| {
                (&transaction.payload.sender, digest, &transaction.signature)
            })
            .collect();
        let verdicts = verifier.verify_batch(&items);
        drop(items);
        transactions
            .into_iter()
            .zip(verdicts)
            .map(|(transaction, good)| {
                if good {
                    Ok(Arc::new(Self::trusted(transaction)))
                } else {
                    Err(MalformedTransaction::BadSignature)
                }
            })
            .collect()
    }

    fn trusted(transaction: SignedTransaction) -> Self {
        let hash = transaction.hash();
        let sender = transaction.sender();
        let encoded_len = codec::encode(&transaction).len();
        Self { transaction, hash, sender, encoded_len }
    }

    pub fn transaction(&self) -> &SignedTransaction {
        &self.transaction
    }

    pub fn hash(&self) -> Digest {
        self.hash
    }

    pub fn sender(&self) -> Address {
        self.sender
    }

    /// Length of the encoding in bytes.
    pub fn encoded_len(&self) -> usize {
        self.encoded_len
    }
}
