//! Everything a node starts from, verified.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, RwLock};

use bincode::Decode;
use chain::block::{Mode, SealedBlock};
use chain::codec::Bounded;
use chain::crypto::Verifier;
use chain::ledger::{Ledger, Tip};
use chain::state::{RecordKey, RecordValue, State};
use chain::types::{Digest, Epoch, Height, View};
use consensus::engine::{RECENT_HEADERS, Recovered};
use consensus::footprint::Footprint;
use consensus::registry::EngineName;
use rocksdb::{DB, IteratorMode};
use tokio_util::sync::CancellationToken;

use super::columns::{self, BASE_KEY, CHAIN, MARKER_KEY, PROPOSALS, RECORD_KEY, SAFETY, STATE};
use super::error::{OpenError, StoreError};
use super::lock::DirectoryLock;
use super::recent::Recent;
use super::records::{self, Base, EpochStart, Marker};
use super::write::CheckpointPolicy;
use super::{Inner, Store, Writer, open};

/// The beginning of a chain: it is in the genesis file, not in the store.
#[derive(Clone, Debug)]
pub struct GenesisState {
    /// Hash of the genesis; stands for the block at height 0 as well.
    pub chain_id: Digest,
    /// Unix milliseconds.
    pub time_ms: u64,
    /// Tells whether what is final has proofs, and whether modes mean anything.
    pub engine: EngineName,
    pub state: State,
}

impl GenesisState {
    /// What a genesis file says.
    ///
    /// # Errors
    /// [`chain::genesis::GenesisError`] where its accounts or validators make no state.
    pub fn new(genesis: &genesis::Genesis) -> Result<Self, chain::genesis::GenesisError> {
        Ok(Self {
            chain_id: genesis.hash(),
            time_ms: genesis.time_ms,
            engine: genesis.engine,
            state: genesis.state()?,
        })
    }

    fn tip(&self) -> Tip {
        let validators_hash = self.state.validators().hash(&self.chain_id);
        Tip::genesis(self.chain_id, self.time_ms, validators_hash)
    }

    /// The first epoch stands on genesis, in `fast` mode.
    fn epoch_start(&self) -> EpochStart {
        EpochStart { height: Height::new(0), hash: self.chain_id, mode: Mode::Fast }
    }
}

/// A store with everything that was found in it.
#[derive(Debug)]
pub struct Opened<R> {
    pub store: Store,
    /// Where the engine starts.
    pub recovered: Recovered<R>,
    /// On the last final block.
    pub ledger: Ledger,
    /// How many final blocks were executed again.
    pub replayed: u64,
}

impl Store {
    /// Opens the store in a data directory, or makes one there, and verifies what it holds: the
    /// state by its root, every block above the last checkpoint by executing it again, which ends
    /// early once `stop` is cancelled.
    ///
    /// # Errors
    /// [`OpenError`] with what to do about it.
    pub fn open<R: Decode<()> + Bounded>(
        directory: &Path,
        genesis: &GenesisState,
        verifier: Arc<dyn Verifier>,
        policy: CheckpointPolicy,
        stop: &CancellationToken,
    ) -> Result<Opened<R>, OpenError> {
        std::fs::create_dir_all(directory)
            .map_err(|source| OpenError::Io { path: directory.into(), source })?;
        let lock = DirectoryLock::acquire(directory)?;
        let db = open::open_database(directory, genesis.chain_id)?;
        let (store, end) = Self::assemble(db, lock, genesis, policy)?;
        let mut ledger = store.load_checkpoint(genesis, verifier)?;
        let replayed = store.replay(&mut ledger, end, stop)?;
        store.load_proposals()?;
        let recovered = store.recovered(&ledger)?;
        Ok(Opened { store, recovered, ledger, replayed })
    }

