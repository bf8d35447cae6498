//! Keeps what it owes from some, or the blocks it names from all.

use std::collections::BTreeMap;

use chain::block::SealedBlock;
use chain::types::{Epoch, ValidatorIndex, View};
use consensus::message::{EngineMessage, Rewrite};

use super::{Behaviour, Hand, Said, view_of};

/// What the starved do not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Everything,
    Blocks,
    Votes,
}

/// Who is starved is drawn anew for each view.
#[derive(Debug)]
pub(super) struct Withhold {
    kept: Kept,
    starved: BTreeMap<(Epoch, View, ValidatorIndex), bool>,
}

impl Withhold {
    pub(super) fn new(kept: Kept) -> Self {
        Self { kept, starved: BTreeMap::new() }
    }
}

impl<M: EngineMessage> Behaviour<M> for Withhold {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        let concerned = match self.kept {
            Kept::Everything => true,
            Kept::Blocks => !message.proposals().is_empty(),
            Kept::Votes => message.proposals().is_empty(),
        };
        let starved = view_of(message).filter(|_| concerned).is_some_and(|(epoch, view)| {
            *self.starved.entry((epoch, view, to)).or_insert_with(|| hand.dice.below(2) == 0)
        });
        if !starved {
            said.push(Said::now(to, message.clone()));
        }
    }
}

/// Announces blocks and answers who asks for them with nothing.
#[derive(Debug)]
pub(super) struct WithholdData;

struct HashesOnly;

impl Rewrite for HashesOnly {
    fn carries(&mut self, _block: &SealedBlock) -> bool {
        false
    }
}

impl<M: EngineMessage> Behaviour<M> for WithholdData {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        said.push(Said::now(to, message.rewrite(&hand.chain_id, &mut HashesOnly)));
    }
}
