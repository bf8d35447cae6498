//! What a stack of calls is about.

/// Subjects, each with parts of the names of functions that are about it. The innermost frame that is
/// about something decides: copying memory within RocksDB is RocksDB.
pub(super) struct Subjects {
    first: &'static [Subject],
    /// Where no frame is about any of those.
    then: &'static [Subject],
}

type Subject = (&'static str, &'static [&'static str]);

const REST: &str = "everything else";

/// Of validators.
pub(super) const VALIDATORS: Subjects = Subjects {
    first: &[
        (
            "signatures: checking and making",
            &["ed25519", "curve25519", "crypto::Ed25519", "verify_batch"],
        ),
        ("hashing", &["sha2::", "sha256", "merkle", "ct_merkle"]),
        ("encrypting links", &["snow::", "chacha", "poly1305", "libp2p_noise"]),
        (
            "storage: RocksDB and the file system",
            &["rocksdb", "LZ4", "ext4", "jbd2", "fdatasync", "blk_"],
        ),
        (
            "sockets of the kernel",
            &["tcp_", "sock_", "inet_", "skb_", "ip_", "loopback", "epoll", "net_rx"],
        ),
        (
            "links and gossip: libp2p",
            &["libp2p", "yamux", "multistream", "gossipsub", "node::network"],
        ),
        (
            "JSON-RPC",
            &[
                "jsonrpsee",
                "serde_json",
                "hyper",
                "axum",
                "tungstenite",
                "node::rpc",
                "node_api",
                "hex::",
            ],
        ),
        (
            "execution and state",
            &["chain::execute", "chain::state", "chain::ledger", "imbl", "node::application"],
        ),
        ("pool", &["mempool", "node::pool"]),
        ("encoding and decoding", &["bincode", "chain::codec"]),
        ("engine and driver", &["consensus::"]),
    ],
    then: &[
        (
            "tasks, threads, waking and waiting",
            &["tokio", "futex", "sched", "crossbeam", "mio::", "std::thread", "syscall"],
        ),
        ("memory", &["malloc", "free", "mem", "alloc", "page_fault"]),
    ],
};

/// Of engines in process.
pub(super) const IN_PROCESS: Subjects = Subjects {
    first: &[
        ("signatures: checking and making", &["ed25519", "curve25519"]),
        ("hashing", &["sha2::", "sha256", "merkle", "crypto::Hasher"]),
        (
            "memory: taking, copying and giving back",
            &[
                "malloc",
                "int_free",
                "cfree",
                "unlink_chunk",
                "realloc",
                "memmove",
                "memcpy",
                "memset",
                "page_fault",
                "madvise",
                "munmap",
                "brk",
            ],
        ),
        ("encoding and decoding", &["bincode", "chain::codec"]),
        ("the tree of blocks", &["consensus::tree"]),
        ("the driver's turns", &["consensus::driver"]),
        ("the engine's rules", &["consensus::"]),
        ("the harness: making operations, carrying messages", &["consensus_sim", "bench::"]),
    ],
    then: &[],
};

impl Subjects {
    /// What a stack is about: thread, outermost frame, and so on, between semicolons.
    pub(super) fn of(&self, stack: &str) -> &'static str {
        let find = |subjects: &[Subject]| {
            // The first part is the thread.
            let frames: Vec<&str> = stack.split(';').skip(1).collect();
            frames.into_iter().rev().find_map(|frame| {
                let about = |(_, parts): &&Subject| parts.iter().any(|part| frame.contains(part));
                subjects.iter().find(about).map(|(what, _)| *what)
            })
        };
        find(self.first).or_else(|| find(self.then)).unwrap_or(REST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_frame_that_is_about_something_decides() {
        let about = |stack| VALIDATORS.of(stack);
        let signed = about("pool;start;node::pool::run;ed25519_zebra::verify;mul");
        assert_eq!(signed, VALIDATORS.first[0].0);
        assert_eq!(about("x;consensus::driver::turn;rocksdb::write;memcpy"), VALIDATORS.first[3].0);
        assert_eq!(about("x;start;tokio::runtime;malloc"), VALIDATORS.then[1].0);
        assert_eq!(about("x;start"), REST);
        assert_eq!(IN_PROCESS.of("x;consensus::driver::turn;_int_malloc"), IN_PROCESS.first[2].0);
    }
}
