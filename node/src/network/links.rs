//! Direct streams: one long-lived stream per peer and direction. Between validators they carry
//! consensus messages; with others they show that both are of the same chain, and stay silent.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chain::codec;
use consensus::message::EngineMessage;
use futures::io::{BufReader, BufWriter};
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, StreamExt as _};
use libp2p::{PeerId, Stream, StreamProtocol};
use libp2p_stream::{Control, IncomingStreams};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use super::access::Refusal;
use super::book::Book;
use super::frames::{FrameError, read_frame, write_frame};
use super::handshake::{HandshakeError, Hello, Mismatch};
use super::inbox::Inbox;
use super::peer::Peer;
use super::queue::OutQueue;
use super::score::Misbehaviour;

/// The protocol of the streams. Chain and version are checked by the handshake on the stream.
pub(super) const PROTOCOL: StreamProtocol = StreamProtocol::new("/catamaran/consensus/1");

/// Longest wait for a stream to open, and again for its handshake.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a peer that does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a peer of another chain stays connected, so that its handshake ends too.
const PARTING: Duration = Duration::from_millis(250);
/// First pause after a stream broke while the connection stands.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// Longest pause between two attempts to open a stream.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Bytes that are put together before they are handed to the connection.
const BUFFER: usize = 16 * 1024;

/// What ended a stream.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error("no answer in time")]
    TimedOut,
    #[error(transparent)]
    Open(#[from] libp2p_stream::OpenStreamError),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl From<tokio::time::error::Elapsed> for LinkError {
    fn from(_: tokio::time::error::Elapsed) -> Self {
        Self::TimedOut
    }
}

/// The tasks that send, one per peer, as the peers change.
pub(super) struct Senders {
    control: Control,
    hello: Hello,
    book: Arc<Book>,
    tasks: JoinSet<()>,
    running: BTreeMap<PeerId, AbortHandle>,
}

impl Senders {
    pub(super) fn new(control: Control, hello: Hello, book: Arc<Book>) -> Self {
        Self { control, hello, book, tasks: JoinSet::new(), running: BTreeMap::new() }
    }

    /// Starts a task for every peer without one and ends those of peers that left.
    pub(super) fn reconcile(&mut self, peers: &[Arc<Peer>]) {
        self.running.retain(|id, task| {
            let stays = peers.iter().any(|peer| peer.id == *id);
            if !stays {
                task.abort();
            }
            // One that panicked must not leave a peer without messages for ever.
            stays && !task.is_finished()
        });
        while self.tasks.try_join_next().is_some() {}
        for peer in peers {
            if !self.running.contains_key(&peer.id) {
                let (control, hello) = (self.control.clone(), self.hello);
                let task = send_forever(peer.clone(), control, hello, self.book.clone());
                self.running.insert(peer.id, self.tasks.spawn(task));
            }
        }
    }
}

