//! Writing: the safety record with the blocks it rests on, and committed blocks.

use std::sync::Arc;

use bincode::{Decode, Encode};
use chain::block::{BlockKind, SealedBlock};
use chain::codec::{self, Bounded};
use chain::finality::FinalityProof;
use chain::ledger::Executed;
use chain::light::FinalityPath;
use chain::receipt::Receipt;
use chain::state::{RecordKey, RecordValue};
use chain::transaction::Transaction;
use chain::types::{Height, View};
use chain::validator::ValidatorSet;
use genesis::config::StorageConfig;
use rocksdb::{WriteBatch, WriteOptions};

use super::columns::{
    self, BLOCKS, ByHeight, CHAIN, MARKER_KEY, PROPOSALS, RECORD_KEY, SAFETY, STATE, TX_INDEX,
};
use super::error::StoreError;
use super::recent::places;
use super::records::{EpochOpening, EvidenceList, ModeChangeRecord};
use super::{Store, Writer, tx_index};

/// How much may be committed before the state is written out: bounds what a start must replay.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointPolicy {
    pub blocks: u64,
    pub transactions: usize,
}

impl From<&StorageConfig> for CheckpointPolicy {
    fn from(config: &StorageConfig) -> Self {
        Self { blocks: config.checkpoint_blocks, transactions: 50_000 }
    }
}

impl Default for CheckpointPolicy {
    fn default() -> Self {
        Self::from(&StorageConfig::default())
    }
}

/// A block to commit, with everything that is kept of it.
#[derive(Clone, Debug)]
pub struct FinalBlock {
    pub block: SealedBlock,
    pub proof: Option<FinalityProof>,
    /// What executing it did.
    pub executed: Arc<Executed>,
}

/// The receipts of one block, as they are read back.
#[derive(Decode)]
pub(super) struct Receipts(pub(super) Vec<Receipt>);

impl Bounded for Receipts {
    const MAX_BYTES: usize = 16 * 1024 * 1024;
}

impl Writer {
    /// Takes in what a block, committed just now or replayed, changed.
    pub(super) fn note(&mut self, block: &SealedBlock, executed: &Executed) {
        for (key, value) in &executed.changes {
            self.dirty.insert(key.clone(), value.clone());
        }
        self.transactions += executed.transactions.len();
        self.note_position(block);
    }

    /// Makes a block the last final one.
    pub(super) fn note_position(&mut self, block: &SealedBlock) {
        let header = &block.header;
        self.mode = header.mode;
        self.position = (header.epoch, header.view);
        self.marker.height = header.height;
        self.marker.hash = block.hash();
        self.marker.epoch = match header.kind {
            BlockKind::Barrier => header.epoch.next(),
            BlockKind::Ordinary | BlockKind::Seal => header.epoch,
        };
    }
}

