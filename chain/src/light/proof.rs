//! What a proof claims, and how that is checked.

use serde::{Deserialize, Serialize};

use super::{FinalityPath, Lineage, LineageError, PathError, Trust, encoded, fork};
use crate::block::{BlockKind, Header, SealedBlock};
use crate::crypto::{PublicKey, Verifier};
use crate::evidence::Evidence;
use crate::merkle::{List, MerkleProof};
use crate::receipt::Receipt;
use crate::state::{RecordKey, RecordValue, State, StateProof};
use crate::transaction::Transaction;
use crate::types::{Digest, Epoch, Height};
use crate::validator::ValidatorSet;

/// Everything that someone with the genesis needs to be convinced of one fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    pub chain_id: Digest,
    pub claim: Claim,
    /// Up to the epoch whose validators vouch for the claim.
    pub lineage: Lineage,
}

/// A fact about the chain, with what ties it to signatures of validators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// This transaction is final with this receipt.
    Transaction {
        #[serde(with = "encoded")]
        transaction: Transaction,
        #[serde(with = "encoded")]
        receipt: Receipt,
        transaction_path: MerkleProof,
        receipt_path: MerkleProof,
        block: FinalBlock,
    },
    /// The state after this block holds this value under this key; `None`: it holds nothing.
    Record {
        #[serde(with = "encoded")]
        key: RecordKey,
        #[serde(with = "encoded::option")]
        value: Option<RecordValue>,
        path: StateProof,
        block: FinalBlock,
    },
    /// The validator with this consensus key signed two statements that exclude each other.
    Equivocation {
        accused: PublicKey,
        #[serde(with = "encoded")]
        evidence: Evidence,
    },
    /// Both blocks are final at one height: more validators lied than the set bears. In the order
    /// of their hashes.
    Fork { first: FinalBlock, second: FinalBlock },
}

/// A header with the proof that its block is final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalBlock {
    #[serde(with = "encoded")]
    pub header: Header,
    pub finality: FinalityPath,
}

/// What a proof that holds says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// In one sentence.
    pub statement: String,
    /// The block that it is about; none for an equivocation or a fork.
    pub block: Option<ProvenBlock>,
}

/// A block that is proven final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenBlock {
    pub height: Height,
    pub hash: Digest,
    /// Unix milliseconds.
    pub timestamp_ms: u64,
}

