//! Connections that never finish what they say.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use super::ATTACKER;

/// How long they are held.
const HELD: Duration = Duration::from_secs(4);
/// Pause between two bytes of each.
const PAUSE: Duration = Duration::from_secs(1);

/// Opens so many, and says a byte a second on each.
pub(super) async fn hold(port: u16, sockets: usize) -> anyhow::Result<Value> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut open = Vec::with_capacity(sockets);
    for number in 0..sockets {
        let socket = TcpSocket::new_v4()
            .context("too many open files: raise `ulimit -n` for so many sockets")?;
        socket.bind((ATTACKER, 0).into())?;
        let mut stream = socket.connect(address).await.context("the node takes no connection")?;
        // Who is refused is hung up on.
        let _ =
            stream.write_all(if number % 2 == 0 { b"POST / HTTP/1.1\r\nx: " } else { b"G" }).await;
        open.push(stream);
    }
    let end = tokio::time::Instant::now() + HELD;
    while tokio::time::Instant::now() < end {
        for stream in &mut open {
            let _ = stream.try_write(b"a");
        }
        tokio::time::sleep(PAUSE).await;
    }
    let held = open.iter().filter(|stream| is_open(stream)).count();
    Ok(json!({ "sockets": sockets, "held_at_the_end": held }))
}

/// Whether the node has not hung up.
fn is_open(stream: &TcpStream) -> bool {
    let mut byte = [0];
    matches!(stream.try_read(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}
