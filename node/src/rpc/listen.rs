//! Accepting connections: a bounded number, none of which may idle for ever or leave unread what it
//! asked for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::paces::{Pace, Paces};
use super::patience::Patient;
use super::places::{Place, Places};
use crate::metrics::{CountGuard, RpcMetrics};

/// Longest time for the head of a request, and longest pause between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest time in which a client takes nothing worth mentioning of what is written to it.
pub(super) const WRITE_PATIENCE: Duration = Duration::from_secs(20);
/// Longest time from the connection to the end of the TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// Largest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Time for open connections to finish when the node stops.
const FAREWELL: Duration = Duration::from_secs(3);
/// Pause after the system refused to give a connection (out of file descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The place of an open connection among the allowed ones, and how fast its client may call.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) pace: Pace,
    _place: Arc<Place>,
    _count: Arc<CountGuard>,
}

/// What connections may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections: u32,
    /// Of one client.
    pub(super) calls_per_second: u32,
    pub(super) write_patience: Duration,
}

/// Accepts until told to stop, then gives open connections a moment.
pub(super) async fn run(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    metrics: RpcMetrics,
    stop: CancellationToken,
) {
    let places = Places::new(limits.connections as usize);
    let paces = Paces::new(limits.calls_per_second, metrics.clone());
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
        let Some(place) = places.take(address.ip()) else {
            metrics.connection_refused();
            tracing::debug!(%address, ?limits, "too many connections");
            connections.spawn(refuse(stream));
            continue;
        };
        let slot = Slot {
            pace: paces.of(address.ip()),
            _place: Arc::new(place),
            _count: Arc::new(metrics.connection()),
        };
        // Answers are short and clients wait for them.
        let _ = stream.set_nodelay(true);
        let (router, stop, tls) = (router.clone(), stop.clone(), tls.clone());
        connections.spawn(async move {
            let patience = limits.write_patience;
            match tls {
                None => serve(Patient::new(stream, patience), address, router, slot, stop).await,
                Some(tls) => match tokio::time::timeout(TLS_TIMEOUT, tls.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        serve(Patient::new(stream, patience), address, router, slot, stop).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%address, %error, "no TLS"),
                    Err(_) => tracing::debug!(%address, "a TLS handshake took too long"),
                },
            }
        });
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

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: Patient<S>,
    address: SocketAddr,
    router: Router,
    slot: Slot,
    stop: CancellationToken,
) {
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

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::AsyncReadExt as _;

    use super::*;
    use crate::metrics::Metrics;

    /// Far more than the buffers of the system hold.
    const LARGE: usize = 64 << 20;
    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

    #[tokio::test]
    async fn a_client_that_does_not_read_its_answer_loses_its_place() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(|| async { vec![0u8; LARGE] }));
        let limits = Limits {
            connections: 1,
            calls_per_second: 1000,
            write_patience: Duration::from_millis(200),
        };
        let (metrics, stop) = (Metrics::default().rpc(), CancellationToken::new());
        let serving = tokio::spawn(run(listener, None, router, limits, metrics, stop.clone()));

        let mut silent = TcpStream::connect(address).await.unwrap();
        silent.write_all(REQUEST).await.unwrap();
        assert_eq!(silent.read_u8().await.unwrap(), b'H');
        let place_is_free = async {
            let mut answer = [0; 12];
            while &answer != b"HTTP/1.1 200" {
                let mut other = TcpStream::connect(address).await.unwrap();
                // Who is refused may be hung up on before it has written.
                let _ = other.write_all(REQUEST).await;
                let _ = other.read_exact(&mut answer).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), place_is_free).await.expect("a place");
        let mut rest = Vec::new();
        // Whether the end is an orderly one depends on the system.
        let _ = silent.read_to_end(&mut rest).await;
        assert!(rest.len() < LARGE, "it got everything");
        stop.cancel();
        serving.await.unwrap();
    }
}
