//! The one encoding of the project: bincode's legacy configuration (fixed-width little-endian
//! integers), a size limit on every decode, trailing bytes refused.
//!
//! One value has one encoding: integers have fixed width, `bool` and `Option` tags are strict, and
//! no type that is encoded holds a map. So decoding and encoding again gives the same bytes, which
//! hashing and signing rely on. Derive [`Encode`](bincode::Encode) and [`Decode`](bincode::Decode)
//! and implement [`Bounded`].

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use bincode::enc::write::Writer;

type Config<const LIMIT: usize> = Configuration<LittleEndian, Fixint, Limit<LIMIT>>;

/// The largest encoding that may be decoded as this type, in bytes.
pub trait Bounded {
    const MAX_BYTES: usize;
}

/// Bytes that are not the encoding of the expected value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error("{len} bytes where at most {max} are allowed")]
    TooLarge { len: usize, max: usize },
    #[error("{left} bytes left over after the value")]
    Trailing { left: usize },
    #[error("malformed: {0}")]
    Malformed(String),
}

/// The canonical encoding of a value.
pub fn encode<T: bincode::Encode>(value: &T) -> Vec<u8> {
    bincode::encode_to_vec(value, bincode::config::legacy())
        .expect("encoding into memory fails only for types that cannot be encoded at all")
}

/// The same bytes, written piece by piece.
pub(crate) fn encode_into<T: bincode::Encode>(value: &T, writer: &mut impl Writer) {
    bincode::encode_into_writer(value, writer, bincode::config::legacy())
        .expect("a writer without an end fails only for types that cannot be encoded at all");
}

/// Reads one value that fills `bytes` exactly.
///
/// Memory is bounded by a small multiple of the input: a claimed length is refused before anything
/// is reserved for it.
///
/// # Errors
/// [`CodecError`] where `bytes` is longer than [`Bounded::MAX_BYTES`], malformed or has a rest.
pub fn decode<T: bincode::Decode<()> + Bounded>(bytes: &[u8]) -> Result<T, CodecError> {
    if bytes.len() > T::MAX_BYTES {
        return Err(CodecError::TooLarge { len: bytes.len(), max: T::MAX_BYTES });
    }
    let (value, used) = decode_first(bytes)?;
    if used == bytes.len() {
        Ok(value)
    } else {
        Err(CodecError::Trailing { left: bytes.len() - used })
    }
}

/// Reads the value that `bytes` begin with, and tells how many of them are its encoding. Memory is bounded
/// as by [`decode`].
///
/// # Errors
/// [`CodecError`] where they do not begin with one of at most [`Bounded::MAX_BYTES`].
pub fn decode_first<T: bincode::Decode<()> + Bounded>(
    bytes: &[u8],
) -> Result<(T, usize), CodecError> {
    let bytes = &bytes[..bytes.len().min(T::MAX_BYTES)];
    // The limit is a constant in bincode's types and counts the reserved memory of collections.
    // Rungs of 16 keep it within a fixed multiple of the input.
    match bytes.len() {
        0..=0x400 => decode_within::<T, 0x4000>(bytes),
        0x401..=0x4000 => decode_within::<T, 0x4_0000>(bytes),
        0x4001..=0x4_0000 => decode_within::<T, 0x40_0000>(bytes),
        0x4_0001..=0x40_0000 => decode_within::<T, 0x400_0000>(bytes),
        _ => decode_within::<T, 0x4000_0000>(bytes),
    }
}

fn decode_within<T: bincode::Decode<()>, const LIMIT: usize>(
    bytes: &[u8],
) -> Result<(T, usize), CodecError> {
    let config: Config<LIMIT> = bincode::config::legacy().with_limit::<LIMIT>();
    bincode::decode_from_slice(bytes, config)
        .map_err(|error| CodecError::Malformed(error.to_string()))
}
