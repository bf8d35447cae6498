//! Where a transaction is in the chain: segments of sorted, fixed-width entries.
//!
//! A key per transaction costs as much as verifying its signature (docs/adr/0003-storage-layout.md),
//! so an index segment is written once per checkpoint: for each first byte of the hashes one value
//! with all entries that begin with it. An entry keeps eight bytes of the hash, so a find is a
//! candidate until the block itself confirms it.

use chain::types::{Digest, Height};
use rocksdb::{Direction, IteratorMode};

use super::error::StoreError;

/// Bytes of a transaction hash that an entry keeps.
const HASH_BYTES: usize = 8;
/// Hash bytes, height, place in the block.
const ENTRY_BYTES: usize = HASH_BYTES + 8 + 4;

/// A transaction's place in the final chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TxPlace {
    pub height: Height,
    /// Place among the block's transactions.
    pub index: u32,
}

/// Key of a bucket of a segment; `segment` is the height of its checkpoint.
fn key(bucket: u8, segment: Height) -> [u8; 9] {
    let mut key = [bucket; 9];
    key[1..].copy_from_slice(&segment.get().to_be_bytes());
    key
}

/// The keys of a bucket, from the first up to, without, the second, of the segments that lead only
/// to blocks below a height.
pub(super) fn segments_below(bucket: u8, height: Height) -> ([u8; 9], [u8; 9]) {
    (key(bucket, Height::new(0)), key(bucket, height))
}

/// The keys and values of a new segment. Buckets without entries are left out.
pub(super) fn segment<'a>(
    number: Height,
    entries: impl Iterator<Item = (&'a Digest, TxPlace)>,
) -> Vec<([u8; 9], Vec<u8>)> {
    let mut sorted: Vec<(&Digest, TxPlace)> = entries.collect();
    sorted.sort_unstable();
    sorted
        .chunk_by(|(a, _), (b, _)| a.0[0] == b.0[0])
        .map(|bucket| {
            let mut value = Vec::with_capacity(bucket.len() * ENTRY_BYTES);
            for (hash, place) in bucket {
                value.extend_from_slice(&hash.0[..HASH_BYTES]);
                value.extend_from_slice(&place.height.get().to_be_bytes());
                value.extend_from_slice(&place.index.to_be_bytes());
            }
            (key(bucket[0].0.0[0], number), value)
        })
        .collect()
}

/// Every place, newest segment first, where a transaction with this hash may be.
pub(super) fn candidates(
    db: &rocksdb::DB,
    column: &rocksdb::ColumnFamily,
    hash: &Digest,
) -> Result<Vec<TxPlace>, StoreError> {
    let bucket = hash.0[0];
    let newest = key(bucket, Height::new(u64::MAX));
    let mut found = Vec::new();
    for item in db.iterator_cf(column, IteratorMode::From(&newest, Direction::Reverse)) {
        let (key, value) = item?;
        if key.first() != Some(&bucket) {
            break;
        }
        found.extend(matches(&value, hash)?);
    }
    Ok(found)
}

/// The entries of one bucket that begin like `hash`.
fn matches(value: &[u8], hash: &Digest) -> Result<Vec<TxPlace>, StoreError> {
    let (entries, rest) = value.as_chunks::<ENTRY_BYTES>();
    if !rest.is_empty() {
        return Err(StoreError::damaged("the transaction index"));
    }
    let wanted = &hash.0[..HASH_BYTES];
    let first = entries.partition_point(|entry| &entry[..HASH_BYTES] < wanted);
    Ok(entries[first..]
        .iter()
        .take_while(|entry| &entry[..HASH_BYTES] == wanted)
        .map(|entry| {
            let height = entry[HASH_BYTES..HASH_BYTES + 8].try_into().expect("eight bytes");
            let index = entry[HASH_BYTES + 8..].try_into().expect("four bytes");
            TxPlace {
                height: Height::new(u64::from_be_bytes(height)),
                index: u32::from_be_bytes(index),
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(first: u8, eighth: u8, last: u8) -> Digest {
        let mut bytes = [first; 32];
        bytes[7] = eighth;
        bytes[31] = last;
        Digest(bytes)
    }

    fn place(height: u64, index: u32) -> TxPlace {
        TxPlace { height: Height::new(height), index }
    }

    #[test]
    fn a_segment_groups_by_first_byte_and_finds_every_entry() {
        let entries = [
            (digest(9, 1, 0), place(1, 0)),
            (digest(2, 1, 0), place(2, 5)),
            (digest(2, 0, 0), place(2, 6)),
            // Differs from the one above only where the index does not look.
            (digest(2, 0, 1), place(3, 7)),
        ];
        let segment = segment(Height::new(77), entries.iter().map(|(hash, at)| (hash, *at)));
        let keys: Vec<_> = segment.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, [key(2, Height::new(77)), key(9, Height::new(77))]);
        let two = &segment[0].1;
        assert_eq!(two.len(), 3 * ENTRY_BYTES);
        assert_eq!(matches(two, &digest(2, 1, 0)).unwrap(), [place(2, 5)]);
        assert_eq!(matches(two, &digest(2, 0, 0)).unwrap(), [place(2, 6), place(3, 7)]);
        assert_eq!(matches(two, &digest(2, 3, 0)).unwrap(), []);
    }

    #[test]
    fn a_segment_of_the_wrong_length_is_damage() {
        assert!(matches(&[0; ENTRY_BYTES + 1], &Digest::ZERO).is_err());
    }
}
