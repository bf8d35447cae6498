//! Bytes from people who do not speak the protocol.

use super::*;
use crate::testing::resident_kib;

const CASES: usize = 10_000;
const AT_ONCE: usize = 16;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_bytes_on_the_port_do_no_harm() {
    let mut nodes = connected(2).await;
    let port = nodes[0].network.addresses[0]
        .iter()
        .find_map(|part| if let Protocol::Tcp(port) = part { Some(port) } else { None })
        .unwrap();
    let before = resident_kib();
    let mut senders = tokio::task::JoinSet::new();
    for seed in 0..AT_ONCE {
        senders.spawn(async move {
            let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed as u64);
            for case in 0..CASES / AT_ONCE {
                let mut bytes = vec![0; rng.random_range(1..600)];
                rng.fill_bytes(&mut bytes);
                if case % 2 == 0 {
                    // The first words of a real peer, and garbage where Noise begins.
                    bytes.splice(0..0, b"\x13/multistream/1.0.0\n\x07/noise\n".iter().copied());
                }
                let mut socket = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                // The node may hang up before all is said.
                let _ = socket.write_all(&bytes).await;
                let _ = socket.shutdown().await;
            }
        });
    }
    while let Some(sender) = senders.join_next().await {
        sender.unwrap();
    }
    let refused = nodes[0].handle().refused_connections();
    let grown = resident_kib().saturating_sub(before);
    println!("{CASES} cases: {refused} connections refused, {grown} KiB grown");
    assert!(refused > 0);
    assert!(grown < 64 * 1024, "{grown} KiB more memory than before");

    nodes[1].send(0, &Note::new([1]));
    assert_eq!(nodes[0].receive(1).await, [(id(1), Note::new([1]))]);
}
