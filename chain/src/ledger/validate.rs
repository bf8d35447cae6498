//! Everything that makes a block valid on top of its parent, except who may propose it and when.

use crate::block::{Block, BlockKind, Header, SealedBlock};
use crate::crypto::SignatureItem;
use crate::execute::{self, BlockContext, InvalidTransaction};
use crate::ledger::Ledger;
use crate::ledger::overlay::{Outcome, Overlay, Tip};
use crate::transaction::{SignedTransaction, Transaction};
use crate::types::{Digest, Epoch, Height};

/// How far a block's timestamp may be ahead of the clock of whoever votes for it: ten minutes.
pub const MAX_CLOCK_LEAD_MS: u64 = 10 * 60 * 1000;

/// Why nobody may vote for a block.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBlock {
    #[error("its parent was not executed")]
    UnknownParent,
    #[error("it belongs to another chain ({0})")]
    OtherChain(Digest),
    #[error("its height is {found} where {expected} follows its parent")]
    WrongHeight { found: Height, expected: Height },
    #[error("its epoch is {found} where {expected} follows its parent")]
    WrongEpoch { found: Epoch, expected: Epoch },
    #[error("its timestamp {found} is not later than its parent's {parent}")]
    TimestampTooEarly { found: u64, parent: u64 },
    #[error("a {found:?} block cannot follow a {parent:?} block")]
    MisplacedKind { found: BlockKind, parent: BlockKind },
    #[error("it claims to be a {found:?} block but its transactions make it {expected:?}")]
    WrongKind { found: BlockKind, expected: BlockKind },
    #[error("it is a seal and has transactions")]
    SealWithTransactions,
    #[error("it has {found} transactions where at most {max} are allowed")]
    TooManyTransactions { found: usize, max: usize },
    #[error("its transactions take {found} bytes where at most {max} are allowed")]
    TooLarge { found: usize, max: usize },
    #[error("its transactions or its justification are not those of its header")]
    TransactionsRoot,
    #[error("a signature of its transactions does not match")]
    BadSignature,
    #[error(transparent)]
    Transaction(#[from] InvalidTransaction),
    #[error("its receipts root is not that of its receipts")]
    ReceiptsRoot,
    #[error("its state root is not that of the state after it")]
    StateRoot,
    #[error("its validator set is not the one in force")]
    ValidatorsHash,
    #[error("its next validator set is not the one that follows")]
    NextValidatorsHash,
}

impl Overlay {
    /// A seal stands above a barrier or another seal; nothing else stands above a seal.
    pub(super) fn check_child_kind(&self, kind: BlockKind) -> Result<(), InvalidBlock> {
        let fits = match kind {
            BlockKind::Seal => self.tip.kind != BlockKind::Ordinary,
            BlockKind::Ordinary | BlockKind::Barrier => self.tip.kind != BlockKind::Seal,
        };
        if fits {
            Ok(())
        } else {
            Err(InvalidBlock::MisplacedKind { found: kind, parent: self.tip.kind })
        }
    }

    /// The epoch of a child and the hash of the set that votes on it. A seal still belongs to the
    /// epoch that the barrier below it ends.
    fn child_epoch(&self, kind: BlockKind) -> (Epoch, Digest) {
        match kind {
            BlockKind::Seal => (self.tip.epoch, self.tip.validators_hash),
            BlockKind::Ordinary | BlockKind::Barrier => {
                (self.state.chain().epoch, self.next_validators_hash)
            }
        }
    }
}

impl Ledger {
    /// The overlay of a block that is valid.
    pub(super) fn validate(
        &self,
        block: &SealedBlock,
        known: &dyn Fn(&Digest) -> bool,
    ) -> Result<Overlay, InvalidBlock> {
        let header = &block.header;
        let parent = self.version(&header.parent).ok_or(InvalidBlock::UnknownParent)?;
        self.check_place(header, parent)?;
        check_size(block)?;
        let outcome = self.outcome(block, parent, known)?;
        if header.kind != outcome.kind {
            return Err(InvalidBlock::WrongKind { found: header.kind, expected: outcome.kind });
        }
        if header.receipts_root != outcome.receipts_root {
            return Err(InvalidBlock::ReceiptsRoot);
        }
        if header.state_root != outcome.state.root() {
            return Err(InvalidBlock::StateRoot);
        }
        if header.next_validators_hash != outcome.next_validators_hash {
            return Err(InvalidBlock::NextValidatorsHash);
        }
        Ok(Overlay {
            tip: Tip::from(block),
            parent: header.parent,
            state: outcome.state,
            next_validators_hash: outcome.next_validators_hash,
            executed: outcome.executed,
        })
    }

