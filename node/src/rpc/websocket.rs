//! One WebSocket connection.
//!
//! ```text
//!  read a message ──▶ at most MAX_IN_FLIGHT calls ──▶ replies ──┐
//!                                subscriptions ──▶ notifications ┴──▶ one writer
//! ```
//!
//! Nothing is read while MAX_IN_FLIGHT answers are not written yet, or the client is ahead of its
//! pace; one that does not read for WRITE_TIMEOUT loses its connection.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use jsonrpsee::core::server::{BoundedSubscriptions, ConnectionId, MethodSink};
use node_api::limits::MAX_SUBSCRIPTIONS;
use serde_json::value::RawValue;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::dispatch::{Answer, Caller, Connection, Dispatcher};
use super::paces::Pace;

/// Most calls of a connection that run or whose answers wait.
const MAX_IN_FLIGHT: usize = 32;
/// Answers that wait for the writer; their memory is reserved.
const ANSWERS: usize = 8;
/// Notifications that wait for the writer. Each may have a megabyte.
const NOTIFICATIONS: usize = 2;
/// Longest time for a client to take a message.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause between two questions whether the client is still there.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Longest silence of a client, pongs included.
const SILENCE: Duration = Duration::from_secs(60);

/// Serves a connection until either side closes it.
pub(super) async fn serve(
    socket: WebSocket,
    dispatcher: Dispatcher,
    id: ConnectionId,
    pace: Pace,
    stop: CancellationToken,
) {
    let (sink, stream) = socket.split();
    let (notify, notifications) = mpsc::channel(NOTIFICATIONS);
    let (reply, replies) = mpsc::channel(ANSWERS);
    let closed = stop.child_token();
    let writing = tokio::spawn(write(sink, replies, notifications, closed.clone()));
    let connection = Connection {
        id,
        sink: MethodSink::new(notify),
        subscriptions: BoundedSubscriptions::new(MAX_SUBSCRIPTIONS),
    };
    // Nothing that works on calls is left while the farewell is said: it holds the store.
    let caller = Caller { pace, websocket: Some(connection) };
    read(stream, dispatcher, caller, reply, &closed).await;
    closed.cancel();
    // A writer that panicked has nothing left to write.
    let _ = writing.await;
}

/// Reads and runs calls until the client goes, falls silent, or the writer gives up.
async fn read(
    mut stream: SplitStream<WebSocket>,
    dispatcher: Dispatcher,
    caller: Caller,
    replies: mpsc::Sender<Answer>,
    closed: &CancellationToken,
) {
    let caller = Arc::new(caller);
    let room = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
    // Dropped at the end, which ends the calls nobody waits for any more.
    let mut calls = JoinSet::new();
    loop {
        while calls.try_join_next().is_some() {}
        let next = async {
            let place = Arc::clone(&room).acquire_owned().await.ok()?;
            let message = tokio::time::timeout(SILENCE, stream.next()).await.ok()??.ok()?;
            if matches!(message, Message::Text(_) | Message::Binary(_)) {
                caller.pace.wait_for(1).await;
            }
            Some((place, message))
        };
        let next = tokio::select! {
            () = closed.cancelled() => return,
            next = next => next,
        };
        let (place, text) = match next {
            Some((place, Message::Text(text))) => (place, text.into()),
            Some((place, Message::Binary(bytes))) => (place, bytes),
            Some((_, Message::Ping(_) | Message::Pong(_))) => continue,
            Some((_, Message::Close(_))) | None => return,
        };
        let (dispatcher, caller) = (dispatcher.clone(), Arc::clone(&caller));
        let replies = replies.clone();
        calls.spawn(async move {
            let _place = place;
            let text: axum::body::Bytes = text;
            if let Some(answer) = dispatcher.answer(&text, &caller).await {
                // The connection is closing: nobody reads the answer.
                let _ = replies.send(answer).await;
            }
        });
    }
}

/// Writes answers and notifications until the connection closes.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut replies: mpsc::Receiver<Answer>,
    mut notifications: mpsc::Receiver<Box<RawValue>>,
    closed: CancellationToken,
) {
    let mut ping = tokio::time::interval(PING_EVERY);
    ping.reset();
    loop {
        // Held until the text is written.
        let mut memory = Vec::new();
        let message = tokio::select! {
            () = closed.cancelled() => break,
            Some(answer) = replies.recv() => {
                memory = answer.memory;
                text(answer.text)
            }
            Some(notification) = notifications.recv() => {
                text(Box::<str>::from(notification).into_string())
            }
            _ = ping.tick() => Message::Ping(axum::body::Bytes::new()),
        };
        let written = tokio::select! {
            () = closed.cancelled() => break,
            written = tokio::time::timeout(WRITE_TIMEOUT, sink.send(message)) => written,
        };
        drop(memory);
        if !matches!(written, Ok(Ok(()))) {
            closed.cancel();
            return;
        }
    }
    // Subscriptions end as nobody takes what they tell.
    drop((replies, notifications));
    // A farewell; who does not take it is gone anyway.
    let _ = tokio::time::timeout(Duration::from_secs(1), sink.close()).await;
}

fn text(text: String) -> Message {
    Message::Text(Utf8Bytes::from(text))
}
