//! Single-decree Paxos: how a set of processes agrees on one value.
//!
//! Lamport, "Paxos Made Simple", section 2, word for word: proposer, acceptor and learner as pure
//! state machines over any value. The engine keeps one [`Acceptor`] per slot and chooses values by
//! the same [`Rules`]; docs/protocol/paxos.md, lines S1-S6.

use std::collections::{BTreeMap, BTreeSet};

use chain::types::{ValidatorIndex, View};

/// The decisions on which agreement hangs. The default is the paper; tests override one at a time.
pub trait Rules: Clone + std::fmt::Debug + Send + 'static {
    /// S2, phase 1(b): a prepare is answered if its number is greater than that of any answered
    /// before.
    fn promises(promised: View, ballot: View) -> bool {
        ballot > promised
    }

    /// S4, phase 2(b): a proposal is accepted unless a prepare of a greater number was answered.
    fn accepts(promised: View, ballot: View) -> bool {
        ballot >= promised
    }

    /// S3, phase 2(a): the value of the highest-numbered proposal among the answers; free where
    /// nobody accepted anything.
    fn choose<V: Clone>(reports: &[Accepted<V>]) -> Option<V> {
        reports.iter().max_by_key(|report| report.ballot).map(|report| report.value.clone())
    }

    /// Any two majorities share a member.
    fn majority(n: usize) -> usize {
        n / 2 + 1
    }
}

/// The rules of the paper.
#[derive(Clone, Copy, Debug)]
pub struct Paper;

impl Rules for Paper {}

/// A proposal that an acceptor accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Accepted<V> {
    pub ballot: View,
    pub value: V,
}

/// What an acceptor must remember, also over crashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Acceptor<V> {
    /// The greatest number it answered; ballot 0 belongs to nobody.
    pub promised: View,
    pub accepted: Option<Accepted<V>>,
}

impl<V> Default for Acceptor<V> {
    fn default() -> Self {
        Self { promised: View::default(), accepted: None }
    }
}

impl<V: Clone> Acceptor<V> {
    /// S2: promises not to accept anything below the ballot, and tells what it accepted last.
    pub fn handle_prepare<R: Rules>(&mut self, ballot: View) -> Option<Option<Accepted<V>>> {
        R::promises(self.promised, ballot).then(|| {
            self.promised = ballot;
            self.accepted.clone()
        })
    }

    /// S4: whether it accepts.
    pub fn handle_accept<R: Rules>(&mut self, ballot: View, value: V) -> bool {
        let accepts = R::accepts(self.promised, ballot);
        if accepts {
            self.promised = ballot;
            self.accepted = Some(Accepted { ballot, value });
        }
        accepts
    }
}

/// One attempt to get a value chosen, under a ballot that nobody else uses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Proposer<V> {
    pub ballot: View,
    own: V,
    promises: BTreeMap<ValidatorIndex, Option<Accepted<V>>>,
    /// What it proposed: one value per ballot.
    proposed: Option<V>,
}

impl<V: Clone> Proposer<V> {
    /// S1: to be followed by a prepare to the acceptors.
    pub fn new(ballot: View, own: V) -> Self {
        Self { ballot, own, promises: BTreeMap::new(), proposed: None }
    }

    /// S3: with promises from a majority of `n`, the value to send to the acceptors, once.
    pub fn handle_promise<R: Rules>(
        &mut self,
        from: ValidatorIndex,
        accepted: Option<Accepted<V>>,
        n: usize,
    ) -> Option<V> {
        self.promises.insert(from, accepted);
        if self.proposed.is_some() || self.promises.len() < R::majority(n) {
            return None;
        }
        let reports: Vec<Accepted<V>> = self.promises.values().flatten().cloned().collect();
        self.proposed = Some(R::choose(&reports).unwrap_or_else(|| self.own.clone()));
        self.proposed.clone()
    }
}

/// Finds out what was chosen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Learner<V> {
    accepted: BTreeMap<(View, V), BTreeSet<ValidatorIndex>>,
}

impl<V> Default for Learner<V> {
    fn default() -> Self {
        Self { accepted: BTreeMap::new() }
    }
}

impl<V: Clone + Ord> Learner<V> {
    /// S5: a value is chosen once a majority of `n` accepted it under one ballot.
    pub fn handle_accepted<R: Rules>(
        &mut self,
        from: ValidatorIndex,
        ballot: View,
        value: V,
        n: usize,
    ) -> Option<V> {
        let by = self.accepted.entry((ballot, value.clone())).or_default();
        by.insert(from);
        (by.len() >= R::majority(n)).then_some(value)
    }
}

#[cfg(test)]
mod tests;
