//! The node that a command talks to.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chain::governance::ProposalId;
use chain::transaction::SignedTransaction;
use chain::types::{Address, Digest};
use jsonrpsee::core::ClientError;
use jsonrpsee::core::client::Subscription;
use jsonrpsee::http_client::{HeaderMap, HeaderValue, HttpClient, HttpClientBuilder};
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use node_api::account::Account;
use node_api::block::{Block, BlockEvent, BlockRef, BlockStatus, Detail};
use node_api::chain::{ChainStatus, ValidatorList};
use node_api::consensus::ConsensusState;
use node_api::governance::{GovernanceParameters, ProposalFilter, ProposalInfo, ProposalList};
use node_api::kv::{Cursor, KvEvent, KvNamespace, KvPage, KvValue, ReadLevel};
use node_api::limits::{MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES};
use node_api::proof::Subject;
use node_api::transaction::TxStatus;
use node_api::tx::{Submitted, Wait};
use node_api::{
    AccountApiClient, ChainApiClient, ConsensusApiClient, GovernanceApiClient, HexBytes,
    KvApiClient, ProofApiClient, TxApiClient,
};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::args::Global;
use crate::failure::{Failure, Kind, Outcome};
use crate::passwords;

/// Where a node listens that was started by hand.
const DEFAULT_URL: &str = "http://127.0.0.1:26657";
/// How long a node may take to take the call.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a node may take to answer.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long one call may ask a node to wait. Below [`CALL_TIMEOUT`].
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A node, by the address of its JSON-RPC.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) url: String,
    client: HttpClient,
    /// What opens the node's port, where that wants a token.
    headers: HeaderMap,
    /// Opens namespaces that are not open to everybody.
    token: Option<HexBytes>,
}

impl Node {
    /// The node of `--rpc`, or the default one. Does not call it yet.
    pub(crate) fn choose(global: &Global) -> Outcome<Self> {
        let url = match &global.rpc {
            Some(url) => url.clone(),
            None => last_testnet().unwrap_or_else(|| DEFAULT_URL.to_owned()),
        };
        let headers = authorization(global.rpc_token_file.as_deref(), &url)?;
        let client = HttpClientBuilder::default()
            .set_headers(headers.clone())
            .max_request_size(MAX_REQUEST_BYTES)
            .max_response_size(MAX_RESPONSE_BYTES)
            .connect_timeout(CONNECT_TIMEOUT)
            .request_timeout(CALL_TIMEOUT)
            .build(&url)
            .map_err(|error| Failure::bad_arguments(format!("{url}: {error}")))?;
        Ok(Self { url, client, headers, token: None })
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, ClientError>>) -> Outcome<T> {
        call.await.map_err(|error| Failure::from_call(&error, &self.url))
    }

    /// Shows a token with every read from now on.
    pub(crate) fn show_token(&mut self, token: HexBytes) {
        self.token = Some(token);
    }

    pub(crate) async fn status(&self) -> Outcome<ChainStatus> {
        self.call(ChainApiClient::status(&self.client)).await
    }

    pub(crate) async fn validators(&self) -> Outcome<ValidatorList> {
        self.call(ChainApiClient::validators(&self.client, None)).await
    }

    pub(crate) async fn block(&self, block: BlockRef) -> Outcome<Block> {
        self.call(ChainApiClient::block(&self.client, block, Some(Detail::Full))).await
    }

    pub(crate) async fn consensus(&self) -> Outcome<ConsensusState> {
        self.call(ConsensusApiClient::state(&self.client)).await
    }

    pub(crate) async fn account(&self, address: Address) -> Outcome<Account> {
        self.call(AccountApiClient::get(&self.client, address)).await
    }

    pub(crate) async fn proposals(&self, filter: Option<ProposalFilter>) -> Outcome<ProposalList> {
        self.call(GovernanceApiClient::proposals(&self.client, filter)).await
    }

    pub(crate) async fn proposal(&self, id: ProposalId) -> Outcome<ProposalInfo> {
        self.call(GovernanceApiClient::proposal(&self.client, id)).await
    }

    pub(crate) async fn parameters(&self) -> Outcome<GovernanceParameters> {
        self.call(GovernanceApiClient::parameters(&self.client)).await
    }

    pub(crate) async fn kv_get(&self, key: &[u8], level: ReadLevel) -> Outcome<KvValue> {
        let (key, token) = (HexBytes(key.to_vec()), self.token.clone());
        self.call(KvApiClient::get(&self.client, key, Some(level), token)).await
    }

    pub(crate) async fn kv_scan(
        &self,
        prefix: &[u8],
        start: Option<HexBytes>,
        limit: u32,
        level: ReadLevel,
    ) -> Outcome<KvPage> {
        let (prefix, token) = (HexBytes(prefix.to_vec()), self.token.clone());
        let (limit, level) = (Some(limit), Some(level));
        self.call(KvApiClient::scan(&self.client, prefix, start, limit, level, token)).await
    }