    /// The store as it stood at its last checkpoint, and where the final chain really ends.
    fn assemble(
        db: DB,
        lock: DirectoryLock,
        genesis: &GenesisState,
        policy: CheckpointPolicy,
    ) -> Result<(Self, Marker), StoreError> {
        let start = genesis.epoch_start();
        let fresh = Marker {
            height: start.height,
            hash: start.hash,
            epoch: Epoch::default(),
            checkpoint: start.height,
        };
        let chain = db.cf_handle(CHAIN).expect("every column family is opened with the store");
        let end = match db.get_cf(chain, MARKER_KEY)? {
            Some(bytes) => records::decode(&bytes, || "the final marker".into())?,
            // Written with the first block, so nothing is there without it.
            None if db.iterator_cf(chain, IteratorMode::Start).next().is_some() => {
                return Err(StoreError::damaged("the final marker: it is missing"));
            }
            None => fresh,
        };
        let base = base_of(&db, &end)?;
        // The first checkpoint holds the whole state, a later one what changed since.
        let dirty = if end.checkpoint == start.height {
            let all = genesis.state.records();
            all.map(|(key, value)| (key.clone(), Some(value.clone()))).collect()
        } else {
            BTreeMap::new()
        };
        let writer = Writer {
            marker: fresh,
            mode: start.mode,
            position: (Epoch::default(), View::default()),
            proposals: BTreeMap::new(),
            dirty,
            transactions: 0,
        };
        let recent = Recent::new((start.height, start.hash), end.checkpoint);
        let closed = CancellationToken::new();
        let store = Self(Arc::new(Inner {
            db,
            chain_id: genesis.chain_id,
            genesis: start,
            engine: genesis.engine,
            policy,
            base: AtomicU64::new(base.get()),
            writer: Mutex::new(writer),
            recent: RwLock::new(recent),
            _lock: lock,
            _tells: closed.clone().drop_guard(),
            closed,
        }));
        if end.checkpoint > start.height {
            let block = store.final_block(end.checkpoint)?;
            let mut writer = store.writer();
            writer.note_position(&block);
            writer.marker.checkpoint = end.checkpoint;
            drop(writer);
            store.recent_mut().tip = (end.checkpoint, block.hash());
        }
        Ok((store, end))
    }

    /// The ledger at the last checkpoint: the stored records, if they are the ones that the
    /// block's header commits to.
    fn load_checkpoint(
        &self,
        genesis: &GenesisState,
        verifier: Arc<dyn Verifier>,
    ) -> Result<Ledger, StoreError> {
        let checkpoint = self.checkpoint_height();
        if checkpoint == self.0.genesis.height {
            return Ok(Ledger::new(
                genesis.chain_id,
                verifier,
                genesis.tip(),
                genesis.state.clone(),
            ));
        }
        let block = self.final_block(checkpoint)?;
        let damaged = |what: &str| StoreError::damaged(format!("the state: {what}"));
        let mut records = Vec::new();
        for item in self.0.db.iterator_cf(self.column(STATE), IteratorMode::Start) {
            let (key, value) = item?;
            let key: RecordKey = records::decode(&key, || "a key of the state".into())?;
            let value: RecordValue = records::decode(&value, || format!("the record {key:?}"))?;
            records.push((key, value));
        }
        let state = State::from_records(records).map_err(|error| damaged(&error.to_string()))?;
        if state.root() != block.header.state_root {
            return Err(damaged(&format!("not what block {checkpoint} left behind")));
        }
        Ok(Ledger::new(genesis.chain_id, verifier, Tip::from(&block), state))
    }

    /// Executes the final blocks above the checkpoint again. Their signatures were checked before
    /// they became final.
    fn replay(
        &self,
        ledger: &mut Ledger,
        end: Marker,
        stop: &CancellationToken,
    ) -> Result<u64, OpenError> {
        let mut replayed = 0;
        loop {
            if stop.is_cancelled() {
                return Err(OpenError::Stopped);
            }
            if ledger.tip().height >= end.height {
                break;
            }
            let height = ledger.tip().height.next();
            let block = self.final_block(height)?;
            let failed = |what: String| StoreError::Replay { height, what };
            ledger.execute(&block, &|_| true).map_err(|reason| failed(reason.to_string()))?;
            let committed =
                ledger.commit(&block.hash()).map_err(|error| failed(error.to_string()))?;
            for item in committed {
                self.writer().note(&block, &item.executed);
                self.recent_mut().push(&block, item.executed);
            }
            replayed += 1;
        }
        let marker = self.writer().marker;
        if marker != end {
            return Err(StoreError::damaged("the final marker").into());
        }
        Ok(replayed)
    }

