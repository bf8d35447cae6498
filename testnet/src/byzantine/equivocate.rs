//! A leader that proposes two blocks at one height.

use chain::block::SealedBlock;
use chain::certificate::Vote;
use chain::types::{Digest, ValidatorIndex};
use consensus::engine::Recipients;
use consensus::message::{EngineMessage, Rewrite};

use super::{Identity, Misbehaviour, Sent};

/// Makes a twin of the first block that it proposes in a view: the same but a millisecond later.
///
/// So many followers get the original that it can be certified, the rest get the twin. What comes
/// after extends the original alone, which is how those with the twin notice.
#[derive(Debug, Default)]
pub(super) struct Equivocate {
    fork: Option<Fork>,
}

#[derive(Debug)]
struct Fork {
    original: Digest,
    twin: SealedBlock,
}

/// Says of the twin what was said of the original.
struct OnTwin<'a> {
    me: &'a Identity,
    fork: &'a Fork,
}

impl Rewrite for OnTwin<'_> {
    fn block(&mut self, block: &SealedBlock) -> SealedBlock {
        if block.hash() == self.fork.original { self.fork.twin.clone() } else { block.clone() }
    }

    fn vote(&mut self, vote: &Vote) -> Vote {
        if vote.ballot.block == self.fork.original {
            self.me.vote_for(vote, self.fork.twin.hash())
        } else {
            *vote
        }
    }

    fn reference(&mut self, hash: Digest) -> Digest {
        if hash == self.fork.original { self.fork.twin.hash() } else { hash }
    }
}

impl Equivocate {
    fn fork_on(&mut self, me: &Identity, block: &SealedBlock) {
        let same_view = |fork: &Fork| {
            (fork.twin.header.epoch, fork.twin.header.view)
                == (block.header.epoch, block.header.view)
        };
        if !self.fork.as_ref().is_some_and(same_view) {
            self.fork = Some(Fork { original: block.hash(), twin: me.twin(block) });
        }
    }
}

impl Fork {
    fn concerns(&self, message: &impl EngineMessage) -> bool {
        message.proposals().iter().any(|block| block.hash() == self.original)
            || message.votes().iter().any(|vote| vote.ballot.block == self.original)
    }
}

/// Who gets the twin: as many as a certificate of the original can do without, at least one.
fn is_victim(me: &Identity, to: ValidatorIndex) -> bool {
    let victims = (1 + me.others.len() - me.quorum).max(1);
    me.others.iter().rev().take(victims).any(|victim| *victim == to)
}

impl<M: EngineMessage> Misbehaviour<M> for Equivocate {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &M) -> Option<Sent<M>> {
        if let Some(own) = message.proposals().iter().find(|block| me.proposed(block)) {
            self.fork_on(me, own);
        }
        let fork = self.fork.as_ref().filter(|fork| fork.concerns(message))?;
        let twisted = message.rewrite(&me.chain_id, &mut OnTwin { me, fork });
        let send = |to: ValidatorIndex| {
            let message = if is_victim(me, to) { &twisted } else { message };
            (Recipients::One(to), message.clone())
        };
        Some(me.each(to).into_iter().map(send).collect())
    }
}