/// Why a proof proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("the file has {len} bytes where at most {max} are allowed", max = Proof::MAX_FILE_BYTES)]
    TooLarge { len: usize },
    #[error("not a proof file: {0}")]
    Malformed(String),
    #[error("the file is of format {0:?}, which this program does not know")]
    Format(String),
    #[error("the file is not in its one canonical form: it was changed or rewritten")]
    NotCanonical,
    #[error("the proof is of chain {found}, the genesis is of chain {expected}")]
    OtherChain { found: Digest, expected: Digest },
    #[error(transparent)]
    Lineage(#[from] LineageError),
    #[error("the proof is about epoch {found}, its lineage leads to epoch {expected}")]
    OtherEpoch { found: Epoch, expected: Epoch },
    #[error("the block is of chain {0}")]
    BlockOfOtherChain(Digest),
    #[error("the block is a seal, which is never part of the chain")]
    Seal,
    #[error("the block is voted on by another set than that of its epoch")]
    OtherSet,
    #[error("the block is not proven final: {0}")]
    NotFinal(#[from] PathError),
    #[error("the transaction is not in the block")]
    TransactionPath,
    #[error("the receipt is not in the block")]
    ReceiptPath,
    #[error("the receipt is that of another transaction")]
    OtherReceipt,
    #[error("the state after the block does not hold this under the key")]
    StatePath,
    #[error("the value is not of the kind that its key names")]
    Kind,
    #[error("the two blocks are one, of different heights, or not in the order of their hashes")]
    NoFork,
    #[error("the evidence accuses another key than the proof names")]
    OtherAccused,
    #[error("the evidence does not hold: its statements or signatures do not match")]
    Evidence,
}

impl Proof {
    /// Checks everything, from the genesis to the claim.
    ///
    /// # Errors
    /// [`ProofError`] naming the first part that is wrong.
    pub fn verify(&self, trust: &Trust, verifier: &dyn Verifier) -> Result<Verdict, ProofError> {
        if self.chain_id != trust.chain_id {
            return Err(ProofError::OtherChain { found: self.chain_id, expected: trust.chain_id });
        }
        let set = self.lineage.verify(trust, verifier)?;
        self.claim.verify(&self.chain_id, set, verifier)?;
        let block = self.claim.block().map(|block| ProvenBlock {
            height: block.header.height,
            hash: block.header.hash(&self.chain_id),
            timestamp_ms: block.header.timestamp_ms,
        });
        Ok(Verdict { statement: self.statement(), block })
    }
}

impl Claim {
    /// The claim that the transaction at a place of a final block has its receipt; `None` where
    /// the block has no such transaction.
    pub fn transaction(
        block: &SealedBlock,
        finality: FinalityPath,
        receipts: &[Receipt],
        index: usize,
    ) -> Option<Self> {
        let hashes: Vec<Digest> = receipts.iter().map(Receipt::hash).collect();
        Some(Self::Transaction {
            transaction: block.transactions.get(index)?.clone(),
            receipt: receipts.get(index)?.clone(),
            transaction_path: MerkleProof::new(block.transaction_hashes(), index)?,
            receipt_path: MerkleProof::new(&hashes, index)?,
            block: FinalBlock { header: block.header.clone(), finality },
        })
    }

    /// The claim of what `state`, which is that after the block, holds under a key.
    pub fn record(block: FinalBlock, state: &State, key: RecordKey) -> Self {
        let (value, path) = (state.get(&key).cloned(), state.prove(&key));
        Self::Record { key, value, path, block }
    }

    /// The claim that two blocks of one height are final.
    pub fn fork(one: FinalBlock, other: FinalBlock, chain_id: &Digest) -> Self {
        let is_first = one.header.hash(chain_id) < other.header.hash(chain_id);
        let (first, second) = if is_first { (one, other) } else { (other, one) };
        Self::Fork { first, second }
    }

    /// The block that the claim is about.
    pub fn block(&self) -> Option<&FinalBlock> {
        match self {
            Self::Transaction { block, .. } | Self::Record { block, .. } => Some(block),
            Self::Equivocation { .. } | Self::Fork { .. } => None,
        }
    }

    /// The epoch whose validators vouch for it.
    pub fn epoch(&self) -> Epoch {
        match self {
            Self::Transaction { block, .. } | Self::Record { block, .. } => block.header.epoch,
            Self::Fork { first, .. } => first.header.epoch,
            Self::Equivocation { evidence, .. } => evidence.epoch(),
        }
    }

    /// Checks the claim under the set that vouches for it.
    fn verify(
        &self,
        chain_id: &Digest,
        set: &ValidatorSet,
        verifier: &dyn Verifier,
    ) -> Result<(), ProofError> {
        if let Some(block) = self.block() {
            block.verify(chain_id, set, verifier)?;
        }
        match self {
            Self::Transaction { transaction, receipt, transaction_path, receipt_path, block } => {
                let hash = transaction.hash(chain_id);
                let header = &block.header;
                if receipt.transaction != hash || transaction_path.index != receipt_path.index {
                    return Err(ProofError::OtherReceipt);
                }
                if !transaction_path.verify(List::Transactions, &header.transactions_root, &hash) {
                    return Err(ProofError::TransactionPath);
                }
                if !receipt_path.verify(List::Receipts, &header.receipts_root, &receipt.hash()) {
                    return Err(ProofError::ReceiptPath);
                }
                Ok(())
            }
            Self::Record { key, value, path, block } => {
                if value.as_ref().is_some_and(|value| !key.fits(value)) {
                    return Err(ProofError::Kind);
                }
                if !path.verify(&block.header.state_root, key, value.as_ref()) {
                    return Err(ProofError::StatePath);
                }
                Ok(())
            }
            Self::Fork { first, second } => fork::verify(first, second, chain_id, set, verifier),
            Self::Equivocation { accused, evidence } => {
                check_epoch(evidence.epoch(), set)?;
                if set.get(evidence.accused()).is_none_or(|one| one.consensus_key != *accused) {
                    return Err(ProofError::OtherAccused);
                }
                if !evidence.verify(chain_id, set, verifier) {
                    return Err(ProofError::Evidence);
                }
                Ok(())
            }
        }
    }
}

impl FinalBlock {
    /// Checks that this block is part of the chain for ever, under the set of its epoch.
    ///
    /// # Errors
    /// [`ProofError`] with what is wrong.
    pub fn verify(
        &self,
        chain_id: &Digest,
        set: &ValidatorSet,
        verifier: &dyn Verifier,
    ) -> Result<(), ProofError> {
        let header = &self.header;
        if header.chain_id != *chain_id {
            return Err(ProofError::BlockOfOtherChain(header.chain_id));
        }
        check_epoch(header.epoch, set)?;
        if header.kind == BlockKind::Seal {
            return Err(ProofError::Seal);
        }
        if header.validators_hash != set.hash(chain_id) {
            return Err(ProofError::OtherSet);
        }
        Ok(self.finality.verify(&header.hash(chain_id), chain_id, set, verifier)?)
    }
}

fn check_epoch(found: Epoch, set: &ValidatorSet) -> Result<(), ProofError> {
    if found == set.epoch {
        Ok(())
    } else {
        Err(ProofError::OtherEpoch { found, expected: set.epoch })
    }
}