impl Store {
    /// Replaces the safety record and adds proposed blocks, atomically; durable on return. What
    /// was committed before is durable then too: it is earlier in the same log.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    pub fn persist_record<R: Encode>(
        &self,
        record: &R,
        blocks: &[SealedBlock],
    ) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let mut batch = WriteBatch::default();
        batch.put_cf(self.column(SAFETY), RECORD_KEY, codec::encode(record));
        for block in blocks {
            let key = (block.header.height, block.hash());
            // A block at or below the final height is in the chain, or abandoned for ever.
            if key.0 <= writer.marker.height || writer.proposals.contains_key(&key) {
                continue;
            }
            let epoch = block.header.epoch;
            batch.put_cf(self.column(BLOCKS), key.1.0, block.encoded());
            batch.put_cf(
                self.column(PROPOSALS),
                columns::proposal_key(key.0, &key.1),
                epoch.get().to_be_bytes(),
            );
            writer.proposals.insert(key, epoch);
        }
        let mut options = WriteOptions::default();
        options.set_sync(true);
        self.0.db.write_opt(batch, &options)?;
        Ok(())
    }

    /// Makes blocks final, in ascending height from the one after the last final block, all of
    /// them or none. Not synced by itself: the votes that made them final are synced on a quorum,
    /// and the next synced write flushes this one.
    ///
    /// # Errors
    /// [`StoreError`] where the database fails.
    ///
    /// # Panics
    /// Where the blocks do not follow the final chain; or where the last one has no proof on a
    /// chain with proofs: after a restart nobody could be shown that it is final.
    pub fn commit_blocks(&self, blocks: &[FinalBlock]) -> Result<(), StoreError> {
        let Some(last) = blocks.last() else {
            return Ok(());
        };
        assert_eq!(
            last.proof.is_some(),
            self.has_proofs(),
            "the last block of a commit has a proof where the engine makes any: {:?}",
            last.block
        );
        let mut writer = self.writer();
        let mut batch = WriteBatch::default();
        for block in blocks {
            self.add_block(&mut writer, &mut batch, block);
        }
        self.forget_proposals(&mut writer, &mut batch, blocks);
        let due = writer.transactions >= self.0.policy.transactions
            || writer.marker.height.get() - writer.marker.checkpoint.get() >= self.0.policy.blocks;
        if due {
            self.add_checkpoint(&mut writer, &mut batch, blocks);
        }
        batch.put_cf(self.column(CHAIN), MARKER_KEY, codec::encode(&writer.marker));
        self.0.db.write(batch)?;
        // Only now: whoever sees the new tip must find its block.
        let mut recent = self.recent_mut();
        for FinalBlock { block, executed, .. } in blocks {
            recent.push(block, Arc::clone(executed));
        }
        if due {
            recent.checkpointed(writer.marker.checkpoint);
        }
        Ok(())
    }

    /// Height of the last final block whose state is on disk; 0 is genesis.
    pub fn checkpoint_height(&self) -> Height {
        self.writer().marker.checkpoint
    }

    /// One block: its body if nobody voted on it here, its place in the chain, its receipts, and
    /// what is rare.
    fn add_block(&self, writer: &mut Writer, batch: &mut WriteBatch, item: &FinalBlock) {
        let FinalBlock { block, proof, executed } = item;
        let (height, hash, header) = (block.header.height, block.hash(), &block.header);
        assert_eq!(
            (height, header.parent),
            (writer.marker.height.next(), writer.marker.hash),
            "a block is committed on the last final one"
        );
        let chain = self.column(CHAIN);
        if !writer.proposals.contains_key(&(height, hash)) {
            batch.put_cf(self.column(BLOCKS), hash.0, block.encoded());
        }
        batch.put_cf(chain, ByHeight::Hash.key(height), hash.0);
        if let Some(proof) = proof {
            batch.put_cf(chain, ByHeight::Proof.key(height), codec::encode(proof));
        }
        batch.put_cf(chain, ByHeight::Receipts.key(height), codec::encode(&executed.receipts));
        if let Some(change) = mode_change(writer, block)
            && self.0.engine.switches_modes()
        {
            batch.put_cf(chain, ByHeight::ModeChange.key(height), codec::encode(&change));
        }
        let evidence = evidence_in(block);
        if !evidence.is_empty() {
            let list = codec::encode(&EvidenceList(evidence));
            batch.put_cf(chain, ByHeight::Evidence.key(height), list);
        }
        if header.kind == BlockKind::Barrier {
            let opening = EpochOpening {
                barrier: header.clone(),
                finality: proof.clone().map(FinalityPath::from),
                validators: next_set(block, executed),
            };
            batch.put_cf(chain, columns::epoch_key(header.epoch.next()), codec::encode(&opening));
        }
        writer.note(block, executed);
    }

    /// Drops the index of proposals at and below the new final height, and those of a closed
    /// epoch; deletes the bodies that did not become final.
    fn forget_proposals(
        &self,
        writer: &mut Writer,
        batch: &mut WriteBatch,
        committed: &[FinalBlock],
    ) {
        let marker = writer.marker;
        let over: Vec<_> = writer
            .proposals
            .extract_if(.., |(height, _), epoch| *height <= marker.height || *epoch < marker.epoch)
            .collect();
        for ((height, hash), _) in over {
            batch.delete_cf(self.column(PROPOSALS), columns::proposal_key(height, &hash));
            if !committed.iter().any(|item| item.block.hash() == hash) {
                batch.delete_cf(self.column(BLOCKS), hash.0);
            }
        }
    }

    /// The state and the transaction index as of the last of the new blocks.
    fn add_checkpoint(&self, writer: &mut Writer, batch: &mut WriteBatch, new: &[FinalBlock]) {
        let height = writer.marker.height;
        let state = self.column(STATE);
        for (key, value) in std::mem::take(&mut writer.dirty) {
            let key = codec::encode(&key);
            match value {
                Some(value) => batch.put_cf(state, key, codec::encode(&value)),
                None => batch.delete_cf(state, key),
            }
        }
        let recent = self.recent();
        let places = new.iter().flat_map(|item| places(item.block.header.height, &item.executed));
        for (key, value) in tx_index::segment(height, recent.unindexed().chain(places)) {
            batch.put_cf(self.column(TX_INDEX), key, value);
        }
        writer.transactions = 0;
        writer.marker.checkpoint = height;
    }
}

/// The change of mode that a block makes, if it does.
fn mode_change(writer: &Writer, block: &SealedBlock) -> Option<ModeChangeRecord> {
    let header = &block.header;
    (header.mode != writer.mode).then(|| ModeChangeRecord {
        from: writer.mode,
        to: header.mode,
        epoch: header.epoch,
        view: header.view,
        // A parent of an earlier epoch: every view of this one so far was left.
        since: if writer.position.0 == header.epoch { writer.position.1 } else { View::default() },
    })
}

/// The set that a barrier makes.
fn next_set(barrier: &SealedBlock, executed: &Executed) -> ValidatorSet {
    let key = RecordKey::Validators(barrier.header.epoch.next());
    let set = executed.changes.iter().find_map(|change| match change {
        (changed, Some(RecordValue::Validators(set))) if *changed == key => Some((**set).clone()),
        _ => None,
    });
    set.unwrap_or_else(|| panic!("a barrier makes a validator set: {barrier:?}"))
}

fn evidence_in(block: &SealedBlock) -> Vec<chain::evidence::Evidence> {
    block
        .transactions
        .iter()
        .filter_map(|transaction| match transaction {
            Transaction::Evidence(evidence) => Some((**evidence).clone()),
            Transaction::Signed(_) => None,
        })
        .collect()
}
