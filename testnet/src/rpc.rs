//! Clients of the nodes' JSON-RPC.

use std::time::Duration;

use anyhow::Context;
use jsonrpsee::http_client::{HttpClient, HttpClientBuilder};
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use node_api::limits::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};

use crate::cluster::manifest::NodeEntry;

/// How long a node may take over an ordinary call.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A client for single calls.
///
/// # Errors
/// Where the node's address is not one.
pub fn http(node: &NodeEntry, patience: Duration) -> anyhow::Result<HttpClient> {
    http_at(&node.rpc(), patience).with_context(|| format!("cannot talk to node {}", node.id))
}

/// A client for single calls of any node.
///
/// # Errors
/// Where the address is none.
pub fn http_at(address: &str, patience: Duration) -> anyhow::Result<HttpClient> {
    HttpClientBuilder::default()
        .request_timeout(patience)
        .max_request_size(MAX_REQUEST_BYTES)
        .max_response_size(MAX_RESPONSE_BYTES)
        .build(address)
        .with_context(|| format!("{address} is no address of a node"))
}

/// A connection for many calls and for subscriptions.
///
/// # Errors
/// Where the node does not answer.
pub async fn websocket(node: &NodeEntry) -> anyhow::Result<WsClient> {
    websocket_at(&node.rpc()).await
}

/// A connection to any node, by the base address of its JSON-RPC.
///
/// # Errors
/// Where the node does not answer.
pub async fn websocket_at(address: &str) -> anyhow::Result<WsClient> {
    WsClientBuilder::default()
        .connection_timeout(Duration::from_secs(2))
        .request_timeout(PATIENCE)
        .max_request_size(MAX_REQUEST_BYTES)
        .max_response_size(MAX_RESPONSE_BYTES)
        .max_concurrent_requests(1024)
        .max_buffer_capacity_per_subscription(4096)
        // http becomes ws, https wss.
        .build(address.replacen("http", "ws", 1))
        .await
        .with_context(|| format!("no node answers on {address}"))
}
