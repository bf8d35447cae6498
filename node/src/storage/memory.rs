//! What the database holds in memory.

use rocksdb::properties::{
    BLOCK_CACHE_USAGE, ESTIMATE_TABLE_READERS_MEM, PropName, SIZE_ALL_MEM_TABLES,
};

use super::Store;
use super::columns::{ALL, META};
use super::error::StoreError;

/// In bytes, as the database counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreMemory {
    /// Writes that are in the log and not in tables yet.
    pub write_buffers: u64,
    /// Blocks of tables that were read.
    pub cache: u64,
    /// Indexes and filters of open tables.
    pub table_readers: u64,
}

impl Store {
    /// # Errors
    /// [`StoreError`] where the database does not tell.
    pub fn memory(&self) -> Result<StoreMemory, StoreError> {
        let number = |column, property: &PropName| -> Result<u64, StoreError> {
            let value = self.0.db.property_int_value_cf(self.column(column), property)?;
            Ok(value.unwrap_or(0))
        };
        let sum = |property| -> Result<u64, StoreError> {
            ALL.iter().map(|column| number(column, property)).sum()
        };
        Ok(StoreMemory {
            write_buffers: sum(SIZE_ALL_MEM_TABLES)?,
            // All columns share one.
            cache: number(META, BLOCK_CACHE_USAGE)?,
            table_readers: sum(ESTIMATE_TABLE_READERS_MEM)?,
        })
    }
}
