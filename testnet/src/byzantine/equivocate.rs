//! A leader that proposes two blocks at one height.

use std::collections::{BTreeMap, VecDeque};

use chain::block::SealedBlock;
use chain::certificate::Vote;
use chain::types::{Digest, Epoch, ValidatorIndex, View};
use consensus::engine::Recipients;
use consensus::message::{EngineMessage, Rewrite};

use super::{Identity, Misbehaviour, Sent};

/// Blocks with a twin that are remembered.
const TWINS: usize = 1024;

/// Makes a twin of the first block that it proposes in a view: the same but a millisecond later.
///
/// So many followers get the original that it can be certified, the rest get the twin. Where blocks
/// carry certificates, what comes after extends the original alone, which is how those with the twin
/// notice. Where validators believe their leader, the twin goes on as a chain of its own.
#[derive(Debug, Default)]
pub(super) struct Equivocate {
    fork: Option<Fork>,
}

#[derive(Debug)]
struct Fork {
    epoch: Epoch,
    view: View,
    /// What stands in for which block, and which of them is oldest.
    twins: BTreeMap<Digest, SealedBlock>,
    order: VecDeque<Digest>,
}

/// Says of the twins what was said of the originals.
struct OnTwin<'a> {
    me: &'a Identity,
    fork: &'a Fork,
}

impl Rewrite for OnTwin<'_> {
    fn block(&mut self, block: &SealedBlock) -> SealedBlock {
        self.fork.twins.get(&block.hash()).unwrap_or(block).clone()
    }

    fn vote(&mut self, vote: &Vote) -> Vote {
        let twin = self.fork.twins.get(&vote.ballot.block);
        twin.map_or(*vote, |twin| self.me.vote_for(vote, twin.hash()))
    }

    fn reference(&mut self, hash: Digest) -> Digest {
        self.fork.twins.get(&hash).map_or(hash, SealedBlock::hash)
    }
}

impl Equivocate {
    /// Makes the twin of an own block where it is the first of its view, or goes on after a twin.
    fn fork_on(&mut self, me: &Identity, block: &SealedBlock) {
        let header = &block.header;
        let current = self.fork.as_mut();
        let Some(fork) =
            current.filter(|fork| (fork.epoch, fork.view) == (header.epoch, header.view))
        else {
            let mut fork = Fork {
                epoch: header.epoch,
                view: header.view,
                twins: BTreeMap::new(),
                order: VecDeque::new(),
            };
            fork.insert(block, me.twin(block, header.parent));
            self.fork = Some(fork);
            return;
        };
        if fork.twins.contains_key(&block.hash()) || block.justification.certificate.is_some() {
            return;
        }
        if let Some(parent) = fork.twins.get(&header.parent).map(SealedBlock::hash) {
            fork.insert(block, me.twin(block, parent));
        }
    }
}

impl Fork {
    fn insert(&mut self, original: &SealedBlock, twin: SealedBlock) {
        self.twins.insert(original.hash(), twin);
        self.order.push_back(original.hash());
        if self.order.len() > TWINS
            && let Some(oldest) = self.order.pop_front()
        {
            self.twins.remove(&oldest);
        }
    }

    /// Once there is a chain of twins, everything is about it.
    fn concerns(&self, message: &impl EngineMessage) -> bool {
        self.twins.len() > 1
            || message.proposals().iter().any(|block| self.twins.contains_key(&block.hash()))
            || message.votes().iter().any(|vote| self.twins.contains_key(&vote.ballot.block))
    }
}

/// Who gets the twin: as many as a certificate of the original can do without, at least one.
fn is_victim(me: &Identity, to: ValidatorIndex) -> bool {
    let victims = (1 + me.others.len() - me.quorum).max(1);
    me.others.iter().rev().take(victims).any(|victim| *victim == to)
}

impl<M: EngineMessage> Misbehaviour<M> for Equivocate {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &M) -> Option<Sent<M>> {
        for own in message.proposals().iter().filter(|block| me.proposed(block)) {
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
