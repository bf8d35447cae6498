//! From the text of a request to the text of its answer, by the JSON-RPC 2.0 specification.
//!
//! HTTP and WebSocket share this. jsonrpsee's own server is not used: it reads from a WebSocket
//! without end whether or not its answers are read, so one client could fill the memory.

use std::time::{Duration, Instant};

use jsonrpsee::core::id_providers::RandomIntegerIdProvider;
use jsonrpsee::core::server::{
    BoundedSubscriptions, ConnectionId, Extensions, MethodCallback, MethodResponse, MethodSink,
    Methods, SubscriptionState,
};
use jsonrpsee::types::error::{
    ErrorCode as RpcErrorCode, METHOD_NOT_FOUND_CODE, reject_too_big_batch_request,
    reject_too_many_subscriptions,
};
use jsonrpsee::types::{
    ErrorObject, ErrorObjectOwned, Id, InvalidRequest, Notification, Params, Request,
};
use node_api::limits::{MAX_BATCH, MAX_RESPONSE_BYTES, MAX_WAIT};
use node_api::{ApiError, ErrorCode};
use serde_json::value::RawValue;

use super::budget::{Budget, Reserved};
use super::paces::Pace;
use crate::metrics::RpcMetrics;

/// Every call ends by then, whatever it waits for.
const CALL_TIMEOUT: Duration = MAX_WAIT.saturating_add(Duration::from_secs(10));

/// What answers calls: the methods and what they may cost.
#[derive(Clone, Debug)]
pub(super) struct Dispatcher {
    methods: Methods,
    budget: Budget,
    metrics: RpcMetrics,
}

/// Who calls.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) pace: Pace,
    pub(super) websocket: Option<Connection>,
}

/// A WebSocket, as far as calls need to know it.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) id: ConnectionId,
    /// Where notifications of subscriptions go.
    pub(super) sink: MethodSink,
    pub(super) subscriptions: BoundedSubscriptions,
}

/// The answer to a text, with the memory it occupies.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) memory: Vec<Reserved>,
}

/// The answer to one call of a text.
struct Reply {
    json: Box<RawValue>,
    memory: Option<Reserved>,
}

impl Reply {
    fn error(id: Id<'_>, error: impl Into<ErrorObjectOwned>) -> Self {
        let response = MethodResponse::error(id, error.into());
        Self { json: response.into_json(), memory: None }
    }
}

impl Dispatcher {
    pub(super) fn new(methods: Methods, metrics: RpcMetrics) -> Self {
        Self { methods, budget: Budget::default(), metrics }
    }

    /// The names of all methods and subscriptions.
    pub(super) fn method_names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.methods.method_names()
    }

    /// Answers a text: one request, for which the caller has waited, or a batch. `None` where there
    /// is nothing to say.
    pub(super) async fn answer(&self, text: &[u8], caller: &Caller) -> Option<Answer> {
        let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
        if first == Some(&b'[') {
            return self.answer_batch(text, caller).await;
        }
        let reply = match serde_json::from_slice::<&RawValue>(text) {
            Ok(request) => self.answer_one(request.get(), caller).await?,
            Err(_) => Reply::error(Id::Null, ErrorObject::from(RpcErrorCode::ParseError)),
        };
        Some(Answer {
            text: reply.json.get().to_owned(),
            memory: reply.memory.into_iter().collect(),
        })
    }

    async fn answer_batch(&self, text: &[u8], caller: &Caller) -> Option<Answer> {
        let refuse = |error: ErrorObjectOwned| {
            let text = Reply::error(Id::Null, error).json.get().to_owned();
            Some(Answer { text, memory: Vec::new() })
        };
        let Ok(requests) = serde_json::from_slice::<Vec<&RawValue>>(text) else {
            return refuse(ErrorObject::from(RpcErrorCode::ParseError));
        };
        if requests.is_empty() {
            return refuse(ErrorObject::from(RpcErrorCode::InvalidRequest));
        }
        if requests.len() > MAX_BATCH as usize {
            return refuse(reject_too_big_batch_request(MAX_BATCH as usize));
        }
        caller.pace.wait_for(requests.len() - 1).await;
        let mut texts: Vec<String> = Vec::new();
        let mut memory = Vec::new();
        for request in requests {
            let Some(reply) = self.answer_one(request.get(), caller).await else {
                continue;
            };
            texts.push(reply.json.get().to_owned());
            memory.extend(reply.memory);
        }
        if texts.is_empty() {
            return None;
        }
        Some(Answer { text: format!("[{}]", texts.join(",")), memory })
    }

    /// Answers one request. `None` for a notification, and where the answer went another way.
    async fn answer_one(&self, text: &str, caller: &Caller) -> Option<Reply> {
        let request = match serde_json::from_str::<Request<'_>>(text) {
            Ok(request) => request,
            // Nothing here has an effect that is worth having without an answer.
            Err(_) if is_notification(text) => return None,
            Err(_) => {
                let id =
                    serde_json::from_str::<InvalidRequest<'_>>(text).map_or(Id::Null, |r| r.id);
                return Some(Reply::error(id, ErrorObject::from(RpcErrorCode::InvalidRequest)));
            }
        };
        let Some((name, callback)) = self.methods.method_with_name(&request.method) else {
            self.metrics.unknown_method();
            return Some(Reply::error(request.id, ErrorObject::from(RpcErrorCode::MethodNotFound)));
        };
        let begun = Instant::now();
        let (reply, ok) = match self.budget.reserve(name).await {
            Some(memory) => {
                let id = request.id.clone().into_owned();
                let called = call(callback, request, caller.websocket.as_ref());
                match tokio::time::timeout(CALL_TIMEOUT, called).await {
                    Ok(response) => finish(id, response, memory),
                    Err(_) => (Some(Reply::error(id, timed_out())), false),
                }
            }
            None => (Some(Reply::error(request.id, busy())), false),
        };
        self.metrics.answered(name, ok, begun.elapsed());
        reply
    }
}

