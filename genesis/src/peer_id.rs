//! The libp2p name of a network key, as it stands in the address of a peer.

use chain::crypto::PublicKey;

/// What precedes the 32 bytes of an Ed25519 key: an identity multihash (code 0, 36 bytes) of the
/// protobuf message `PublicKey { Type = Ed25519 (1), Data = 32 bytes }`. Source: libp2p
/// specification, "Peer Ids and Keys".
const PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// The libp2p peer id of a network key, like `12D3KooW…`.
pub fn peer_id(network_key: &PublicKey) -> String {
    let mut bytes = PREFIX.to_vec();
    bytes.extend_from_slice(network_key.as_bytes());
    bs58::encode(bytes).into_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The Ed25519 test vector of the libp2p specification and its peer id.
    #[test]
    fn peer_id_of_the_published_key() {
        let key: PublicKey =
            "1ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e".parse().unwrap();
        assert_eq!(peer_id(&key), "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq");
    }
}
