//! Messages on a byte stream: four bytes of length, big-endian, then the message.

use std::io;

use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Bytes that are reserved before they arrived, at most: a claimed length costs the claimer.
const CHUNK: usize = 64 * 1024;

/// What ends the reading of a stream.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    /// The peer went away, between two messages or within one.
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a message of {len} bytes where 1 to {max} are allowed")]
    Length { len: usize, max: usize },
}

/// Reads one message of 1 to `max` bytes.
pub(super) async fn read_frame<R>(stream: &mut R, max: usize) -> Result<Vec<u8>, FrameError>
where
    R: AsyncRead + Unpin,
{
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let len = u32::from_be_bytes(length) as usize;
    if len == 0 || len > max {
        return Err(FrameError::Length { len, max });
    }
    let mut bytes = Vec::with_capacity(len.min(CHUNK));
    while bytes.len() < len {
        let have = bytes.len();
        bytes.resize(len.min(have + CHUNK), 0);
        stream.read_exact(&mut bytes[have..]).await?;
    }
    Ok(bytes)
}

/// Writes one message, without flushing.
pub(super) async fn write_frame<W>(stream: &mut W, bytes: &[u8]) -> io::Result<()>
where
    W: AsyncWrite + Unpin,
{
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(bytes).await
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let messages = [vec![1; 1], vec![2; CHUNK], vec![3; 3 * CHUNK + 5]];
        let mut stream = Cursor::new(Vec::new());
        for message in &messages {
            block_on(write_frame(&mut stream, message)).unwrap();
        }
        stream.set_position(0);
        for message in &messages {
            assert_eq!(block_on(read_frame(&mut stream, 4 * CHUNK)).unwrap(), *message);
        }
        assert!(matches!(block_on(read_frame(&mut stream, 4 * CHUNK)), Err(FrameError::Io(_))));
    }

    #[test]
    fn empty_and_oversized_messages_are_refused_by_their_length_alone() {
        for claimed in [0u32, 101, u32::MAX] {
            let mut stream = Cursor::new(claimed.to_be_bytes().to_vec());
            let error = block_on(read_frame(&mut stream, 100)).unwrap_err();
            assert!(matches!(error, FrameError::Length { .. }), "{claimed}: {error}");
        }
    }

    #[test]
    fn a_claimed_length_reserves_no_memory() {
        let mut stream = Cursor::new(u32::MAX.to_be_bytes().to_vec());
        let read = block_on(read_frame(&mut stream, usize::MAX));
        assert!(matches!(read, Err(FrameError::Io(_))));
    }
}