/// Keeps a stream to the peer open while it is connected, and writes what waits for it.
async fn send_forever(peer: Arc<Peer>, mut control: Control, hello: Hello, book: Arc<Book>) {
    let mut connected = peer.connected.subscribe();
    let mut pause = PAUSE_MIN;
    loop {
        if !*connected.borrow_and_update() {
            pause = PAUSE_MIN;
            if connected.wait_for(|connected| *connected).await.is_err() {
                return;
            }
        }
        let started = Instant::now();
        let ended = tokio::select! {
            ended = send_until_broken(&peer, &mut control, hello) => ended,
            () = disconnected(&peer) => Ok(()),
        };
        if peer.queue.disconnect() {
            tracing::info!(peer = %peer.id, "lost peer");
        }
        if let Err(error) = ended {
            tracing::debug!(peer = %peer.id, %error, "stream to peer ended");
            if let LinkError::Handshake(HandshakeError::Mismatch(mismatch)) = error {
                part(&peer, mismatch, &book).await;
            }
        }
        if started.elapsed() > PAUSE_MAX {
            pause = PAUSE_MIN;
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// Shuts out a peer that this node cannot talk to, once the peer had time to learn why.
async fn part(peer: &Peer, mismatch: Mismatch, book: &Book) {
    sleep(PARTING).await;
    book.refuse(&peer.id, mismatch);
}

/// Waits until no connection with the peer is left. A stream on a connection that this side closed
/// does not end by itself.
async fn disconnected(peer: &Peer) {
    // Fails only where the peer is gone for good, which is as well.
    let _ = peer.connected.subscribe().wait_for(|connected| !connected).await;
}

async fn send_until_broken(
    peer: &Peer,
    control: &mut Control,
    hello: Hello,
) -> Result<(), LinkError> {
    let mut stream = timeout(OPEN_TIMEOUT, control.open_stream(peer.id, PROTOCOL)).await??;
    timeout(OPEN_TIMEOUT, hello.exchange(&mut stream, None)).await??;
    tracing::info!(peer = %peer.id, "met peer");
    peer.queue.connect();
    let (mut answers, stream) = stream.split();
    let mut stream = BufWriter::with_capacity(BUFFER, stream);
    let mut answer = [0];
    loop {
        // Nothing comes back on this stream: a read ends only when the peer is gone.
        let frame = tokio::select! {
            frame = peer.queue.pop() => frame,
            read = answers.read(&mut answer) => {
                read?;
                return Ok(());
            }
        };
        timeout(WRITE_TIMEOUT, write_frame(&mut stream, &frame.bytes)).await??;
        peer.bytes_out.fetch_add(frame.bytes.len() as u64, Ordering::Relaxed);
        write_waiting(&peer.queue, &mut stream, &peer.bytes_out).await?;
        timeout(WRITE_TIMEOUT, stream.flush()).await??;
    }
}

/// Writes whatever else waits already, so that it shares packets.
async fn write_waiting<W: AsyncWrite + Unpin>(
    queue: &OutQueue,
    stream: &mut W,
    bytes_out: &std::sync::atomic::AtomicU64,
) -> Result<(), LinkError> {
    while let Some(frame) = queue.try_pop() {
        timeout(WRITE_TIMEOUT, write_frame(stream, &frame.bytes)).await??;
        bytes_out.fetch_add(frame.bytes.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// Takes the streams that peers open, one per peer: a newer one replaces the older.
pub(super) async fn accept_forever<M: EngineMessage>(
    mut incoming: IncomingStreams,
    hello: Hello,
    book: Arc<Book>,
    inbox: Arc<Inbox<M>>,
) {
    let mut tasks = JoinSet::new();
    let mut running: BTreeMap<PeerId, AbortHandle> = BTreeMap::new();
    while let Some((id, stream)) = incoming.next().await {
        while tasks.try_join_next().is_some() {}
        running.retain(|_, task| !task.is_finished());
        let Some(peer) = book.get_allowed(&id) else {
            if let Some(refusal) = book.refusal(&id) {
                tasks.spawn(tell(id, stream, hello, refusal, book.clone()));
            }
            continue;
        };
        let task = tasks.spawn(receive(peer, stream, hello, book.clone(), inbox.clone()));
        if let Some(older) = running.insert(id, task) {
            older.abort();
        }
    }
}

/// Tells a peer why it is refused. It is sent away soon after.
async fn tell(id: PeerId, mut stream: Stream, hello: Hello, refusal: Refusal, book: Arc<Book>) {
    // Whether it heard that or not, there is nothing else to say.
    let _ = timeout(OPEN_TIMEOUT, hello.exchange(&mut stream, Some(refusal))).await;
    book.told(&id);
}

/// Counts a stream of a peer for as long as it lives, however its task ends.
struct Counted<'a>(&'a Peer);

impl<'a> Counted<'a> {
    fn new(peer: &'a Peer) -> Self {
        peer.inbound_streams.fetch_add(1, Ordering::Relaxed);
        Self(peer)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.inbound_streams.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn receive<M: EngineMessage>(
    peer: Arc<Peer>,
    mut stream: Stream,
    hello: Hello,
    book: Arc<Book>,
    inbox: Arc<Inbox<M>>,
) {
    match timeout(OPEN_TIMEOUT, hello.exchange(&mut stream, None)).await {
        Ok(Ok(())) => {}
        Ok(Err(HandshakeError::Mismatch(mismatch))) => return part(&peer, mismatch, &book).await,
        Ok(Err(HandshakeError::Io(_))) | Err(_) => return,
    }
    let _counted = Counted::new(&peer);
    let mut stream = BufReader::with_capacity(BUFFER, stream);
    tokio::select! {
        () = receive_messages(&peer, &mut stream, &book, &inbox) => {}
        () = disconnected(&peer) => {}
    }
}

/// Reads messages until the stream ends. A peer whose place in the inbox is full is not read from.
async fn receive_messages<M: EngineMessage, R: AsyncRead + Unpin>(
    peer: &Peer,
    stream: &mut R,
    book: &Book,
    inbox: &Inbox<M>,
) {
    loop {
        let bytes = match read_frame(stream, M::MAX_BYTES).await {
            Ok(bytes) => bytes,
            Err(FrameError::Io(error)) => {
                tracing::debug!(peer = %peer.id, %error, "stream from peer ended");
                return;
            }
            Err(error @ FrameError::Length { .. }) => {
                // Where the next message starts is unknown: the stream is worth nothing now.
                book.fault(&peer.id, Misbehaviour::Oversized, &error.to_string());
                return;
            }
        };
        if book.get_allowed(&peer.id).is_none() {
            return;
        }
        peer.bytes_in.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        if !book.is_member(&peer.id) {
            if !peer.may_say_in_vain(bytes.len()) {
                book.fault(&peer.id, Misbehaviour::Flood, "it is no validator, and talks on");
            }
            continue;
        }
        match codec::decode::<M>(&bytes) {
            Ok(message) => inbox.put(peer.id, message, bytes.len()).await,
            Err(error) => {
                book.fault(&peer.id, Misbehaviour::Undecodable, &error.to_string());
            }
        }
    }
}

#[cfg(test)]
mod tests;
