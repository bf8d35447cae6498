//! Network keys as libp2p knows them.

use chain::crypto::{Keypair, PublicKey};
use libp2p::PeerId;
use libp2p::identity;

/// The peer id of the holder of a network key; `None` where the 32 bytes are no Ed25519 key, so
/// that nobody can ever speak for it.
pub fn peer_id(key: &PublicKey) -> Option<PeerId> {
    let key = identity::ed25519::PublicKey::try_from_bytes(key.as_bytes()).ok()?;
    Some(identity::PublicKey::from(key).to_peer_id())
}

/// The network key that a peer id stands for; `None` where it is no Ed25519 key.
pub(super) fn public_key(id: &PeerId) -> Option<PublicKey> {
    let key = identity::PublicKey::try_decode_protobuf(id.as_ref().digest()).ok()?;
    Some(PublicKey(key.try_into_ed25519().ok()?.to_bytes()))
}

/// The node's own network key in libp2p's form.
pub(super) fn keypair(key: &Keypair) -> identity::Keypair {
    identity::Keypair::ed25519_from_bytes(key.seed())
        .expect("32 bytes are always the seed of an Ed25519 key")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_key_have_the_peer_id_that_the_genesis_tool_prints() {
        let key = Keypair::from_seed(&[7; 32]);
        let id = peer_id(&key.public()).unwrap();
        assert_eq!(id, keypair(&key).public().to_peer_id());
        assert_eq!(public_key(&id), Some(key.public()));
        assert_eq!(public_key(&PeerId::random()), None);
        assert_eq!(id.to_string(), genesis::peer_id::peer_id(&key.public()));
    }

    #[test]
    fn bytes_that_are_no_key_are_refused() {
        assert_eq!(peer_id(&PublicKey([2; 32])), None);
    }
}
