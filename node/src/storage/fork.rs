//! Compares the chains of two nodes that do not run. Where both hold a final block of one height that
//! is not the same, makes the proof of it.

use std::path::Path;

use bincode::Decode;
use chain::block::SealedBlock;
use chain::codec::Bounded;
use chain::light::{Claim, FinalBlock, Lineage, Proof};
use chain::types::{Digest, Epoch, Height};
use rocksdb::DB;

use super::columns::{self, BLOCKS, ByHeight, CHAIN, MARKER_KEY};
use super::error::{OpenError, StoreError};
use super::lock::DirectoryLock;
use super::open;
use super::read::{decode_block, lineage_of, next_proof};
use super::records::{self, EpochOpening, Marker};
use super::recover::base_of;

/// How far two chains are one.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The heights that both have a final block of; none where `from` is above `to`.
    pub from: Height,
    pub to: Height,
    /// The first of them with two blocks.
    pub fork: Option<Fork>,
}

/// Two final blocks of one height.
#[derive(Clone, Debug)]
pub struct Fork {
    pub height: Height,
    pub blocks: [Digest; 2],
    /// `None` on a chain without certificates, where a disk is nobody's signature.
    pub proof: Option<Proof>,
}

/// Compares two data directories.
///
/// # Errors
/// [`OpenError`] where a node runs on one of them, or it is missing, damaged, empty, or of another
/// chain.
pub fn compare(directories: [&Path; 2], chain_id: Digest) -> Result<Comparison, OpenError> {
    let [one, other] = directories;
    let (one, other) = (Chain::open(one, chain_id)?, Chain::open(other, chain_id)?);
    let (from, to) = (one.base.max(other.base), one.end.height.min(other.end.height));
    let differ = |height| Ok::<_, StoreError>(one.hash(height)? != other.hash(height)?);
    let mut fork = None;
    if from <= to && differ(to)? {
        // Blocks name their parents: below the first difference there is none, above it only such.
        let (mut low, mut high) = (from.get(), to.get());
        while low < high {
            let middle = low + (high - low) / 2;
            if differ(Height::new(middle))? { high = middle } else { low = middle + 1 }
        }
        fork = Some(prove(&one, &other, Height::new(low), chain_id)?);
    }
    Ok(Comparison { from, to, fork })
}

fn prove(one: &Chain, other: &Chain, height: Height, chain_id: Digest) -> Result<Fork, StoreError> {
    let blocks = [one.hash(height)?, other.hash(height)?];
    let proof = match (one.final_block(height)?, other.final_block(height)?) {
        (Some(first), Some(second)) => {
            let lineage = one.lineage(first.header.epoch)?;
            Some(Proof { chain_id, claim: Claim::fork(first, second, &chain_id), lineage })
        }
        _ => None,
    };
    Ok(Fork { height, blocks, proof })
}

/// The final chain in a store.
struct Chain {
    db: DB,
    base: Height,
    end: Marker,
    _lock: DirectoryLock,
}

impl Chain {
    fn open(directory: &Path, chain_id: Digest) -> Result<Self, OpenError> {
        if !open::is_there(directory) {
            return Err(OpenError::Missing { path: directory.into() });
        }
        let lock = DirectoryLock::acquire(directory)?;
        let db = open::open_read_only(directory, chain_id)?;
        let empty = || StoreError::damaged(format!("{}: it has no block", directory.display()));
        let end: Marker = get(&db, MARKER_KEY, || "the final marker".into())?.ok_or_else(empty)?;
        let base = base_of(&db, &end)?;
        Ok(Self { db, base, end, _lock: lock })
    }

    fn hash(&self, height: Height) -> Result<Digest, StoreError> {
        let missing = || StoreError::damaged(format!("height {height}: its hash"));
        let column = columns::of(&self.db, CHAIN);
        let bytes = self.db.get_cf(column, ByHeight::Hash.key(height))?.ok_or_else(missing)?;
        Ok(Digest(bytes.try_into().map_err(|_| missing())?))
    }

    fn block(&self, height: Height) -> Result<SealedBlock, StoreError> {
        let missing = || StoreError::damaged(format!("height {height}: its block"));
        let (column, hash) = (columns::of(&self.db, BLOCKS), self.hash(height)?);
        decode_block(self.db.get_cf(column, hash.0)?.ok_or_else(missing)?, &hash)
    }

    /// A block with the next stored proof and the headers between; `None` where there is no proof.
    fn final_block(&self, height: Height) -> Result<Option<FinalBlock>, StoreError> {
        let proof =
            |at| get(&self.db, &ByHeight::Proof.key(at), || format!("height {at}: its proof"));
        let found = next_proof(height..=self.end.height, proof, |at| self.block(at))?;
        let Some(proof) = found else { return Ok(None) };
        let header = self.block(height)?.header.clone();
        Ok(Some(FinalBlock { header, finality: proof.into() }))
    }

    fn lineage(&self, last: Epoch) -> Result<Lineage, StoreError> {
        let opening = |epoch: u64| {
            let what = || format!("the start of epoch {epoch}");
            let missing = || StoreError::damaged(what());
            get(&self.db, &columns::epoch_key(Epoch::new(epoch)), what)?.ok_or_else(missing)
        };
        let openings: Result<Vec<EpochOpening>, StoreError> =
            (1..=last.get()).map(opening).collect();
        lineage_of(openings?)
    }
}

/// Something of the final chain.
fn get<T: Decode<()> + Bounded>(
    db: &DB,
    key: &[u8],
    what: impl Fn() -> String,
) -> Result<Option<T>, StoreError> {
    let found = db.get_cf(columns::of(db, CHAIN), key)?;
    found.map(|bytes| records::decode(&bytes, &what)).transpose()
}
