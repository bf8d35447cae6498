//! Namespace `rpc`: the interface describes itself.

use jsonrpsee::core::RpcResult;
use jsonrpsee::proc_macros::rpc;
use serde_json::Value;

#[rpc(server, client, namespace = "rpc")]
pub trait RpcApi {
    /// The OpenRPC document of this interface.
    #[method(name = "discover")]
    async fn discover(&self) -> RpcResult<Value>;
}
