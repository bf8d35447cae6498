//! A flood of nonsense.

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

const SEED: u64 = 0x0ca7_a3a2;
/// Bodies over HTTP, messages over WebSocket, byte strings on the bare port.
const CASES: [usize; 3] = [6000, 3000, 1000];

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

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_pieces_of_nonsense_are_answered_by_the_specification() {
    let chain = Fixture::start().await;
    let mut random = StdRng::seed_from_u64(SEED);
    let mut errors = 0;

    let mut stream = TcpStream::connect(chain.server.address).await.unwrap();
    for _ in 0..CASES[0] {
        let body = nonsense(&mut random);
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        let (status, answer) = read_answer(&mut stream).await;
        match status {
            200 => errors += check(&answer, &body),
            204 => assert!(answer.is_empty()),
            other => panic!("{other} for {}", String::from_utf8_lossy(&body)),
        }
    }

    let mut answered = 0;
    let url = format!("ws://{}/", chain.server.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    for number in 0..CASES[1] {
        let text = nonsense(&mut random);
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
            answered += 1;
        }
    }

    for _ in 0..CASES[2] {
        let bytes = nonsense(&mut random);
        let mut stream = TcpStream::connect(chain.server.address).await.unwrap();
        // The server may hang up before it has everything.
        let _ = stream.write_all(&bytes).await;
    }

    println!(
        "{} cases, {errors} errors, {answered} answers by WebSocket",
        CASES.iter().sum::<usize>()
    );
    assert!(errors > 5000, "{errors} errors: the flood is not malformed enough");
    let client = chain.http();
    assert_eq!(client.status_of().await, 0, "the node is as it was");
    let (hash, bytes) = chain.transfer(0, 1);
    assert_eq!(client.submit(bytes).await.unwrap().hash, hash);
    assert!(client.submit(HexBytes(vec![0; 10])).await.is_err());
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
