//! Calls of the page that are passed on to a node: those that change nothing.

use std::time::Duration;

use jsonrpsee::core::ClientError;
use jsonrpsee::core::client::ClientT as _;
use jsonrpsee::core::traits::ToRpcParams;
use jsonrpsee::http_client::HttpClientBuilder;
use node_api::limits::MAX_REQUEST_BYTES;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::stage::Member;

/// The methods that pages may call.
const METHODS: [&str; 15] = [
    "chain_status",
    "chain_block",
    "chain_validators",
    "chain_evidence",
    "tx_status",
    "account_get",
    "kv_get",
    "kv_scan",
    "kv_namespace",
    "governance_proposals",
    "governance_proposal",
    "governance_parameters",
    "proof_get",
    "consensus_state",
    "rpc_discover",
];
/// Calls at one time.
const AT_ONCE: usize = 8;
/// How long a node may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Largest answer, in bytes.
const MAX_ANSWER: u32 = 8 * 1024 * 1024;

/// A call of the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    node: usize,
    method: String,
    #[serde(default)]
    params: Option<Box<RawValue>>,
}

/// A call without a result.
#[derive(Debug)]
pub(super) enum ProxyError {
    /// It is not passed on.
    Refused(String),
    Busy,
    /// What the node said, or that it said nothing.
    Node(Value),
}

/// Passes calls on.
#[derive(Debug)]
pub(super) struct Proxy(Semaphore);

impl Default for Proxy {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

/// Parameters as the page wrote them.
struct Params(Option<Box<RawValue>>);

impl ToRpcParams for Params {
    fn to_rpc_params(self) -> Result<Option<Box<RawValue>>, serde_json::Error> {
        Ok(self.0)
    }
}

impl Proxy {
    /// Passes a call on to its node.
    ///
    /// # Errors
    /// [`ProxyError`].
    pub(super) async fn pass(&self, members: &[Member], call: Call) -> Result<Value, ProxyError> {
        let Call { node, method, params } = call;
        if !METHODS.contains(&method.as_str()) {
            let methods = METHODS.join(", ");
            return Err(ProxyError::Refused(format!("{method:?} is none of {methods}")));
        }
        let Some(member) = members.iter().find(|member| member.id == node) else {
            return Err(ProxyError::Refused(format!("there is no node {node}")));
        };
        if !member.is_responsive() {
            let state = if member.paused { "is paused" } else { "does not run" };
            return Err(ProxyError::Node(json!({ "message": format!("node {node} {state}") })));
        }
        let _place = self.0.try_acquire().map_err(|_| ProxyError::Busy)?;
        let silent = |error: ClientError| json!({ "message": format!("node {node}: {error}") });
        let client = HttpClientBuilder::default()
            .request_timeout(PATIENCE)
            .max_request_size(MAX_REQUEST_BYTES)
            .max_response_size(MAX_ANSWER)
            .build(&member.rpc)
            .map_err(|error| ProxyError::Node(silent(error)))?;
        // Methods without parameters are called with none.
        let params = Params(params.filter(|params| params.get() != "null"));
        client.request::<Value, _>(&method, params).await.map_err(|error| {
            ProxyError::Node(match error {
                ClientError::Call(error) => json!({
                    "code": error.code(),
                    "message": error.message(),
                    "data": error.data(),
                }),
                error => silent(error),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_methods_exist_and_change_nothing() {
        let known: BTreeSet<String> = node_api::openrpc::method_names().into_iter().collect();
        for method in METHODS {
            assert!(known.contains(method), "{method}");
            assert!(!method.contains("submit") && !method.contains("subscribe"), "{method}");
        }
    }
}
