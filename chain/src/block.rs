//! Blocks: a header that is hashed, signed and voted on, and what it commits to.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::certificate::{Certificate, Position, ViewCertificate};
use crate::codec::{self, Bounded, CodecError};
use crate::crypto::{Domain, Hasher, Signature, SignatureItem, Verifier};
use crate::merkle::List;
use crate::transaction::Transaction;
use crate::types::{Digest, Epoch, Height, ValidatorIndex, View};
use crate::validator::ValidatorSet;

/// How the leader of a view carries the votes on its blocks. Decides nothing about safety.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Votes go to the leader alone.
    Fast,
    /// Votes go to everyone.
    Pbft,
}

impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fast => "fast",
            Self::Pbft => "pbft",
        })
    }
}

/// What makes a block ordinary, the end of an epoch, or a stand-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    Ordinary,
    /// Carries evidence or a validator change: the last block of its epoch.
    Barrier,
    /// Void block that only carries the votes which make a barrier below it final: no
    /// transactions, the state of its parent, never executed and never part of the chain.
    Seal,
}

/// Everything a vote is about.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Header {
    pub chain_id: Digest,
    pub epoch: Epoch,
    pub view: View,
    pub height: Height,
    pub mode: Mode,
    pub kind: BlockKind,
    pub parent: Digest,
    pub proposer: ValidatorIndex,
    /// Unix milliseconds, greater than the parent's.
    pub timestamp_ms: u64,
    pub transactions_root: Digest,
    pub receipts_root: Digest,
    /// Root of the state after this block.
    pub state_root: Digest,
    /// Hash of the set that votes on this block.
    pub validators_hash: Digest,
    /// Hash of the set in force after this block; differs only in a barrier.
    pub next_validators_hash: Digest,
    /// Hash of the block's [`Justification`].
    pub justification_hash: Digest,
}

impl Bounded for Header {
    const MAX_BYTES: usize = 512;
}

impl Header {
    pub fn position(&self) -> Position {
        Position { epoch: self.epoch, view: self.view, height: self.height }
    }

    /// Identifies the block.
    pub fn hash(&self, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::BlockHash, chain_id).value(self).finish()
    }
}

/// What the leader of a view signs to propose the block with this hash.
pub fn proposal_digest(chain_id: &Digest, block: &Digest) -> Digest {
    Hasher::on_chain(Domain::Proposal, chain_id).bytes(&block.0).finish()
}

/// A header with its leader's signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SignedHeader {
    pub header: Header,
    pub signature: Signature,
}

impl SignedHeader {
    /// Whether the proposer that the header names signed it. Says nothing of whether that
    /// proposer leads the header's view.
    pub fn verify(&self, chain_id: &Digest, set: &ValidatorSet, verifier: &dyn Verifier) -> bool {
        Self::verify_all(std::slice::from_ref(self), chain_id, set, verifier)
    }

    /// Whether [`verify`](Self::verify) accepts every one.
    pub fn verify_all(
        headers: &[Self],
        chain_id: &Digest,
        set: &ValidatorSet,
        verifier: &dyn Verifier,
    ) -> bool {
        let statement = |signed: &Self| {
            let header = &signed.header;
            let validator = set.get(header.proposer)?;
            let ours = header.chain_id == *chain_id && header.epoch == set.epoch;
            ours.then(|| {
                let digest = proposal_digest(chain_id, &header.hash(chain_id));
                (validator.consensus_key, digest, signed.signature)
            })
        };
        let statements: Option<Vec<_>> = headers.iter().map(statement).collect();
        statements.is_some_and(|statements| {
            let items: Vec<SignatureItem<'_>> = statements
                .iter()
                .map(|(key, digest, signature)| (key, digest, signature))
                .collect();
            verifier.verify_all(&items)
        })
    }
}

/// Certificates that the leader puts on chain with a block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Justification {
    /// The newest certificate of an ancestor that the leader held. Says who took part.
    pub certificate: Option<Certificate>,
    /// The certificate of the block's view, in the first block of every view that needs one.
    pub view_certificate: Option<ViewCertificate>,
}

impl Justification {
    pub fn hash(&self, chain_id: &Digest) -> Digest {
        Hasher::on_chain(Domain::Justification, chain_id).value(self).finish()
    }
}

/// A proposed block as it travels and is stored.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Block {
    pub header: Header,
    /// The proposer's, over [`proposal_digest`].
    pub signature: Signature,
    pub justification: Justification,
    pub transactions: Vec<Transaction>,
}

