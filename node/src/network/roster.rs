//! Which validator is which peer.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use chain::crypto::PublicKey;
use chain::types::ValidatorIndex;
use chain::validator::ValidatorSet;
use libp2p::PeerId;

use super::identity::peer_id;

/// The peers of the current validators, and of those to come while a change is under way, by index.
/// No seat has two holders in the sets of one change. A validator that changes its consensus key and
/// keeps its network key has two seats meanwhile: it speaks from the old one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    /// `None` for a free seat, and for a validator whose network key is no key.
    peers: Vec<Option<PeerId>>,
    indices: BTreeMap<PeerId, ValidatorIndex>,
    me: Option<ValidatorIndex>,
    other: Option<ValidatorIndex>,
}

/// The ids of all members of a set that can be reached.
pub(super) fn peer_ids(set: &ValidatorSet) -> impl Iterator<Item = PeerId> {
    set.members().filter_map(|(_, validator)| peer_id(&validator.network_key))
}

impl Roster {
    /// The roster of these sets, the current one first, as the holder of the consensus key `me` sees
    /// it.
    pub fn new(sets: &[ValidatorSet], me: &PublicKey) -> Self {
        let seats = sets.iter().map(ValidatorSet::seats).max().unwrap_or_default();
        let (mut peers, mut indices) = (vec![None; seats], BTreeMap::new());
        for (index, validator) in sets.iter().flat_map(ValidatorSet::members) {
            let peer = peer_id(&validator.network_key);
            peers[index.as_usize()] = peer;
            if let Some(peer) = peer {
                indices.entry(peer).or_insert(index);
            }
        }
        let in_force = sets.first().into_iter().flat_map(ValidatorSet::members);
        let mut others = in_force.filter(|(_, validator)| validator.consensus_key != *me);
        let other = others.next().map(|(index, _)| index);
        Self { peers, indices, me: sets.iter().find_map(|set| set.index_of(me)), other }
    }

    /// The validator that speaks through a peer.
    pub fn index(&self, peer: &PeerId) -> Option<ValidatorIndex> {
        self.indices.get(peer).copied()
    }

    /// The peer that a validator speaks through.
    pub fn peer(&self, index: ValidatorIndex) -> Option<&PeerId> {
        self.peers.get(index.as_usize())?.as_ref()
    }

    /// A validator of the current set, but not this node: whose word final blocks are taken on that this node fetched
    /// by itself.
    pub const fn any_other(&self) -> Option<ValidatorIndex> {
        self.other
    }

    /// Everybody but this node.
    pub fn others(&self) -> impl Iterator<Item = &PeerId> {
        let me = self.me.map(ValidatorIndex::as_usize);
        let peers = self.peers.iter().enumerate();
        peers.filter(move |(place, _)| Some(*place) != me).filter_map(|(_, id)| id.as_ref())
    }
}

/// The roster as it is now, for the holder of one consensus key.
#[derive(Clone, Debug)]
pub struct SharedRoster {
    me: PublicKey,
    current: Arc<RwLock<Arc<Roster>>>,
}

impl SharedRoster {
    pub fn new(sets: &[ValidatorSet], me: PublicKey) -> Self {
        Self { me, current: Arc::new(RwLock::new(Arc::new(Roster::new(sets, &me)))) }
    }

    pub fn get(&self) -> Arc<Roster> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces it by that of other sets.
    pub fn seat(&self, sets: &[ValidatorSet]) {
        let roster = Arc::new(Roster::new(sets, &self.me));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = roster;
    }
}