    /// Finds the proposed blocks above the last final one.
    fn load_proposals(&self) -> Result<(), StoreError> {
        let damaged = || StoreError::damaged("the index of proposed blocks");
        let mut proposals = BTreeMap::new();
        for item in self.0.db.iterator_cf(self.column(PROPOSALS), IteratorMode::Start) {
            let (key, value) = item?;
            let key = columns::proposal_of(&key).ok_or_else(damaged)?;
            let epoch = u64::from_be_bytes(value.as_ref().try_into().map_err(|_| damaged())?);
            proposals.insert(key, Epoch::new(epoch));
        }
        self.writer().proposals = proposals;
        Ok(())
    }

    /// What the engine needs to know, from what was loaded.
    fn recovered<R: Decode<()> + Bounded>(
        &self,
        ledger: &Ledger,
    ) -> Result<Recovered<R>, StoreError> {
        let (final_height, final_hash) = self.final_tip();
        let epoch = self.writer().marker.epoch;
        let opening = self
            .epoch_start(epoch)?
            .ok_or_else(|| StoreError::damaged(format!("the start of epoch {epoch}")))?;
        let begun = final_height > self.0.genesis.height;
        let final_block = begun.then(|| self.final_block(final_height)).transpose()?;
        let final_proof = self.proof(final_height)?;
        if begun && self.has_proofs() && final_proof.is_none() {
            return Err(StoreError::damaged(format!("height {final_height}: its proof")));
        }
        let oldest = final_height.get().saturating_sub(RECENT_HEADERS as u64);
        let recent = (oldest + 1..=final_height.get())
            .filter_map(|height| self.footprint(Height::new(height)).transpose())
            .collect::<Result<_, StoreError>>()?;
        let record = self
            .0
            .db
            .get_cf(self.column(SAFETY), RECORD_KEY)?
            .map(|bytes| records::decode(&bytes, || "the safety record".into()))
            .transpose()?;
        Ok(Recovered {
            validators: ledger.state().validators().clone(),
            final_height,
            final_hash,
            final_block,
            final_proof,
            opening_height: opening.height,
            opening_hash: opening.hash,
            opening_mode: opening.mode,
            recent,
            blocks: self.proposed_blocks()?,
            record,
        })
    }

    /// What is left of a final block: of one that was pruned, or below a snapshot, the header alone.
    fn footprint(&self, height: Height) -> Result<Option<Footprint>, StoreError> {
        match self.final_block(height) {
            Ok(block) => Ok(Some(Footprint::of(&block))),
            Err(StoreError::Pruned { .. }) => {
                Ok(self.kept_header(height)?.map(Footprint::of_header))
            }
            Err(error) => Err(error),
        }
    }

    fn proposed_blocks(&self) -> Result<Vec<SealedBlock>, StoreError> {
        let keys: Vec<(Height, Digest)> = self.writer().proposals.keys().copied().collect();
        keys.into_iter()
            .map(|(height, hash)| {
                self.block(&hash)?.ok_or_else(|| {
                    StoreError::damaged(format!("the proposed block {hash} at height {height}"))
                })
            })
            .collect()
    }
}

/// The lowest height whose block is in a store whose final chain ends with `end`.
pub(super) fn base_of(db: &DB, end: &Marker) -> Result<Height, StoreError> {
    let chain = db.cf_handle(CHAIN).expect("every column family is opened with the store");
    let damaged = || "the lowest height".to_owned();
    let base = match db.get_cf(chain, BASE_KEY)? {
        Some(bytes) => records::decode::<Base>(&bytes, damaged)?.0,
        None => Height::new(1),
    };
    // A start reads the block of the checkpoint.
    if base > end.checkpoint.next() {
        return Err(StoreError::damaged(damaged()));
    }
    Ok(base)
}