impl Block {
    /// Most bytes of transactions in one block.
    pub const MAX_TRANSACTION_BYTES: usize = 2 * 1024 * 1024;
    /// Most transactions in one block.
    pub const MAX_TRANSACTIONS: usize = 16 * 1024;
}

impl Bounded for Block {
    const MAX_BYTES: usize = Self::MAX_TRANSACTION_BYTES + 64 * 1024;
}

/// A block with its hash and its encoding, computed once and shared.
#[derive(Clone)]
pub struct SealedBlock(Arc<Sealed>);

struct Sealed {
    block: Block,
    hash: Digest,
    encoded: Vec<u8>,
    transaction_hashes: OnceLock<Vec<Digest>>,
    matches_header: OnceLock<bool>,
}

impl Sealed {
    fn new(block: Block, encoded: Vec<u8>) -> Self {
        let hash = block.header.hash(&block.header.chain_id);
        Self {
            block,
            hash,
            encoded,
            transaction_hashes: OnceLock::new(),
            matches_header: OnceLock::new(),
        }
    }
}

impl SealedBlock {
    pub fn new(block: Block) -> Self {
        let encoded = codec::encode(&block);
        Self(Arc::new(Sealed::new(block, encoded)))
    }

    /// Reads a block from its canonical encoding.
    ///
    /// # Errors
    /// [`CodecError`] where the bytes are not the encoding of one block.
    pub fn from_encoded(encoded: Vec<u8>) -> Result<Self, CodecError> {
        let block: Block = codec::decode(&encoded)?;
        Ok(Self(Arc::new(Sealed::new(block, encoded))))
    }

    /// The canonical encoding.
    pub fn encoded(&self) -> &[u8] {
        &self.0.encoded
    }

    pub fn hash(&self) -> Digest {
        self.0.hash
    }

    /// The hashes of the transactions in their order, computed once.
    pub fn transaction_hashes(&self) -> &[Digest] {
        self.0.transaction_hashes.get_or_init(|| {
            let chain_id = &self.header.chain_id;
            self.transactions.iter().map(|transaction| transaction.hash(chain_id)).collect()
        })
    }

    /// Saves [`transaction_hashes`](Self::transaction_hashes) the work, for transactions that were
    /// compared with hashed ones.
    pub(crate) fn remember_transaction_hashes(&self, hashes: &[Digest]) {
        self.0.transaction_hashes.get_or_init(|| hashes.to_vec());
    }

    /// Whether the transactions and the justification are those that the header, and so the hash,
    /// commits to. A block that came from outside and does not match says nothing about the block
    /// with this hash. Computed once.
    pub fn matches_header(&self) -> bool {
        *self.0.matches_header.get_or_init(|| {
            let header = &self.header;
            self.justification.hash(&header.chain_id) == header.justification_hash
                && List::Transactions.root(self.transaction_hashes()) == header.transactions_root
        })
    }

    /// Bytes of the transactions in the encoding.
    pub fn transaction_bytes(&self) -> usize {
        let frame = codec::encode(&(&self.header, &self.signature, &self.justification)).len();
        self.encoded().len() - frame - size_of::<u64>()
    }

    pub fn signed_header(&self) -> SignedHeader {
        SignedHeader { header: self.header.clone(), signature: self.signature }
    }
}

impl Deref for SealedBlock {
    type Target = Block;

    fn deref(&self) -> &Block {
        &self.0.block
    }
}

impl PartialEq for SealedBlock {
    fn eq(&self, other: &Self) -> bool {
        self.0.encoded == other.0.encoded
    }
}

impl Eq for SealedBlock {}

impl std::fmt::Debug for SealedBlock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let header = &self.header;
        write!(
            f,
            "Block(e{} v{} h{} {:?} {:?} parent {:?} {} tx)",
            header.epoch,
            header.view,
            header.height,
            header.kind,
            self.hash(),
            header.parent,
            self.transactions.len()
        )
    }
}

impl Encode for SealedBlock {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.encoded.encode(encoder)
    }
}

impl<Context> Decode<Context> for SealedBlock {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let encoded = Vec::<u8>::decode(decoder)?;
        Self::from_encoded(encoded).map_err(|error| DecodeError::OtherString(error.to_string()))
    }
}

impl<'de, Context> BorrowDecode<'de, Context> for SealedBlock {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}
