//! The column families: what lives where, under which keys, with which settings.
//!
//! docs/adr/0003-storage-layout.md says why.

use chain::types::{Digest, Epoch, Height};
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRecoveryMode, Options,
};

/// RocksDB always has this one; it holds the identity of the store.
pub(super) const META: &str = "default";
/// One key: the engine's safety record.
pub(super) const SAFETY: &str = "safety";
/// Block hash -> encoded block.
pub(super) const BLOCKS: &str = "blocks";
/// (height, block hash) of proposed blocks above the last final one -> their epoch.
pub(super) const PROPOSALS: &str = "proposals";
/// The final chain by height: hashes, proofs, receipts, and what is rare in it.
pub(super) const CHAIN: &str = "chain";
/// State record key -> value, as of the last checkpoint.
pub(super) const STATE: &str = "state";
/// Segments of the transaction index.
pub(super) const TX_INDEX: &str = "tx_index";

/// Every column family of this schema.
pub(super) const ALL: [&str; 7] = [META, SAFETY, BLOCKS, PROPOSALS, CHAIN, STATE, TX_INDEX];

/// Key of the identity record in [`META`].
pub(super) const IDENTITY_KEY: &[u8] = b"identity";
/// Key of the safety record in [`SAFETY`].
pub(super) const RECORD_KEY: &[u8] = b"record";
/// Key of the final marker in [`CHAIN`].
pub(super) const MARKER_KEY: &[u8] = b"marker";
/// Key of the lowest height whose block is here in [`CHAIN`]; 1 where it is missing.
pub(super) const BASE_KEY: &[u8] = b"base";

/// What a key of [`CHAIN`] leads to. The first byte of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByHeight {
    Hash = b'h' as isize,
    Proof = b'p' as isize,
    Receipts = b'r' as isize,
    ModeChange = b'c' as isize,
    Evidence = b'e' as isize,
    /// The header of a block below the first one that is here, as far as a snapshot told.
    Header = b'd' as isize,
}

impl ByHeight {
    pub(super) fn key(self, height: Height) -> [u8; 9] {
        tagged(self as u8, height.get())
    }

    pub(super) const fn prefix(self) -> [u8; 1] {
        [self as u8]
    }
}

/// First byte of the keys in [`CHAIN`] that lead from an epoch to its [`super::EpochOpening`].
pub(super) const EPOCH_PREFIX: u8 = b'v';

pub(super) fn epoch_key(epoch: Epoch) -> [u8; 9] {
    tagged(EPOCH_PREFIX, epoch.get())
}

fn tagged(tag: u8, number: u64) -> [u8; 9] {
    let mut key = [tag; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

/// The number in a key made of one tag byte and a big-endian number.
pub(super) fn number_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..)?.try_into().ok()?))
}

pub(super) fn proposal_key(height: Height, hash: &Digest) -> [u8; 40] {
    let mut key = [0; 40];
    key[..8].copy_from_slice(&height.get().to_be_bytes());
    key[8..].copy_from_slice(&hash.0);
    key
}

/// The block that a key of [`PROPOSALS`] names.
pub(super) fn proposal_of(key: &[u8]) -> Option<(Height, Digest)> {
    let height = u64::from_be_bytes(key.get(..8)?.try_into().ok()?);
    Some((Height::new(height), Digest(key.get(8..)?.try_into().ok()?)))
}

/// Memory for blocks read back, shared by all column families, in bytes.
const CACHE_BYTES: usize = 32 * 1024 * 1024;
/// Memory for writes not yet in table files, over all column families, in bytes.
const WRITE_BUFFER_BYTES: usize = 64 * 1024 * 1024;
/// Oldest column families are flushed when the write-ahead log grows past this, in bytes.
const WAL_BYTES: u64 = 256 * 1024 * 1024;
/// A value this large goes to a blob file instead of a table: compaction need not copy it.
const BLOB_MIN_BYTES: u64 = 4 * 1024;

/// A column family of an open store.
pub(super) fn of<'a>(db: &'a DB, name: &str) -> &'a ColumnFamily {
    db.cf_handle(name).expect("every column family is opened with the store")
}

/// Settings of the whole store.
pub(super) fn database_options() -> Options {
    let mut options = Options::default();
    options.set_paranoid_checks(true);
    // Not point-in-time recovery: that one drops everything after a damaged record, synced votes
    // included, without a word. This mode forgives a torn tail only and refuses other damage.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_db_write_buffer_size(WRITE_BUFFER_BYTES);
    options.set_max_total_wal_size(WAL_BYTES);
    options.set_max_open_files(256);
    options.set_max_background_jobs(2);
    options.set_keep_log_file_num(2);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    options
}

/// Every column family with its settings.
pub(super) fn descriptors() -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(CACHE_BYTES);
    ALL.iter().map(|name| ColumnFamilyDescriptor::new(*name, options_of(name, &cache))).collect()
}

fn options_of(name: &str, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_bloom_filter(10.0, false);
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_paranoid_checks(true);
    options.set_write_buffer_size(match name {
        BLOCKS => 24 * 1024 * 1024,
        CHAIN | STATE => 12 * 1024 * 1024,
        _ => 4 * 1024 * 1024,
    });
    if matches!(name, BLOCKS | CHAIN) {
        options.set_enable_blob_files(true);
        options.set_min_blob_size(BLOB_MIN_BYTES);
        options.set_blob_compression_type(DBCompressionType::Lz4);
        options.set_enable_blob_gc(true);
    }
    options
}
