//! Bytes that mean nothing, as many as a port takes.

use std::net::SocketAddr;
use std::time::Duration;

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};

use super::ATTACKER;

/// Written at one time.
const PIECE: usize = 64 * 1024;
/// Most bytes on one connection.
const PER_CONNECTION: u64 = 4 << 20;
/// A port that takes nothing for so long takes nothing more on this connection.
const PATIENCE: Duration = Duration::from_millis(500);
/// How connections begin: with what a port expects, so that what follows gets further.
const BEGINNINGS: [&[u8]; 6] = [
    b"",
    b"\x13/multistream/1.0.0\n",
    b"\x13/multistream/1.0.0\n\x07/noise\n",
    b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
      sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
];

/// Pours so many bytes into each port, over as many connections as that takes.
pub(super) async fn pour(ports: &[u16], bytes: u64, seed: u64) -> anyhow::Result<Value> {
    let mut dice = ChaCha20Rng::seed_from_u64(seed);
    let mut poured = Vec::new();
    for port in ports {
        let address = SocketAddr::from(([127, 0, 0, 1], *port));
        let (mut offered, mut taken, mut connections) = (0, 0, 0);
        while offered < bytes {
            let Ok(mut stream) = connect(address).await else {
                // Full of connections that it has not closed yet.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            connections += 1;
            let size = dice.random_range(1..=PER_CONNECTION.min(bytes - offered));
            offered += size;
            let beginning = BEGINNINGS[dice.random_range(0..BEGINNINGS.len())];
            taken += write(&mut stream, beginning, size, &mut dice).await;
        }
        poured.push(json!({
            "port": port, "connections": connections, "offered": offered, "taken": taken
        }));
    }
    Ok(Value::Array(poured))
}

async fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((ATTACKER, 0).into())?;
    socket.connect(address).await
}

/// Writes until all is written, or the other side has enough; returns what it took.
async fn write(stream: &mut TcpStream, beginning: &[u8], size: u64, dice: &mut ChaCha20Rng) -> u64 {
    let mut piece = vec![0; PIECE];
    let mut taken = 0;
    if stream.write_all(beginning).await.is_err() {
        return 0;
    }
    while taken < size {
        dice.fill_bytes(&mut piece);
        let part = &piece[..PIECE.min((size - taken) as usize)];
        match tokio::time::timeout(PATIENCE, stream.write(part)).await {
            Ok(Ok(written)) if written > 0 => taken += written as u64,
            _ => break,
        }
    }
    taken
}
