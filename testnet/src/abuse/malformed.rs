//! Requests that are nearly right, by the thousand.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, bail};
use fuzz::Inputs;
use fuzz::corpus::Form;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use super::ATTACKER;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Connections that send at one time.
const CONNECTIONS: u64 = 4;
/// Longest head of an answer, in bytes.
const MAX_HEAD: u64 = 16 * 1024;

/// Calls that are right.
const CALLS: [&str; 8] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"chain_status","params":[]}"#,
    r#"{"jsonrpc":"2.0","id":"a","method":"chain_block","params":["latest","full"]}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"tx_submit","params":{"transaction":"00ff"}}"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"kv_scan","params":["61",null,7]}"#,
    r#"{"jsonrpc":"2.0","id":4,"method":"tx_submit_batch","params":[["00","01"]]}"#,
    r#"[{"jsonrpc":"2.0","id":5,"method":"rpc_discover"},{"jsonrpc":"2.0","method":"x"}]"#,
    r#"{"jsonrpc":"2.0","id":6,"method":"governance_proposals","params":[{}]}"#,
    r#"{"jsonrpc":"2.0","id":7,"method":"chain_validators","params":[18446744073709551615]}"#,
];

/// Sends so many mutated calls; every one must have an answer of the specification, or none.
pub(super) async fn send(port: u16, requests: u64, seed: u64) -> anyhow::Result<Value> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let each = requests.div_ceil(CONNECTIONS);
    let senders = (0..CONNECTIONS).map(|number| send_some(address, each, seed ^ number << 32));
    let answers = futures::future::try_join_all(senders).await?;
    let (sent, refused) = answers.iter().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    Ok(json!({ "requests": sent, "refused": refused }))
}

/// Returns how many were sent, and how many answers were errors.
async fn send_some(address: SocketAddr, requests: u64, seed: u64) -> anyhow::Result<(u64, u64)> {
    let samples = CALLS.iter().map(|call| call.as_bytes().to_vec());
    let mut inputs = Inputs::new(Form::Json, samples, seed);
    let mut stream = connect(address).await?;
    let mut refused = 0;
    for number in 0..requests {
        let body = inputs.next_input();
        let head = format!(
            "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: \
             {}\r\n\r\n",
            body.len()
        );
        let exchange = async {
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(&body).await?;
            answer(&mut stream).await
        };
        let what = || format!("request {number}: {:?}", String::from_utf8_lossy(&body));
        let answer = tokio::time::timeout(PATIENCE, exchange).await.with_context(what)?;
        let (status, text) = answer.with_context(what)?;
        match status {
            204 => {}
            200 => refused += u64::from(check(&text).with_context(what)?),
            413 => stream = connect(address).await?,
            other => bail!("{}: HTTP status {other}", what()),
        }
    }
    Ok((requests, refused))
}

async fn connect(address: SocketAddr) -> anyhow::Result<BufReader<TcpStream>> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((ATTACKER, 0).into())?;
    // A body waits for no acknowledgement of its head.
    socket.set_nodelay(true)?;
    Ok(BufReader::new(socket.connect(address).await.context("the node takes no connection")?))
}

/// Status and body of an answer.
async fn answer(stream: &mut BufReader<TcpStream>) -> anyhow::Result<(u16, Vec<u8>)> {
    let (mut status, mut length, mut chunked) = (None, None, false);
    let mut limited = (&mut *stream).take(MAX_HEAD);
    loop {
        let mut line = String::new();
        limited.read_line(&mut line).await?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        match line.split_once(':') {
            None => status = line.split(' ').nth(1).and_then(|code| code.parse().ok()),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().ok();
            }
            Some((name, _)) if name.eq_ignore_ascii_case("transfer-encoding") => chunked = true,
            Some(_) => {}
        }
    }
    let status = status.context("no HTTP answer")?;
    if chunked {
        return Ok((status, chunks(stream).await?));
    }
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok((status, body))
}

async fn chunks(stream: &mut BufReader<TcpStream>) -> anyhow::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let length = usize::from_str_radix(line.trim(), 16).context("no length of a chunk")?;
        let start = body.len();
        body.resize(start + length + 2, 0);
        stream.read_exact(&mut body[start..]).await?;
        body.truncate(start + length);
        if length == 0 {
            return Ok(body);
        }
    }
}

/// Whether an answer is an error of the specification; fails where it is neither that nor a result.
fn check(text: &[u8]) -> anyhow::Result<bool> {
    let answer: Value = serde_json::from_slice(text)?;
    let answers = answer.as_array().cloned().unwrap_or_else(|| vec![answer.clone()]);
    let mut refused = false;
    for answer in answers {
        let code = answer.get("error").map(|error| error["code"].as_i64().unwrap_or_default());
        let known = |code: i64| {
            [-32700, -32600, -32601, -32602].contains(&code) || (-32099..=-32000).contains(&code)
        };
        let good = match code {
            Some(code) => known(code),
            None => answer.get("result").is_some(),
        };
        if answer["jsonrpc"] != "2.0" || !good {
            bail!("an answer that the specification does not know: {answer}");
        }
        refused |= code.is_some();
    }
    Ok(refused)
}
