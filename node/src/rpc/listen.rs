//! Accepting connections: a bounded number, none of which may idle for ever.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::metrics::{CountGuard, RpcMetrics};

/// Longest time for the head of a request, and longest pause between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Time for open connections to finish when the node stops.
const FAREWELL: Duration = Duration::from_secs(3);
/// Pause after the system refused to give a connection (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The place of an open connection among the allowed ones.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    _permit: Arc<OwnedSemaphorePermit>,
    _count: Arc<CountGuard>,
}

/// Accepts until told to stop, then gives open connections a moment.
pub(super) async fn run(
    listener: TcpListener,
    router: Router,
    max_connections: u32,
    metrics: RpcMetrics,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(max_connections as usize));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(permit) = Arc::clone(&places).try_acquire_owned() else {
            metrics.connection_refused();
            tracing::debug!(%address, max_connections, "too many connections");
            connections.spawn(refuse(stream));
            continue;
        };
        let slot = Slot { _permit: Arc::new(permit), _count: Arc::new(metrics.connection()) };
        connections.spawn(serve(stream, address, router.clone(), slot, stop.clone()));
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // Who has not finished by then is cut off when the set is dropped.
    let _ = tokio::time::timeout(FAREWELL, all).await;
}

/// Tells a client that there are too many, if it listens at once.
async fn refuse(mut stream: TcpStream) {
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\
                   content-type: text/plain\r\ncontent-length: 21\r\n\r\ntoo many connections\n";
    let _ = tokio::time::timeout(ACCEPT_PAUSE, stream.write_all(answer)).await;
}

async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    router: Router,
    slot: Slot,
    stop: CancellationToken,
) {
    // Answers are short and clients wait for them.
    let _ = stream.set_nodelay(true);
    let service = tower::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(slot.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "connection ended");
    }
}
