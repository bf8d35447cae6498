//! A leader that proposes two blocks at one height.

use chain::block::SealedBlock;
use chain::certificate::Ballot;
use chain::types::{Digest, ValidatorIndex};
use consensus::engine::Recipients;
use consensus::hybrid::Message;
use consensus::hybrid::{Append, Votes};
use consensus::tree::BlockRef;

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

impl Equivocate {
    fn fork_on(&mut self, me: &Identity, block: &SealedBlock) -> &Fork {
        let same_view = |fork: &Fork| {
            (fork.twin.header.epoch, fork.twin.header.view)
                == (block.header.epoch, block.header.view)
        };
        if !self.fork.as_ref().is_some_and(same_view) {
            self.fork = None;
        }
        self.fork.get_or_insert_with(|| {
            let mut twin = (**block).clone();
            twin.header.timestamp_ms += 1;
            Fork { original: block.hash(), twin: me.seal(twin) }
        })
    }
}

/// Who gets the twin: as many as a certificate of the original can do without, at least one.
fn is_victim(me: &Identity, to: ValidatorIndex) -> bool {
    let victims = (me.validators - me.quorum).max(1);
    let last: Vec<ValidatorIndex> = me.others().collect();
    last.iter().rev().take(victims).any(|victim| *victim == to)
}

impl Fork {
    fn twin_ref(&self) -> BlockRef {
        BlockRef { position: self.twin.header.position(), hash: self.twin.hash() }
    }

    /// The same message about the twin.
    fn on_twin(&self, me: &Identity, append: &Append) -> Append {
        let mut append = append.clone();
        for block in &mut append.blocks {
            if block.hash() == self.original {
                *block = self.twin.clone();
            }
        }
        if append.head.hash == self.original {
            append.head = self.twin_ref();
        }
        for vote in &mut append.votes {
            if vote.ballot.block == self.original {
                *vote = me.vote(Ballot { block: self.twin.hash(), ..vote.ballot });
            }
        }
        append
    }

    fn vote_on_twin(&self, me: &Identity, votes: &Votes) -> Votes {
        let mut votes = votes.clone();
        for vote in &mut votes.votes {
            if vote.ballot.block == self.original {
                *vote = me.vote(Ballot { block: self.twin.hash(), ..vote.ballot });
                votes.header = votes.header.as_ref().map(|_| self.twin.signed_header());
            }
        }
        votes
    }
}

impl Misbehaviour for Equivocate {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &Message) -> Option<Sent> {
        let fork = match message {
            Message::Append(append) => {
                let own = append.blocks.iter().find(|block| me.proposed(block))?;
                self.fork_on(me, own)
            }
            Message::Votes(_) => self.fork.as_ref()?,
            _ => return None,
        };
        let about_fork = match message {
            Message::Append(append) => {
                append.blocks.iter().any(|block| block.hash() == fork.original)
            }
            Message::Votes(votes) => {
                votes.votes.iter().any(|vote| vote.ballot.block == fork.original)
            }
            _ => false,
        };
        if !about_fork {
            return None;
        }
        let twisted = match message {
            Message::Append(append) => Message::Append(fork.on_twin(me, append)),
            Message::Votes(votes) => Message::Votes(fork.vote_on_twin(me, votes)),
            _ => return None,
        };
        let send = |to: ValidatorIndex| {
            let message = if is_victim(me, to) { &twisted } else { message };
            (Recipients::One(to), message.clone())
        };
        Some(me.each(to).into_iter().map(send).collect())
    }
}
