//! What one port answers: JSON-RPC by POST and by WebSocket, `/health`, `/metrics`, and a page that
//! says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use futures::stream;
use jsonrpsee::core::server::ConnectionId;
use node_api::limits::MAX_REQUEST_BYTES;
use tokio_util::sync::CancellationToken;

use super::dispatch::{Answer, Caller, Dispatcher};
use super::health::Progress;
use super::hosts::Hosts;
use super::listen::Slot;
use super::tls::Tokens;
use super::{Context, websocket};

/// Longest time for a client to send its request.
const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// Answers longer than this are written piece by piece.
const PIECE: usize = 64 * 1024;

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) context: Arc<Context>,
    pub(super) dispatcher: Dispatcher,
    pub(super) progress: Progress,
    pub(super) hosts: Arc<Hosts>,
    pub(super) tokens: Option<Tokens>,
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) stop: CancellationToken,
}

/// Every route, behind the check of who asks.
pub(super) fn router(door: Door) -> Router {
    Router::new()
        .route("/", get(page_or_websocket).post(post))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .fallback(|| async { (StatusCode::NOT_FOUND, "no such page; GET / lists them\n") })
        .layer(from_fn_with_state(door.clone(), check_caller))
        .with_state(door)
}

async fn check_caller(
    State(door): State<Door>,
    slot: Extension<Slot>,
    request: Request,
    next: Next,
) -> Response {
    slot.pace.wait_for(1).await;
    let known = door.tokens.as_ref().is_none_or(|tokens| tokens.admit(request.headers()));
    let mut response = match door.hosts.check(request.headers(), request.uri()) {
        Ok(()) if known => next.run(request).await,
        Ok(()) => {
            let problem = "show a token of this node: Authorization: Bearer TOKEN\n";
            let scheme = [(header::WWW_AUTHENTICATE, "Bearer")];
            (StatusCode::UNAUTHORIZED, scheme, problem).into_response()
        }
        Err(problem) => (StatusCode::FORBIDDEN, problem + "\n").into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn post(
    State(door): State<Door>,
    Extension(slot): Extension<Slot>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // Browsers send other types to strangers without asking first, this one they do not.
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !is_json {
        let problem = "the body must be application/json\n";
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, problem).into_response();
    }
    let read = axum::body::to_bytes(body, MAX_REQUEST_BYTES as usize);
    let text = match tokio::time::timeout(READ_TIMEOUT, read).await {
        Ok(Ok(text)) => text,
        Ok(Err(_)) => {
            let problem = format!("a request has at most {MAX_REQUEST_BYTES} bytes\n");
            return (StatusCode::PAYLOAD_TOO_LARGE, problem).into_response();
        }
        Err(_) => {
            return (StatusCode::REQUEST_TIMEOUT, "the request came too slowly\n").into_response();
        }
    };
    let caller = Caller { pace: slot.pace, websocket: None };
    match door.dispatcher.answer(&text, &caller).await {
        Some(answer) => json(answer),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

/// The answer as a response that gives its memory back as it is written.
fn json(answer: Answer) -> Response {
    let Answer { text, memory } = answer;
    let text = Bytes::from(text);
    let body = if text.len() <= PIECE {
        Body::from(text)
    } else {
        Body::from_stream(stream::unfold((text, memory), |(mut rest, memory)| async move {
            if rest.is_empty() {
                return None;
            }
            let piece = rest.split_to(rest.len().min(PIECE));
            Some((Ok::<_, std::convert::Infallible>(piece), (rest, memory)))
        }))
    };
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn page_or_websocket(
    State(door): State<Door>,
    Extension(slot): Extension<Slot>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        return page(&door);
    };
    let pace = slot.pace.clone();
    let id = ConnectionId(door.connections.fetch_add(1, Ordering::Relaxed));
    let most = MAX_REQUEST_BYTES as usize;
    upgrade
        .read_buffer_size(16 * 1024)
        .write_buffer_size(0)
        .max_message_size(most)
        .max_frame_size(most)
        .on_upgrade(move |socket| async move {
            // The connection counts as long as it is open.
            let _slot = slot;
            websocket::serve(socket, door.dispatcher, id, pace, door.stop).await;
        })
}

fn page(door: &Door) -> Response {
    let mut methods: Vec<_> = door.dispatcher.method_names().collect();
    methods.sort_unstable();
    let identity = &door.context.identity;
    let text = format!(
        "Catamaran node {} of chain {}, version {}\n\n\
         POST /        JSON-RPC 2.0\n\
         GET  /        the same as a WebSocket, with subscriptions\n\
         GET  /health  200 while it makes or could make progress\n\
         GET  /metrics Prometheus\n\n\
         Methods (rpc_discover describes them):\n  {}\n",
        identity.moniker,
        identity.chain,
        env!("CARGO_PKG_VERSION"),
        methods.join("\n  ")
    );
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}

async fn health(State(door): State<Door>) -> Response {
    let health = door.context.health(&door.progress);
    let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text = serde_json::to_string(&health).unwrap_or_default() + "\n";
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn metrics(State(door): State<Door>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], door.context.metrics.encode()).into_response()
}
