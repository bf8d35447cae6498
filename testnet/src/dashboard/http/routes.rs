//! What is answered where.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use chain::light::Proof;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::runtime::Handle;

use super::{Server, assets, events, state};
use crate::dashboard::control::Order;
use crate::dashboard::evidence::Encoded;
use crate::dashboard::lab::{Options, Refused, Run};
use crate::dashboard::proxy::{Call, ProxyError};

/// Largest body but for proofs, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// What pages may load and do: nothing from elsewhere.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; \
                      style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

pub(super) fn router(server: Server) -> Router {
    Router::new()
        .route("/", get(async |headers: HeaderMap| assets::serve("index.html", &headers)))
        .route("/assets/{*path}", get(asset))
        .route("/api/state", get(async |State(server): State<Server>| answer(&state::of(&server))))
        .route("/api/events", get(follow))
        .route("/api/control", post(control))
        .route("/api/rpc", post(rpc))
        .route(
            "/api/proof/verify",
            post(verify).layer(DefaultBodyLimit::max(Proof::MAX_FILE_BYTES)),
        )
        .route("/api/evidence", post(evidence))
        .route("/api/lab/options", get(async || answer(&Options::new())))
        .route("/api/lab/run", post(run))
        .fallback(async || refuse(StatusCode::NOT_FOUND, "there is nothing here"))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(server.clone(), guarded))
        .with_state(server)
}

/// Refuses strangers, and says in every answer what the page may do.
async fn guarded(State(server): State<Server>, request: Request, next: Next) -> Response {
    let mut response = match server.guard.check(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(reason) => refuse(StatusCode::FORBIDDEN, &reason),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    assets::serve(&path, &headers)
}

async fn follow(
    State(server): State<Server>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    match server.pages.clone().try_acquire_owned() {
        Ok(place) => {
            let since = events::since(&headers, query.as_deref());
            events::follow(server.live, since, place)
        }
        Err(_) => refuse(StatusCode::SERVICE_UNAVAILABLE, "too many pages are open: close some"),
    }
}

async fn control(State(server): State<Server>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(reason) = server.guard.check_token(&headers) {
        return refuse(StatusCode::FORBIDDEN, &reason);
    }
    let Some(control) = server.control else {
        return refuse(StatusCode::FORBIDDEN, "there is no control here");
    };
    let order: Order = match read(&body) {
        Ok(order) => order,
        Err(reason) => return refuse(StatusCode::BAD_REQUEST, &reason),
    };
    // Carried out to the end, also where the page goes away: half a change of leader is none.
    let runtime = Handle::current();
    let order = move || runtime.block_on(control.carry_out(order));
    match tokio::task::spawn_blocking(order).await {
        Ok(done) if done.ok => answer(&done),
        Ok(done) => (StatusCode::CONFLICT, answer(&done)).into_response(),
        Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "the order ended unexpectedly"),
    }
}

async fn rpc(State(server): State<Server>, body: Bytes) -> Response {
    let call: Call = match read(&body) {
        Ok(call) => call,
        Err(reason) => return refuse(StatusCode::BAD_REQUEST, &reason),
    };
    match server.proxy.pass(&server.live.members(), call).await {
        Ok(result) => answer(&json!({ "result": result })),
        Err(ProxyError::Refused(reason)) => refuse(StatusCode::BAD_REQUEST, &reason),
        Err(ProxyError::Busy) => {
            refuse(StatusCode::SERVICE_UNAVAILABLE, "too many calls are under way: wait")
        }
        Err(ProxyError::Node(error)) => answer(&json!({ "error": error })),
    }
}

async fn verify(State(server): State<Server>, body: Bytes) -> Response {
    // Signatures of every change of the set are checked: that takes a while.
    let checked = tokio::task::spawn_blocking(move || server.checker.check(&body)).await;
    match checked {
        Ok(verdict) => answer(&verdict),
        Err(_) => refuse(StatusCode::INTERNAL_SERVER_ERROR, "the check ended unexpectedly"),
    }
}

async fn evidence(body: Bytes) -> Response {
    let encoded: Encoded = match read(&body) {
        Ok(encoded) => encoded,
        Err(reason) => return refuse(StatusCode::BAD_REQUEST, &reason),
    };
    match encoded.decode() {
        Ok(evidence) => answer(&evidence),
        Err(error) => refuse(StatusCode::BAD_REQUEST, &format!("{error:#}")),
    }
}

async fn run(State(server): State<Server>, body: Bytes) -> Response {
    let run: Run = match read(&body) {
        Ok(run) => run,
        Err(reason) => return refuse(StatusCode::BAD_REQUEST, &reason),
    };
    match server.lab.run(&run) {
        Ok(body) => ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response(),
        Err(Refused::Invalid(reason)) => refuse(StatusCode::BAD_REQUEST, &reason),
        Err(Refused::Busy) => {
            refuse(StatusCode::TOO_MANY_REQUESTS, "two runs are under way: wait for one")
        }
    }
}

/// # Errors
/// Where the body is not understood, saying where.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| format!("the body is not understood: {error}"))
}

fn answer(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "application/json")], Body::from(text)).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn refuse(status: StatusCode, reason: &str) -> Response {
    (status, answer(&json!({ "error": reason }))).into_response()
}
