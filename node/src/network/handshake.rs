//! The first words on a stream of consensus messages: which protocol, which chain, and whether the
//! other side is welcome.

use std::io;

use bincode::{Decode, Encode};
use chain::codec::{self, Bounded};
use chain::types::Digest;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::access::Refusal;

/// Version of what travels on direct streams and on topics. Nodes of different versions do not
/// talk to each other.
pub const PROTOCOL_VERSION: u32 = 3;

const MAGIC: [u8; 4] = *b"CTMN";

/// What both sides say before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct Hello {
    magic: [u8; 4],
    version: u32,
    chain_id: Digest,
}

impl Bounded for Hello {
    const MAX_BYTES: usize = 4 + 4 + Digest::LEN;
}

/// Why two nodes cannot talk to each other. Both close, and remember it for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Mismatch {
    #[error("it does not speak this protocol")]
    Stranger,
    #[error("it speaks version {0} of the protocol, this node version {PROTOCOL_VERSION}")]
    OtherVersion(u32),
    #[error("it is on another chain, with the genesis {0}")]
    OtherChain(Digest),
    #[error("it refuses this node: {0}")]
    Refused(Refusal),
}

/// What ends a handshake.
#[derive(Debug, thiserror::Error)]
pub(super) enum HandshakeError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

impl Hello {
    pub(super) const fn new(chain_id: Digest) -> Self {
        Self { magic: MAGIC, version: PROTOCOL_VERSION, chain_id }
    }

    /// Says this and hears the other side, both at once: so each learns why the other refuses. Then
    /// each says whether it welcomes the other.
    pub(super) async fn exchange<S>(
        &self,
        stream: &mut S,
        refusal: Option<Refusal>,
    ) -> Result<(), HandshakeError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        stream.write_all(&codec::encode(self)).await?;
        stream.flush().await?;
        let mut bytes = [0; Self::MAX_BYTES];
        stream.read_exact(&mut bytes).await?;
        let theirs: Self = codec::decode(&bytes).map_err(|_| Mismatch::Stranger)?;
        self.check(&theirs)?;

        stream.write_all(&[Refusal::to_byte(refusal)]).await?;
        stream.flush().await?;
        let mut verdict = [0];
        stream.read_exact(&mut verdict).await?;
        Refusal::from_byte(verdict[0])
            .map_or(Ok(()), |refusal| Err(Mismatch::Refused(refusal).into()))
    }

    fn check(&self, theirs: &Self) -> Result<(), Mismatch> {
        if theirs.magic != self.magic {
            Err(Mismatch::Stranger)
        } else if theirs.version != self.version {
            Err(Mismatch::OtherVersion(theirs.version))
        } else if theirs.chain_id != self.chain_id {
            Err(Mismatch::OtherChain(theirs.chain_id))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::compat::TokioAsyncReadCompatExt as _;

    use super::*;

    #[test]
    fn a_hello_has_a_fixed_size() {
        assert_eq!(codec::encode(&Hello::new(Digest([1; 32]))).len(), Hello::MAX_BYTES);
    }

    #[test]
    fn protocol_version_and_chain_must_agree() {
        let mine = Hello::new(Digest([1; 32]));
        let cases = [
            (mine, Ok(())),
            (Hello { magic: *b"HTTP", ..mine }, Err(Mismatch::Stranger)),
            (Hello { version: 1, ..mine }, Err(Mismatch::OtherVersion(1))),
            (Hello::new(Digest([2; 32])), Err(Mismatch::OtherChain(Digest([2; 32])))),
        ];
        for (theirs, verdict) in cases {
            assert_eq!(mine.check(&theirs), verdict);
        }
    }

    #[test]
    fn who_is_refused_hears_why() {
        let (here, there) = tokio::io::duplex(1024);
        let (mut here, mut there) = (here.compat(), there.compat());
        let hello = Hello::new(Digest([1; 32]));
        let both = async {
            tokio::join!(
                hello.exchange(&mut here, Some(Refusal::NotAdmitted)),
                hello.exchange(&mut there, None)
            )
        };
        let (host, stranger) = futures::executor::block_on(both);
        assert!(host.is_ok());
        let heard = stranger.unwrap_err();
        assert!(matches!(heard, HandshakeError::Mismatch(Mismatch::Refused(Refusal::NotAdmitted))));
        assert!(heard.to_string().contains("role observer"), "{heard}");
    }
}