/// The reply that a response makes, and whether it is a success.
fn finish(id: Id<'_>, response: MethodResponse, mut memory: Reserved) -> (Option<Reply>, bool) {
    let ok = response.is_success();
    if response.is_subscription() {
        // It went through the connection's sink, ahead of the first notification.
        return (None, ok);
    }
    let json = response.into_json();
    if json.get().len() > MAX_RESPONSE_BYTES as usize {
        return (Some(Reply::error(id, too_large())), false);
    }
    memory.shrink_to(json.get().len());
    (Some(Reply { json, memory: Some(memory) }), ok)
}

async fn call(
    callback: &MethodCallback,
    request: Request<'_>,
    from: Option<&Connection>,
) -> MethodResponse {
    let Request { id, params, .. } = request;
    let params = Params::new(params.as_ref().map(|params| params.get()));
    let extensions = Extensions::new();
    let most = usize::MAX;
    let connection = from.map_or(ConnectionId(0), |connection| connection.id);
    match (callback, from) {
        (MethodCallback::Sync(run), _) => run(id, params, most, extensions),
        (MethodCallback::Async(run), _) => {
            run(id.into_owned(), params.into_owned(), connection, most, extensions).await
        }
        (MethodCallback::Unsubscription(run), _) => run(id, params, connection, most, extensions),
        (MethodCallback::Subscription(_), None) => {
            let problem = "subscriptions need a WebSocket connection";
            let error = ErrorObject::owned(METHOD_NOT_FOUND_CODE, problem, None::<()>);
            MethodResponse::error(id, error)
        }
        (MethodCallback::Subscription(run), Some(from)) => {
            let Some(permit) = from.subscriptions.acquire() else {
                return MethodResponse::error(
                    id,
                    reject_too_many_subscriptions(from.subscriptions.max()),
                );
            };
            let state = SubscriptionState {
                conn_id: connection,
                id_provider: &RandomIntegerIdProvider,
                subscription_permit: permit,
            };
            run(id, params, from.sink.clone(), state, extensions).await
        }
    }
}

fn is_notification(text: &str) -> bool {
    serde_json::from_str::<Notification<'_, Option<&RawValue>>>(text).is_ok()
        && serde_json::from_str::<InvalidRequest<'_>>(text).is_err()
}

fn busy() -> ApiError {
    ApiError::new(ErrorCode::Overloaded, "the node is busy with other answers: try again")
}

fn timed_out() -> ApiError {
    ApiError::new(ErrorCode::Unavailable, "the node did not answer in time: try again")
}

fn too_large() -> ApiError {
    ApiError::new(ErrorCode::InvalidParams, "the answer is too large: ask for less")
}

#[cfg(test)]
mod tests;
