//! Which validator is which peer.

use std::sync::{Arc, PoisonError, RwLock};

use chain::crypto::PublicKey;
use chain::types::ValidatorIndex;
use chain::validator::ValidatorSet;
use libp2p::PeerId;

use super::identity::peer_id;

/// The peers of a validator set, by index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// `None` for a free seat, and for a validator whose network key is no key.
    peers: Vec<Option<PeerId>>,
    me: Option<ValidatorIndex>,
}

/// The ids of all members of a set that can be reached.
pub(super) fn peer_ids(set: &ValidatorSet) -> impl Iterator<Item = PeerId> {
    set.members().filter_map(|(_, validator)| peer_id(&validator.network_key))
}

impl Roster {
    /// The roster of a set as the holder of the consensus key `me` sees it.
    pub fn new(set: &ValidatorSet, me: &PublicKey) -> Self {
        let mut peers = vec![None; set.seats()];
        for (index, validator) in set.members() {
            peers[index.as_usize()] = peer_id(&validator.network_key);
        }
        Self { peers, me: set.index_of(me) }
    }

    /// The validator that speaks through a peer.
    pub fn index(&self, peer: &PeerId) -> Option<ValidatorIndex> {
        let place = self.peers.iter().position(|candidate| candidate.as_ref() == Some(peer))?;
        u16::try_from(place).ok().map(ValidatorIndex::new)
    }

    /// The peer that a validator speaks through.
    pub fn peer(&self, index: ValidatorIndex) -> Option<&PeerId> {
        self.peers.get(index.as_usize())?.as_ref()
    }

    /// Everybody but this node.
    pub fn others(&self) -> impl Iterator<Item = &PeerId> {
        let me = self.me.map(ValidatorIndex::as_usize);
        let peers = self.peers.iter().enumerate();
        peers.filter(move |(place, _)| Some(*place) != me).filter_map(|(_, id)| id.as_ref())
    }
}

/// The roster of the current epoch, replaced when the epoch changes.
#[derive(Clone, Debug)]
pub struct SharedRoster(Arc<RwLock<Arc<Roster>>>);

impl SharedRoster {
    pub fn new(roster: Roster) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(roster))))
    }

    pub fn get(&self) -> Arc<Roster> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, roster: Roster) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(roster);
    }
}
