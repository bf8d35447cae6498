//! A flood of nonsense, in a process of its own: only there its memory can be told.

use std::process::Command;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use node_api::{HexBytes, TxApiClient as _};
use rand::rngs::StdRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use super::fixture::Fixture;
use crate::testing::resident_kib;

const SEED: u64 = 0x0ca7_a3a2;
/// Bodies over HTTP, and as many messages over WebSocket.
const CASES: usize = 10_000;
/// Byte strings on the bare port.
const BARE: usize = 1000;
/// Memory may grow by so much, in KiB: far less than the answers may take that wait to be read,
/// since every one is read here.
const MAX_GROWTH: u64 = 32 * 1024;
/// Set in the process that is flooded.
const FLOODED: &str = "NODE_TEST_FLOODED";
const NAME: &str =
    "rpc::tests::malformed::ten_thousand_pieces_of_nonsense_are_answered_by_the_specification";

/// Requests that are nearly right.
const VALID: [&str; 8] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"chain_status","params":[]}"#,
    r#"{"jsonrpc":"2.0","id":"a","method":"chain_block","params":["latest","full"]}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"tx_submit","params":{"transaction":"00ff"}}"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"kv_scan","params":["61",null,7]}"#,
    r#"{"jsonrpc":"2.0","id":4,"method":"tx_submit_batch","params":[["00","01","zz"]]}"#,
    r#"[{"jsonrpc":"2.0","id":5,"method":"rpc_discover"},{"jsonrpc":"2.0","method":"x"}]"#,
    r#"{"jsonrpc":"2.0","id":6,"method":"account_get","params":["cat1qqqqqqqqqqqqqqqqqqq"]}"#,
    r#"{"jsonrpc":"2.0","id":7,"method":"chain_validators","params":[18446744073709551615]}"#,
];

fn nonsense(random: &mut StdRng) -> Vec<u8> {
    let mut bytes = match random.random_range(0..4) {
        0 => {
            let mut bytes = vec![0; random.random_range(0..400)];
            random.fill_bytes(&mut bytes);
            return bytes;
        }
        1 => {
            // Deep nesting, and pieces of JSON in any order.
            let pieces = ["[", "{", "\"id\":", "1e999", "null", "\"\\ud800\"", ",", "}", "]"];
            let count = random.random_range(1..300);
            return (0..count)
                .flat_map(|_| pieces[random.random_range(0..pieces.len())].bytes())
                .collect();
        }
        _ => VALID[random.random_range(0..VALID.len())].as_bytes().to_vec(),
    };
    for _ in 0..random.random_range(1..6) {
        if bytes.is_empty() {
            break;
        }
        let place = random.random_range(0..bytes.len());
        match random.random_range(0..3) {
            0 => bytes[place] = random.random(),
            1 => drop(bytes.remove(place)),
            _ => bytes.truncate(place.max(1)),
        }
    }
    bytes
}

/// Every answer is one that the specification knows.
fn check(answer: &[u8], case: &[u8]) -> usize {
    let case = String::from_utf8_lossy(case);
    let answer: Value = serde_json::from_slice(answer).unwrap_or_else(|e| panic!("{case}: {e}"));
    let answers = match &answer {
        Value::Array(answers) => answers.clone(),
        one => vec![one.clone()],
    };
    let mut errors = 0;
    for answer in answers {
        assert_eq!(answer["jsonrpc"], "2.0", "{case}: {answer}");
        assert!(answer.get("id").is_some(), "{case}: {answer}");
        if let Some(error) = answer.get("error") {
            errors += 1;
            let code = error["code"].as_i64().unwrap();
            let known = [-32700, -32600, -32601, -32602].contains(&code)
                || (-32099..=-32000).contains(&code);
            assert!(known, "{case}: {answer}");
            assert!(error["message"].is_string(), "{case}: {answer}");
        } else {
            assert!(answer.get("result").is_some(), "{case}: {answer}");
        }
    }
    errors
}

