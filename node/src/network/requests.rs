//! Questions between peers and their answers, each pair on a stream of its own.
//!
//! What is asked and answered is not the network's business. Bounds: a question has at most
//! [`MAX_QUESTION`] bytes, an answer at most [`MAX_ANSWER`]; a peer may have [`MAX_PER_PEER`]
//! questions open here and ask [`RATE`] per second, all peers together [`MAX_OPEN`].

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use chain::types::Digest;
use futures::{AsyncWriteExt as _, StreamExt as _};
use libp2p::{PeerId, Stream, StreamProtocol};
use libp2p_stream::{AlreadyRegistered, Control, IncomingStreams};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::NetworkHandle;
use super::book::Book;
use super::frames::{FrameError, read_frame, write_frame};
use super::score::Misbehaviour;
use crate::bucket::Bucket;

/// Longest question, in bytes.
pub const MAX_QUESTION: usize = 256;
/// Longest answer, in bytes. Who asks says how long his may be.
pub const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Questions of one peer that are open at one time.
const MAX_PER_PEER: usize = 8;
/// Questions of all peers that are open at one time.
const MAX_OPEN: usize = 64;
/// Questions of one peer per second, and how many at once.
const RATE: (f64, f64) = (100.0, 200.0);
/// Longest wait for a stream, and for a question on it.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a peer that does not read its answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The protocol of the streams: its name holds the chain, so that other chains do not speak it.
fn protocol(chain_id: &Digest) -> StreamProtocol {
    StreamProtocol::try_from_owned(format!("/catamaran/{chain_id}/sync/1"))
        .expect("it begins with a slash")
}

/// Opens streams for questions.
#[derive(Clone)]
pub(super) struct Streams {
    control: Control,
    protocol: StreamProtocol,
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Streams({})", self.protocol)
    }
}

impl Streams {
    pub(super) fn new(control: Control, chain_id: &Digest) -> Self {
        Self { control, protocol: protocol(chain_id) }
    }

    /// Those that peers open.
    pub(super) fn accept(&self) -> Result<IncomingStreams, AlreadyRegistered> {
        self.control.clone().accept(self.protocol.clone())
    }
}

/// A peer that can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reachable {
    pub id: PeerId,
    /// It is a validator, or was in the epoch before.
    pub member: bool,
    /// The operator named it.
    pub configured: bool,
}

/// A question of a peer. Dropping it closes the stream without an answer.
#[derive(Debug)]
pub struct Question {
    pub from: PeerId,
    pub bytes: Vec<u8>,
    answer: oneshot::Sender<Vec<u8>>,
}

impl Question {
    /// Sends the answer.
    pub fn answer(self, bytes: Vec<u8>) {
        // The peer may have gone meanwhile.
        let _ = self.answer.send(bytes);
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error("not connected with the peer")]
    NotConnected,
    #[error("no answer in time")]
    TimedOut,
    #[error(transparent)]
    Open(#[from] libp2p_stream::OpenStreamError),
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("an answer that is too long")]
    TooLong,
}

impl From<FrameError> for AskError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Io(error) => Self::Io(error),
            FrameError::Length { .. } => Self::TooLong,
        }
    }
}

impl NetworkHandle {
    /// Asks a peer, and waits for the answer, of at most `max` bytes, until `patience` is over.
    ///
    /// # Errors
    /// [`AskError`] where none comes.
    pub async fn ask(
        &self,
        peer: PeerId,
        question: &[u8],
        max: usize,
        patience: Duration,
    ) -> Result<Vec<u8>, AskError> {
        if !self.book.get_allowed(&peer).is_some_and(|peer| peer.queue.is_connected()) {
            return Err(AskError::NotConnected);
        }
        let Streams { control, protocol } = self.streams.clone();
        ask(control, protocol, peer, question, max, patience).await
    }

    /// Everyone who can be asked now.
    pub fn reachable(&self) -> Vec<Reachable> {
        let peers = self.book.peers().into_iter();
        let met = peers
            .filter(|peer| peer.queue.is_connected() && self.book.get_allowed(&peer.id).is_some());
        met.map(|peer| Reachable {
            id: peer.id,
            member: self.book.is_member(&peer.id),
            configured: self.book.is_configured(&peer.id),
        })
        .collect()
    }

    /// Notes that a peer answered what no correct node answers.
    pub fn report_lie(&self, peer: &PeerId, why: &str) {
        self.book.fault(peer, Misbehaviour::Lie, why);
    }
}

/// Asks a peer, and waits for the answer, of at most `max` bytes, until `patience` is over.
async fn ask(
    mut control: Control,
    protocol: StreamProtocol,
    peer: PeerId,
    question: &[u8],
    max: usize,
    patience: Duration,
) -> Result<Vec<u8>, AskError> {
    let asking = async {
        let mut stream = control.open_stream(peer, protocol).await?;
        write_frame(&mut stream, question).await?;
        stream.flush().await?;
        Ok(read_frame(&mut stream, max.min(MAX_ANSWER)).await?)
    };
    timeout(patience, asking).await.unwrap_or(Err(AskError::TimedOut))
}

/// Takes questions in for ever, and writes their answers.
pub(super) async fn accept_forever(
    mut incoming: IncomingStreams,
    book: Arc<Book>,
    questions: mpsc::Sender<Question>,
) {
    let mut tasks: JoinSet<PeerId> = JoinSet::new();
    let mut askers: BTreeMap<PeerId, (usize, Bucket)> = BTreeMap::new();
    loop {
        let (id, stream) = tokio::select! {
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                // A task that panicked leaves its peer with one question less.
                if let Ok(id) = ended && let Some((open, _)) = askers.get_mut(&id) {
                    *open -= 1;
                }
                continue;
            }
            next = incoming.next() => match next {
                Some(next) => next,
                None => return,
            },
        };
        askers.retain(|id, (open, _)| *open > 0 || book.get(id).is_some());
        if book.get_allowed(&id).is_none() || tasks.len() >= MAX_OPEN {
            continue;
        }
        let now = Instant::now().into_std();
        let (open, rate) =
            askers.entry(id).or_insert_with(|| (0, Bucket::new(RATE.0, RATE.1, now)));
        if *open >= MAX_PER_PEER || !rate.take(1.0, now) {
            book.fault(&id, Misbehaviour::Flood, "too many questions");
            continue;
        }
        *open += 1;
        let (book, questions) = (book.clone(), questions.clone());
        tasks.spawn(async move {
            if let Err(error) = serve(id, stream, &book, &questions).await {
                tracing::debug!(peer = %id, %error, "a question without an answer");
            }
            id
        });
    }
}

async fn serve(
    from: PeerId,
    mut stream: Stream,
    book: &Book,
    questions: &mpsc::Sender<Question>,
) -> Result<(), AskError> {
    let read = timeout(OPEN_TIMEOUT, read_frame(&mut stream, MAX_QUESTION)).await;
    let bytes = match read.map_err(|_| AskError::TimedOut)? {
        Err(error @ FrameError::Length { .. }) => {
            book.fault(&from, Misbehaviour::Oversized, &error.to_string());
            return Err(error.into());
        }
        other => other?,
    };
    let (answer, answered) = oneshot::channel();
    if questions.send(Question { from, bytes, answer }).await.is_err() {
        return Ok(());
    }
    let Ok(answer) = answered.await else {
        return Ok(());
    };
    let write = async {
        write_frame(&mut stream, &answer).await?;
        stream.close().await
    };
    Ok(timeout(WRITE_TIMEOUT, write).await.map_err(|_| AskError::TimedOut)??)
}