    /// What the header says of where the block stands.
    fn check_place(&self, header: &Header, parent: &Overlay) -> Result<(), InvalidBlock> {
        if header.chain_id != self.chain_id {
            return Err(InvalidBlock::OtherChain(header.chain_id));
        }
        let expected = parent.tip.height.next();
        if header.height != expected {
            return Err(InvalidBlock::WrongHeight { found: header.height, expected });
        }
        parent.check_child_kind(header.kind)?;
        let (expected, validators_hash) = parent.child_epoch(header.kind);
        if header.epoch != expected {
            return Err(InvalidBlock::WrongEpoch { found: header.epoch, expected });
        }
        if header.validators_hash != validators_hash {
            return Err(InvalidBlock::ValidatorsHash);
        }
        let found = header.timestamp_ms;
        if found <= parent.tip.timestamp_ms {
            return Err(InvalidBlock::TimestampTooEarly { found, parent: parent.tip.timestamp_ms });
        }
        Ok(())
    }

    /// What the block's transactions do.
    fn outcome(
        &self,
        block: &SealedBlock,
        parent: &Overlay,
        known: &dyn Fn(&Digest) -> bool,
    ) -> Result<Outcome, InvalidBlock> {
        let header = &block.header;
        let transactions = &block.transactions;
        let built = self
            .built
            .as_ref()
            .and_then(|memo| memo.outcome_of(&header.parent, header.view, transactions));
        if let Some(outcome) = built {
            block.remember_transaction_hashes(&outcome.executed.transactions);
        }
        if !block.matches_header() {
            return Err(InvalidBlock::TransactionsRoot);
        }
        if header.kind == BlockKind::Seal {
            return if transactions.is_empty() {
                Ok(Outcome::seal(parent))
            } else {
                Err(InvalidBlock::SealWithTransactions)
            };
        }
        if let Some(outcome) = built.filter(|outcome| outcome.kind != BlockKind::Seal) {
            return Ok(outcome.clone());
        }
        let hashes = block.transaction_hashes();
        self.check_signatures(transactions, hashes, known)?;
        let context = BlockContext {
            chain_id: self.chain_id,
            parent: (&parent.tip).into(),
            view: header.view,
            verifier: self.verifier.as_ref(),
        };
        let state = &parent.state;
        let execution =
            execute::execute_hashed(state, &context, self.charter, transactions, hashes)?;
        Ok(Outcome::new(&self.chain_id, parent, execution, hashes.to_vec()))
    }

    /// Verifies the signatures that nobody verified before, together.
    fn check_signatures(
        &self,
        transactions: &[Transaction],
        hashes: &[Digest],
        known: &dyn Fn(&Digest) -> bool,
    ) -> Result<(), InvalidBlock> {
        let unknown: Vec<(&SignedTransaction, Digest)> = transactions
            .iter()
            .zip(hashes)
            .filter_map(|(transaction, hash)| match transaction {
                Transaction::Signed(signed) if !known(hash) => {
                    Some((signed, signed.payload.signing_digest()))
                }
                Transaction::Signed(_) | Transaction::Evidence(_) => None,
            })
            .collect();
        let items: Vec<SignatureItem<'_>> = unknown
            .iter()
            .map(|(signed, digest)| (&signed.payload.sender, digest, &signed.signature))
            .collect();
        if items.is_empty() || self.verifier.verify_all(&items) {
            Ok(())
        } else {
            Err(InvalidBlock::BadSignature)
        }
    }
}

fn check_size(block: &SealedBlock) -> Result<(), InvalidBlock> {
    let found = block.transactions.len();
    if found > Block::MAX_TRANSACTIONS {
        return Err(InvalidBlock::TooManyTransactions { found, max: Block::MAX_TRANSACTIONS });
    }
    let found = block.transaction_bytes();
    if found > Block::MAX_TRANSACTION_BYTES {
        return Err(InvalidBlock::TooLarge { found, max: Block::MAX_TRANSACTION_BYTES });
    }
    Ok(())
}