#[test]
fn ten_thousand_pieces_of_nonsense_are_answered_by_the_specification() {
    if std::env::var_os(FLOODED).is_some() {
        return tokio::runtime::Runtime::new().unwrap().block_on(flood());
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    let output = alone.args([NAME, "--exact", "--nocapture"]).env(FLOODED, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("KiB grown"), "the flood did not take place: {said}");
}

async fn flood() {
    let chain = Fixture::start().await;
    let mut random = StdRng::seed_from_u64(SEED);
    // Whatever is made once, for the first ones, is no growth.
    by_http(&chain, &mut random, CASES / 10).await;
    by_websocket(&chain, &mut random, CASES / 10).await;
    let before = resident_kib();

    let mut errors = by_http(&chain, &mut random, CASES).await;
    let (answers, by_websocket) = by_websocket(&chain, &mut random, CASES).await;
    errors += by_websocket;
    for _ in 0..BARE {
        let bytes = nonsense(&mut random);
        let mut stream = TcpStream::connect(chain.server.address).await.unwrap();
        // The server may hang up before it has everything.
        let _ = stream.write_all(&bytes).await;
    }

    let grown = resident_kib().saturating_sub(before);
    println!(
        "sent {CASES} by HTTP, {CASES} by WebSocket ({answers} answers), {BARE} on the bare port: \
         {errors} errors, {grown} KiB grown"
    );
    assert!(errors > CASES, "{errors} errors: the flood is not malformed enough");
    assert!(grown < MAX_GROWTH, "{grown} KiB more memory than before");
    let client = chain.http();
    assert_eq!(client.status_of().await, 0, "the node is as it was");
    let (hash, bytes) = chain.transfer(0, 1);
    assert_eq!(client.submit(bytes).await.unwrap().hash, hash);
    assert!(client.submit(HexBytes(vec![0; 10])).await.is_err());
}

/// Sends bodies on one connection; returns how many errors came back.
async fn by_http(chain: &Fixture, random: &mut StdRng, cases: usize) -> usize {
    let mut errors = 0;
    let mut stream = TcpStream::connect(chain.server.address).await.unwrap();
    for _ in 0..cases {
        let body = nonsense(random);
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        let (status, answer) = read_answer(&mut stream).await;
        match status {
            200 => errors += check(&answer, &body),
            204 => assert!(answer.is_empty()),
            other => panic!("{other} for {}", String::from_utf8_lossy(&body)),
        }
    }
    errors
}

/// Sends messages on one connection; returns how many answers and how many errors came back.
async fn by_websocket(chain: &Fixture, random: &mut StdRng, cases: usize) -> (usize, usize) {
    let (mut answers, mut errors) = (0, 0);
    let url = format!("ws://{}/", chain.server.address);
    let stream = TcpStream::connect(chain.server.address).await.unwrap();
    // A message right behind another would wait for the first one's acknowledgement.
    stream.set_nodelay(true).unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    for number in 0..cases {
        let text = nonsense(random);
        socket.send(Message::binary(text.clone())).await.unwrap();
        // A question that is surely answered marks the end of what this one brought about.
        let mark = format!(r#"{{"jsonrpc":"2.0","id":"mark{number}","method":"consensus_state"}}"#);
        socket.send(Message::text(mark)).await.unwrap();
        loop {
            let message = tokio::time::timeout(Duration::from_secs(10), socket.next()).await;
            let message = message.expect("answered").expect("open").expect("readable");
            if !message.is_text() {
                continue;
            }
            let answer = message.into_text().unwrap();
            if answer.contains(&format!("mark{number}")) {
                break;
            }
            errors += check(answer.as_bytes(), &text);
            answers += 1;
        }
    }
    (answers, errors)
}

/// The final height.
trait StatusOf {
    async fn status_of(&self) -> u64;
}

impl StatusOf for jsonrpsee::http_client::HttpClient {
    async fn status_of(&self) -> u64 {
        node_api::ChainApiClient::status(self).await.unwrap().height_final.get()
    }
}

/// Reads one answer from a connection that stays open.
async fn read_answer(stream: &mut TcpStream) -> (u16, Vec<u8>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or(0)];
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        body = read_chunks(stream).await;
    } else {
        stream.read_exact(&mut body).await.unwrap();
    }
    (status, body)
}

async fn read_chunks(stream: &mut TcpStream) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(stream.read_u8().await.unwrap());
        }
        let length = usize::from_str_radix(String::from_utf8(line).unwrap().trim(), 16).unwrap();
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk).await.unwrap();
        body.extend_from_slice(&chunk[..length]);
        if length == 0 {
            return body;
        }
    }
}
