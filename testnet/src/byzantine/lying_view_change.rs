//! A validator that denies in a view change what it voted for.

use chain::crypto::{Signature, Signer as _};
use chain::types::{Digest, ValidatorIndex};
use consensus::engine::Recipients;
use consensus::message::{Claim, EngineMessage, Rewrite};

use super::{Identity, Misbehaviour, Sent};

/// Reports neither votes nor certificates when the leader is replaced, signed as if it were the
/// truth.
#[derive(Debug)]
pub(super) struct LyingViewChange;

struct Deny<'a> {
    me: &'a Identity,
    denied: bool,
}

impl Rewrite for Deny<'_> {
    fn speaks_for(&mut self, sender: ValidatorIndex) -> bool {
        sender == self.me.me
    }

    fn reports(&mut self, _: Claim) -> bool {
        self.denied = true;
        false
    }

    fn sign(&mut self, digest: &Digest, _: Signature) -> Signature {
        self.me.key.sign(digest)
    }
}

impl<M: EngineMessage> Misbehaviour<M> for LyingViewChange {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &M) -> Option<Sent<M>> {
        let mut deny = Deny { me, denied: false };
        let lie = message.rewrite(&me.chain_id, &mut deny);
        deny.denied.then(|| vec![(to, lie)])
    }
}
