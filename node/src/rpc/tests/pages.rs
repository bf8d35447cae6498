//! What is not JSON-RPC: pages, hosts, limits of connections.

use std::time::{Duration, Instant};

use ::chain::types::Height;
use node_api::{ChainApiClient, TxApiClient as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::fixture::Fixture;

/// Sends a request as it stands and reads until the server closes: status and body.
pub(super) async fn raw(chain: &Fixture, request: &[u8]) -> (u16, String) {
    ask(TcpStream::connect(chain.server.address).await.unwrap(), request).await
}

async fn ask(mut stream: TcpStream, request: &[u8]) -> (u16, String) {
    // The server may close before it read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().ok();
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    (status, body.to_owned())
}

pub(super) async fn get(chain: &Fixture, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    raw(chain, request.as_bytes()).await
}

pub(super) async fn post(chain: &Fixture, headers: &str, body: &[u8]) -> (u16, String) {
    let mut request = format!(
        "POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    raw(chain, &request).await
}

const STATUS: &[u8] = br#"{"jsonrpc":"2.0","id":1,"method":"chain_status"}"#;
const JSON: &str = "content-type: application/json\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_there() {
    let mut chain = Fixture::start().await;
    chain.http().submit(chain.transfer(0, 1).1).await.unwrap();
    chain.make_block();
    assert_eq!(get(&chain, "/nowhere").await.0, 404);
    let (status, page) = get(&chain, "/").await;
    assert_eq!(status, 200);
    assert!(page.contains("chain_status") && page.contains("/health"), "{page}");
    let (status, metrics) = get(&chain, "/metrics").await;
    assert_eq!(status, 200);
    for line in [
        "consensus_height_final 0.0",
        "consensus_mode{mode=\"fast\"} 1",
        "consensus_mode{mode=\"pbft\"} 0",
        "pool_transactions 0",
        "p2p_peers 0",
        "storage_sync_seconds_count 0",
        "storage_memory_bytes{part=\"write-buffers\"} ",
        "storage_free_bytes ",
        "process_resident_memory_bytes ",
        "process_cpu_seconds_total ",
        "process_open_fds ",
        "process_max_fds ",
        "consensus_evidence_total 0",
        "execution_transactions_committed_total 1",
        "rpc_requests_total{method=\"tx_submit\",result=\"ok\"} 1",
        "# EOF",
    ] {
        let line = line.replace("consensus_height_final 0.0", "consensus_height_final 1");
        assert!(metrics.contains(&line), "{line} is missing in\n{metrics}");
    }
}

/// The board for Grafana asks for metrics that there are.
#[tokio::test(flavor = "multi_thread")]
async fn the_board_shows_metrics_of_a_node() {
    let chain = Fixture::start().await;
    // Calls are counted by their names, from the first one on.
    node_api::ChainApiClient::status(&chain.http()).await.unwrap();
    let (_, metrics) = get(&chain, "/metrics").await;
    let board = include_str!("../../../../docs/operations/grafana.json");
    let board: serde_json::Value = serde_json::from_str(board).unwrap();
    let mut found = 0;
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            // A metric is what stands before its labels.
            for before in expression.split('{').rev().skip(1) {
                let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
                let name = before.rsplit(|letter| !word(letter)).next().unwrap();
                // What Prometheus itself knows of each node.
                if name == "up" {
                    continue;
                }
                found += 1;
                let family = name.trim_end_matches("_total").trim_end_matches("_bucket");
                let line = format!("# TYPE {family} ");
                assert!(metrics.contains(&line), "{name} of {} is none", panel["title"]);
            }
        }
    }
    assert!(found > 20, "{found} metrics");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_what_is_wrong() {
    let mut chain = Fixture::start().await;
    chain.make_block();
    let (status, body) = get(&chain, "/health").await;
    let health: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &health["ok"]), (200, &true.into()), "{body}");
    assert_eq!(health["height_final"], 1);

    chain.peers.show_height(500);
    let (status, body) = get(&chain, "/health").await;
    assert_eq!(status, 503);
    assert!(body.contains("catching up: at height 1 of 500"), "{body}");
    chain.peers.show_height(1);

    chain.status.send_modify(|status| status.me = None);
    let (status, body) = get(&chain, "/health").await;
    assert_eq!(status, 503);
    assert!(body.contains("0 of 1 validators are reachable, 1 are needed"), "{body}");
    assert_eq!(chain.view.head().height, Height::new(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_those_who_may_are_answered() {
    let chain = Fixture::with(|config| config.allowed_hosts = vec!["node.example".into()]).await;
    let table = [
        ("host: localhost\r\n", 200),
        ("host: node.example\r\norigin: https://node.example\r\n", 200),
        ("host: evil.example\r\n", 403),
        ("host: localhost\r\norigin: https://evil.example\r\n", 403),
        ("", 403),
    ];
    for (headers, expected) in table {
        let (status, body) = post(&chain, &format!("{JSON}{headers}"), STATUS).await;
        assert_eq!(status, expected, "{headers:?}: {body}");
        let upgrade = format!(
            "GET / HTTP/1.1\r\n{headers}connection: upgrade, close\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        if expected == 403 {
            assert_eq!(raw(&chain, upgrade.as_bytes()).await.0, 403, "{headers:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_types_and_large_bodies_are_refused() {
    let chain = Fixture::start().await;
    let host = "host: localhost\r\n";
    for kind in ["", "content-type: text/plain\r\n", "content-type: application/jsonp\r\n"] {
        assert_eq!(post(&chain, &format!("{host}{kind}"), STATUS).await.0, 415, "{kind:?}");
    }
    let kind = "content-type: Application/JSON; charset=utf-8\r\n";
    assert_eq!(post(&chain, &format!("{host}{kind}"), STATUS).await.0, 200);
    let large = vec![b' '; 1024 * 1024 + 1];
    assert_eq!(post(&chain, &format!("{host}{JSON}"), &large).await.0, 413);
    let notification = br#"{"jsonrpc":"2.0","method":"chain_status"}"#;
    assert_eq!(post(&chain, &format!("{host}{JSON}"), notification).await, (204, String::new()));
}

/// A connection from another of this machine's own addresses.
async fn connect_from(chain: &Fixture, last: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, last], 0).into()).unwrap();
    socket.connect(chain.server.address).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_told_so_and_places_come_back() {
    let chain = Fixture::with(|config| config.max_connections = 4).await;
    let page = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let half = (chain.ws().await, chain.ws().await);
    assert_eq!(get(&chain, "/").await.0, 503, "one client has half of the places at most");
    assert_eq!(ask(connect_from(&chain, 2).await, page).await.0, 200);
    // Two that say nothing: a request on each shows that they were taken in.
    let mut silent = [connect_from(&chain, 3).await, connect_from(&chain, 4).await];
    for stream in &mut silent {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), b'H');
    }
    assert_eq!(ask(connect_from(&chain, 5).await, page).await.0, 503, "all places are taken");
    drop((half, silent));
    let again = async {
        while get(&chain, "/").await.0 != 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), again).await.expect("places come back");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_calls_too_fast_waits_on_every_way_and_others_do_not() {
    let chain = Fixture::with(|config| config.calls_per_second = 10).await;
    let page = b"GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let start = Instant::now();
    let client = chain.ws().await;
    for _ in 0..7 {
        ChainApiClient::status(&chain.http()).await.unwrap();
        ChainApiClient::status(&client).await.unwrap();
        ask(connect_from(&chain, 1).await, page).await;
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(1200), "22 calls, of which 10 at once: {took:?}");
    let metrics = get(&chain, "/metrics").await.1;
    assert!(!metrics.contains("rpc_calls_delayed_total 0"), "{metrics}");

    // The first is far behind now: the last of its calls waits for a second and more.
    let behind: Vec<_> = (0..15).map(|_| chain.http()).collect();
    let behind = futures::future::join_all(behind.iter().map(ChainApiClient::status));
    let other = async {
        for _ in 0..9 {
            ask(connect_from(&chain, 2).await, page).await;
        }
        Instant::now()
    };
    let first = async {
        behind.await;
        Instant::now()
    };
    let (other, first) = tokio::join!(other, first);
    assert!(other < first, "the other had to wait");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_closes_its_connections_and_its_port() {
    let chain = Fixture::start().await;
    let client = chain.ws().await;
    let address = chain.server.address;
    tokio::time::timeout(Duration::from_secs(10), chain.server.stop()).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    tokio::time::timeout(Duration::from_secs(10), client.on_disconnect()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_serves_no_more_is_noticed_and_can_still_be_stopped() {
    let mut chain = Fixture::start().await;
    chain.server.serving.abort();
    chain.server.failed().await;
    chain.server.stop().await;

    let mut chain = Fixture::start().await;
    chain.server.followers.abort_all();
    chain.server.failed().await;
    chain.server.stop().await;
}
