//! Reading the chain back.

use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use chain::block::{Header, SealedBlock};
use chain::finality::FinalityProof;
use chain::light::{EpochChange, Lineage};
use chain::receipt::Receipt;
use chain::types::{Digest, Epoch, Height};
use rocksdb::{Direction, IteratorMode};

use super::Store;
use super::columns::{self, BLOCKS, ByHeight, CHAIN, TX_INDEX};
use super::error::StoreError;
use super::records::{
    self, EpochOpening, EpochStart, EvidenceList, EvidenceOnChain, ModeChange, ModeChangeRecord,
};
use super::tx_index::{self, TxPlace};
use super::write::Receipts;

/// A transaction in a final block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxLocation {
    pub height: Height,
    pub block: Digest,
    /// Place among the block's transactions.
    pub index: u32,
    pub receipt: Receipt,
}

impl Store {
    /// Height and hash of the last final block.
    pub fn final_tip(&self) -> (Height, Digest) {
        self.recent().tip
    }

    /// The lowest height whose block is here: what is below was pruned, or the store began with a
    /// snapshot.
    pub fn base(&self) -> Height {
        Height::new(self.0.base.load(Ordering::Acquire))
    }

    /// # Errors
    /// [`StoreError::Pruned`] for a height below [`base`](Self::base).
    pub(super) fn check_kept(&self, height: Height) -> Result<(), StoreError> {
        let lowest = self.base();
        if height < lowest { Err(StoreError::Pruned { height, lowest }) } else { Ok(()) }
    }

    /// The hash of the final block at a height; the chain id at height 0. The hashes of pruned blocks
    /// stay.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails; [`StoreError::Pruned`] where the store began with a
    /// snapshot above.
    pub fn final_hash(&self, height: Height) -> Result<Option<Digest>, StoreError> {
        if height == self.0.genesis.height {
            return Ok(Some(self.0.genesis.hash));
        }
        let Some(bytes) = self.by_height(ByHeight::Hash, height)? else {
            return self.check_kept(height).map(|()| None);
        };
        let hash = bytes.try_into().map_err(|_| at(height, "its hash"))?;
        Ok(Some(Digest(hash)))
    }

    /// Any stored block: final, or proposed above the last final one.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or the bytes are not that block.
    pub fn block(&self, hash: &Digest) -> Result<Option<SealedBlock>, StoreError> {
        let Some(bytes) = self.0.db.get_cf(self.column(BLOCKS), hash.0)? else {
            return Ok(None);
        };
        decode_block(bytes, hash).map(Some)
    }

    /// The final block at a height that is known to have one.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or the block is not there; [`StoreError::Pruned`]
    /// where it is not kept. The last block of the snapshot that a store began with is.
    pub fn final_block(&self, height: Height) -> Result<SealedBlock, StoreError> {
        // Where it is pruned, also meanwhile, it is not damaged.
        self.stored_block(height).map_err(|error| self.check_kept(height).err().unwrap_or(error))
    }

    fn stored_block(&self, height: Height) -> Result<SealedBlock, StoreError> {
        let hash = self.final_hash(height)?.ok_or_else(|| at(height, "its hash"))?;
        let block = self.block(&hash)?.ok_or_else(|| at(height, "its block"))?;
        if block.header.height == height { Ok(block) } else { Err(at(height, "another block")) }
    }

    /// The header of the final block at a height, also of some below the lowest block; `None` where
    /// it is not kept.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or the block is not there.
    pub fn final_header(&self, height: Height) -> Result<Option<Header>, StoreError> {
        match self.final_block(height) {
            Ok(block) => Ok(Some(block.header.clone())),
            Err(StoreError::Pruned { .. }) => self.kept_header(height),
            Err(error) => Err(error),
        }
    }

    /// The header of a final block that is not here itself; `None` where it is not kept either.
    pub(super) fn kept_header(&self, height: Height) -> Result<Option<Header>, StoreError> {
        self.by_height(ByHeight::Header, height)?
            .map(|bytes| records::decode(&bytes, || format!("height {height}: its header")))
            .transpose()
    }