    pub(crate) async fn kv_namespace(&self, name: &str) -> Outcome<KvNamespace> {
        let name = HexBytes(name.as_bytes().to_vec());
        self.call(KvApiClient::namespace(&self.client, name)).await
    }

    /// Changes of keys as they come, over a connection of their own.
    pub(crate) async fn kv_watch(
        &self,
        prefix: &[u8],
        from: Option<Cursor>,
    ) -> Outcome<(WsClient, Subscription<KvEvent>)> {
        let client = self.connect().await?;
        let (prefix, token) = (HexBytes(prefix.to_vec()), self.token.clone());
        let changes = KvApiClient::subscribe_changes(&client, prefix, from, token);
        let changes = self.call(changes).await?;
        Ok((client, changes))
    }

    /// The text of a proof file. Says nothing of whether the proof holds.
    pub(crate) async fn proof(&self, subject: Subject) -> Outcome<String> {
        Ok(self.call(ProofApiClient::get(&self.client, subject, self.token.clone())).await?.file)
    }

    pub(crate) async fn submit(&self, transaction: &SignedTransaction) -> Outcome<Submitted> {
        let bytes = HexBytes(chain::codec::encode(transaction));
        self.call(TxApiClient::submit(&self.client, bytes)).await
    }

    /// The fate of a transaction, asked with some patience: at most [`LONGEST_WAIT`].
    pub(crate) async fn tx_status(
        &self,
        hash: Digest,
        wait: Option<(Wait, Duration)>,
    ) -> Outcome<TxStatus> {
        let (wait, timeout) = wait.unzip();
        let timeout_ms = timeout.map(|timeout| timeout.min(LONGEST_WAIT).as_millis() as u64);
        self.call(TxApiClient::status(&self.client, hash, wait, timeout_ms)).await
    }

    /// A connection that notifications come over.
    async fn connect(&self) -> Outcome<WsClient> {
        let url = self.url.replacen("http", "ws", 1);
        let connect = WsClientBuilder::default()
            .set_headers(self.headers.clone())
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(CALL_TIMEOUT)
            .build(&url);
        self.call(connect).await
    }

    /// Blocks as they come, over a connection of their own.
    pub(crate) async fn watch(
        &self,
        status: BlockStatus,
    ) -> Outcome<(WsClient, Subscription<BlockEvent>)> {
        let client = self.connect().await?;
        let blocks =
            self.call(ChainApiClient::subscribe_blocks(&client, Some(status), None)).await?;
        Ok((client, blocks))
    }

    /// What to say when a connection ends that should not.
    pub(crate) fn lost(&self) -> Failure {
        Failure::new(Kind::Unreachable, format!("the node at {} closed the connection", self.url))
    }
}

/// The header that shows the token in a file. A token never travels in the clear to another machine.
fn authorization(file: Option<&Path>, url: &str) -> Outcome<HeaderMap> {
    let mut headers = HeaderMap::new();
    let Some(file) = file else { return Ok(headers) };
    let local = ["http://127.", "http://localhost", "http://[::1]"];
    if !url.starts_with("https://") && !local.iter().any(|start| url.starts_with(start)) {
        return Err(Failure::bad_arguments(format!(
            "{url}: a token is shown over https:// only, or on this machine"
        )));
    }
    let token = passwords::from_file(file, "token file")?;
    let text = Zeroizing::new(format!("Bearer {}", token.trim()));
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| Failure::bad_arguments(format!("{}: not a token", file.display())))?;
    value.set_sensitive(true);
    headers.insert("authorization", value);
    Ok(headers)
}

/// As much of `testnet.json` as is needed to find a node.
#[derive(Deserialize)]
struct Testnet {
    nodes: Vec<TestnetNode>,
}

#[derive(Deserialize)]
struct TestnetNode {
    rpc_port: u16,
}

/// More than any `testnet.json` has.
const MAX_TESTNET_BYTES: u64 = 1024 * 1024;

/// A node that listens, of the testnet started last on this machine.
fn last_testnet() -> Option<String> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let state = match variable("XDG_STATE_HOME") {
        Some(state) => PathBuf::from(state).join("catamaran"),
        None => PathBuf::from(variable("HOME")?).join(".catamaran"),
    };
    let read = |path: &Path| {
        let bytes = genesis::files::read(path, MAX_TESTNET_BYTES).ok()?;
        String::from_utf8(bytes).ok()
    };
    let directory = read(&state.join("last-testnet"))?;
    let manifest = read(&Path::new(directory.trim_end()).join("testnet.json"))?;
    let testnet: Testnet = serde_json::from_str(&manifest).ok()?;
    let listens = |node: &&TestnetNode| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, node.rpc_port));
        TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
    };
    let node = testnet.nodes.iter().find(listens)?;
    Some(format!("http://127.0.0.1:{}", node.rpc_port))
}
