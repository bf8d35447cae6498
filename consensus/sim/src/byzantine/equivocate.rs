//! As leader signs two or more headers for every height, a chain for each part of the others, with
//! its votes for all of them.

use std::collections::BTreeMap;

use chain::block::SealedBlock;
use chain::certificate::{Certificate, Vote};
use chain::types::{Digest, Epoch, ValidatorIndex, View};
use consensus::message::{EngineMessage, Rewrite};

use super::doubles::Doubles;
use super::{Behaviour, Hand, Said, view_of};

#[derive(Debug)]
pub(super) struct Equivocate {
    /// Whether every follower gets a chain of its own; else there are two.
    each: bool,
    /// The chains besides the honest one.
    chains: BTreeMap<u64, Doubles>,
    /// Which chain of a view a follower gets; 0 is the honest one.
    chosen: BTreeMap<(Epoch, View, ValidatorIndex), u64>,
    /// Which it got last: what names no view is about that.
    last: BTreeMap<ValidatorIndex, u64>,
}

impl Equivocate {
    pub(super) fn halves() -> Self {
        Self {
            each: false,
            chains: BTreeMap::new(),
            chosen: BTreeMap::new(),
            last: BTreeMap::new(),
        }
    }

    pub(super) fn each() -> Self {
        Self { each: true, ..Self::halves() }
    }
}

struct OtherChain<'a> {
    number: u64,
    doubles: &'a mut Doubles,
    hand: &'a Hand,
}

impl Rewrite for OtherChain<'_> {
    fn block(&mut self, block: &SealedBlock) -> SealedBlock {
        let number = self.number;
        self.doubles.block(block, self.hand, |changed| changed.header.timestamp_ms += number)
    }

    fn vote(&mut self, vote: &Vote) -> Vote {
        self.doubles.vote(vote, self.hand)
    }

    fn reference(&mut self, hash: Digest) -> Digest {
        self.doubles.reference(hash)
    }

    /// Certificates of the first chain would give it away.
    fn certificate(&mut self, certificate: &Certificate) -> Option<Certificate> {
        (!self.doubles.replaces(&certificate.ballot.block)).then(|| certificate.clone())
    }
}

impl<M: EngineMessage> Behaviour<M> for Equivocate {
    fn send(&mut self, to: ValidatorIndex, message: &M, hand: &mut Hand, said: &mut Vec<Said<M>>) {
        let each = self.each;
        let number = match view_of(message) {
            Some((epoch, view)) => *self
                .chosen
                .entry((epoch, view, to))
                .or_insert_with(|| if each { u64::from(to.get()) } else { hand.dice.below(2) }),
            None => self.last.get(&to).copied().unwrap_or_default(),
        };
        self.last.insert(to, number);
        if number == 0 {
            said.push(Said::now(to, message.clone()));
        } else {
            let doubles = self.chains.entry(number).or_default();
            let mut chain = OtherChain { number, doubles, hand };
            said.push(Said::now(to, message.rewrite(&hand.chain_id, &mut chain)));
        }
    }
}