    /// The proof stored with a final block, where there is one: see
    /// [`Commit::proof`](consensus::application::Commit).
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or the bytes are not a proof.
    pub fn proof(&self, height: Height) -> Result<Option<FinalityProof>, StoreError> {
        self.by_height(ByHeight::Proof, height)?
            .map(|bytes| records::decode(&bytes, || format!("height {height}: its proof")))
            .transpose()
    }

    /// Proof that the block at a height is final, from the next stored one and the headers between.
    /// `None` on a chain without proofs.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or a block is missing.
    pub fn prove(&self, height: Height) -> Result<Option<FinalityProof>, StoreError> {
        if !self.has_proofs() {
            return Ok(None);
        }
        let last = self.final_tip().0;
        next_proof(height..=last, |at| self.proof(at), |at| self.final_block(at))
    }

    /// What each transaction of a final block did.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or the bytes are not receipts.
    pub fn receipts(&self, height: Height) -> Result<Option<Vec<Receipt>>, StoreError> {
        if let Some(block) = self.recent().block(height) {
            return Ok(Some(block.executed.receipts.clone()));
        }
        let Some(bytes) = self.by_height(ByHeight::Receipts, height)? else {
            let is_block = height != self.0.genesis.height;
            return if is_block { self.check_kept(height).map(|()| None) } else { Ok(None) };
        };
        let receipts: Receipts =
            records::decode(&bytes, || format!("height {height}: its receipts"))?;
        Ok(Some(receipts.0))
    }

    /// Where a transaction of the newest final blocks is, from memory.
    pub fn locate_recent(&self, hash: &Digest) -> Option<TxLocation> {
        let recent = self.recent();
        let (TxPlace { height, index }, block) = recent.place(hash)?;
        let receipt = block.executed.receipts[index as usize].clone();
        Some(TxLocation { height, block: block.hash, index, receipt })
    }

    /// Where a transaction is in the final chain, if it is.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub fn locate(&self, hash: &Digest) -> Result<Option<TxLocation>, StoreError> {
        if let Some(location) = self.locate_recent(hash) {
            return Ok(Some(location));
        }
        for TxPlace { height, index } in
            tx_index::candidates(&self.0.db, self.column(TX_INDEX), hash)?
        {
            let damaged = || at(height, "what the transaction index says of it");
            let receipts = match self.receipts(height) {
                // A segment of the index goes as a whole, after its blocks.
                Err(StoreError::Pruned { .. }) => continue,
                receipts => receipts?.ok_or_else(damaged)?,
            };
            let receipt = receipts.get(index as usize).ok_or_else(damaged)?.clone();
            if receipt.transaction == *hash {
                let block = self.final_hash(height)?.ok_or_else(damaged)?;
                return Ok(Some(TxLocation { height, block, index, receipt }));
            }
        }
        Ok(None)
    }

    /// What an epoch stands on, if it began.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub fn epoch_start(&self, epoch: Epoch) -> Result<Option<EpochStart>, StoreError> {
        if epoch == Epoch::default() {
            return Ok(Some(self.0.genesis));
        }
        Ok(self.epoch_opening(epoch)?.map(|opening| opening.start(&self.0.chain_id)))
    }

    /// How an epoch after the first began, if it did.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub fn epoch_opening(&self, epoch: Epoch) -> Result<Option<EpochOpening>, StoreError> {
        self.0
            .db
            .get_cf(self.column(CHAIN), columns::epoch_key(epoch))?
            .map(|bytes| records::decode(&bytes, || format!("the start of epoch {epoch}")))
            .transpose()
    }

    /// How the epochs 1 to `last` began.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or one is missing.
    pub fn epoch_openings(&self, last: Epoch) -> Result<Vec<EpochOpening>, StoreError> {
        (1..=last.get())
            .map(|epoch| {
                let missing = || StoreError::damaged(format!("the start of epoch {epoch}"));
                self.epoch_opening(Epoch::new(epoch))?.ok_or_else(missing)
            })
            .collect()
    }

    /// Every change of the validator set from genesis to an epoch, with its proof; `None` on a chain
    /// without proofs.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails or a change is missing.
    pub fn lineage(&self, last: Epoch) -> Result<Option<Lineage>, StoreError> {
        if !self.has_proofs() {
            return Ok(None);
        }
        lineage_of(self.epoch_openings(last)?).map(Some)
    }

    /// All evidence in the final chain, oldest first. There are few: each costs its author the
    /// leadership.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub fn evidence(&self) -> Result<Vec<EvidenceOnChain>, StoreError> {
        let mut all = Vec::new();
        for item in self.scan(ByHeight::Evidence) {
            let (height, value) = item?;
            let list: EvidenceList =
                records::decode(&value, || format!("height {height}: its evidence"))?;
            all.extend(list.0.into_iter().map(|evidence| EvidenceOnChain { height, evidence }));
        }
        Ok(all)
    }

    /// The newest changes of mode in the final chain, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub fn mode_changes(&self, limit: usize) -> Result<Vec<ModeChange>, StoreError> {
        let evidence = self.evidence()?;
        let newest = ByHeight::ModeChange.key(Height::new(u64::MAX));
        let from = IteratorMode::From(&newest, Direction::Reverse);
        let mut changes = Vec::new();
        for item in self.0.db.iterator_cf(self.column(CHAIN), from) {
            let (key, value) = item?;
            if changes.len() == limit || !key.starts_with(&ByHeight::ModeChange.prefix()) {
                break;
            }
            let height = height_of(&key)?;
            let record: ModeChangeRecord =
                records::decode(&value, || format!("height {height}: its change of mode"))?;
            changes.push(record.explain(height, &evidence));
        }
        changes.reverse();
        Ok(changes)
    }

    fn by_height(&self, what: ByHeight, height: Height) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.db.get_cf(self.column(CHAIN), what.key(height))?)
    }

    /// Every entry of one kind, in ascending height.
    fn scan(
        &self,
        what: ByHeight,
    ) -> impl Iterator<Item = Result<(Height, Box<[u8]>), StoreError>> + '_ {
        let prefix = what.prefix();
        let first = what.key(Height::new(0));
        self.0
            .db
            .iterator_cf(self.column(CHAIN), IteratorMode::From(&first, Direction::Forward))
            .take_while(move |item| item.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)))
            .map(|item| {
                let (key, value) = item?;
                Ok((height_of(&key)?, value))
            })
    }
}

