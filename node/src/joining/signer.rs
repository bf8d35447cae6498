//! The one thing besides consensus that a consensus key signs.

use chain::crypto::{Keypair, PublicKey};
use chain::governance::{GovernanceAction, ProposalId, RECENT_BLOCKS};
use chain::transaction::{Body, Payload, SignedTransaction};
use chain::types::{Digest, Height};

/// Signs that the node of a key is ready, and nothing else.
#[derive(Debug)]
pub(crate) struct ReadySigner(Keypair);

/// The final block that shows that a node is at the tip.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tip {
    pub chain_id: Digest,
    pub height: Height,
    pub hash: Digest,
}

impl ReadySigner {
    pub(crate) const fn new(key: Keypair) -> Self {
        Self(key)
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.0.public()
    }

    /// The transaction for a proposal. It can take effect for as long as the chain remembers the
    /// block that it names.
    pub(crate) fn sign(&self, proposal: ProposalId, tip: Tip, nonce: u64) -> SignedTransaction {
        let Tip { chain_id, height, hash: block } = tip;
        let payload = Payload {
            chain_id,
            account: None,
            sender: self.public(),
            nonce,
            expiry: Height::new(height.get().saturating_add(RECENT_BLOCKS)),
            body: Body::Governance(GovernanceAction::Ready { proposal, height, block }),
        };
        payload.sign(&self.0)
    }
}