/// A stored block, if it is that with this hash.
pub(super) fn decode_block(bytes: Vec<u8>, hash: &Digest) -> Result<SealedBlock, StoreError> {
    let damaged = || StoreError::damaged(format!("block {hash}"));
    let block = SealedBlock::from_encoded(bytes).map_err(|_| damaged())?;
    if block.hash() == *hash { Ok(block) } else { Err(damaged()) }
}

/// Proof that the first of some heights is final: the next stored one, with the headers between.
/// `None` where there is none, or not near enough.
pub(super) fn next_proof(
    heights: RangeInclusive<Height>,
    proof: impl Fn(Height) -> Result<Option<FinalityProof>, StoreError>,
    block: impl Fn(Height) -> Result<SealedBlock, StoreError>,
) -> Result<Option<FinalityProof>, StoreError> {
    let (mut at, last) = heights.into_inner();
    let mut between = Vec::new();
    while at <= last && at.get() > 0 {
        if let Some(mut proof) = proof(at)? {
            between.reverse();
            proof.headers.append(&mut between);
            return Ok((proof.headers.len() <= FinalityProof::MAX_HEADERS).then_some(proof));
        }
        at = at.next();
        if between.len() == FinalityProof::MAX_HEADERS || at > last {
            break;
        }
        between.push(block(at)?.signed_header());
    }
    Ok(None)
}

/// Changes of the validator set with their proofs.
pub(super) fn lineage_of(openings: Vec<EpochOpening>) -> Result<Lineage, StoreError> {
    let change = |opening: EpochOpening| {
        let EpochOpening { barrier, finality, validators } = opening;
        let missing = || at(barrier.height, "its proof, which a barrier has");
        let finality = finality.ok_or_else(missing)?;
        Ok(EpochChange { barrier, finality, validators })
    };
    openings.into_iter().map(change).collect::<Result<_, _>>().map(Lineage)
}

fn height_of(key: &[u8]) -> Result<Height, StoreError> {
    columns::number_of(key)
        .map(Height::new)
        .ok_or_else(|| StoreError::damaged("a key of the chain by height"))
}

fn at(height: Height, what: &str) -> StoreError {
    StoreError::damaged(format!("height {height}: {what}"))
}
