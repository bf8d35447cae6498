//! Reads that are as new as their question where validators may lie.
//!
//! A quorum says how far the final chain is, each validator only once nothing that it voted for
//! before the question is open any more. Whatever was final when the question came has the votes
//! of a quorum; any two quorums share an honest validator, and that one waits until its own chain
//! has what it voted for. So what it then says is not below, and a liar can only be slow: a height
//! that it makes up is not counted before the asker's own chain has got there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chain::types::{Height, ValidatorIndex, View};

use crate::engine::{Event, Outgoing, Output, Recipients, Time};

/// Most reads that wait at one validator; the oldest give way.
const MAX_READS: usize = 1024;

/// Own clients' reads, and the questions of other validators.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads {
    /// Until the next round: one at a time serves all reads that came before it.
    waiting: BTreeSet<u64>,
    round: Option<Round>,
    /// The newest question of each validator, own included, until it can be answered.
    held: BTreeMap<ValidatorIndex, Held>,
}

/// A question to everyone.
#[derive(Clone, Debug)]
struct Round {
    /// That of its newest read. Ids are never used again, by no later life of this validator
    /// either, so an answer to another question cannot pass for one to this.
    id: u64,
    reads: BTreeSet<u64>,
    said: BTreeMap<ValidatorIndex, Height>,
    asked: Time,
}

/// A question that waits for this validator's votes.
#[derive(Clone, Copy, Debug)]
struct Held {
    id: u64,
    view: (View, bool),
    /// Answered once the final chain is so high.
    until: Height,
}

/// Where a validator stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// The last final block.
    pub(crate) root: Height,
    /// The view, and whether it started here.
    pub(crate) view: (View, bool),
    /// Where it started: what is final by votes of earlier views is not above.
    pub(crate) start: Height,
    /// The highest block that this validator's votes may have made final.
    pub(crate) voted: Height,
}

/// What comes of the reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadStep {
    /// Ask every other validator.
    Ask { id: u64 },
    /// Answer another validator.
    Answer { to: ValidatorIndex, id: u64, height: Height },
    /// The final chain here is as new as the question.
    Ready { id: u64 },
}

impl Reads {
    /// A client asks.
    pub(crate) fn ask(&mut self, id: u64) {
        if self.waiting.len() >= MAX_READS {
            self.waiting.pop_first();
        }
        self.waiting.insert(id);
    }

    /// A validator asks.
    pub(crate) fn hold(&mut self, from: ValidatorIndex, id: u64, standing: &Standing) {
        if self.held.get(&from).is_none_or(|held| held.id != id) {
            self.held.insert(from, Held { id, view: standing.view, until: standing.voted });
        }
    }

    /// A validator answers.
    pub(crate) fn heard(&mut self, from: ValidatorIndex, id: u64, height: Height) {
        if let Some(round) = self.round.as_mut().filter(|round| round.id == id) {
            round.said.insert(from, height);
        }
    }

    /// Other validators decide from now on: who asked asks them.
    pub(crate) fn enter_epoch(&mut self) {
        self.held.clear();
        if let Some(round) = self.round.take() {
            self.waiting.extend(round.reads);
        }
    }

    /// [`advance`](Self::advance), carried out. `question` and `answer` are the engine's messages:
    /// of a question's id, and of that with the height that answers it.
    pub(crate) fn carry_on<M, D>(
        &mut self,
        (me, quorum): (ValidatorIndex, usize),
        standing: &Standing,
        clock: (Time, Duration),
        question: impl Fn(u64) -> M,
        answer: impl Fn(u64, Height) -> M,
        out: &mut Output<M, D>,
    ) {
        for step in self.advance(me, quorum, standing, clock) {
            let (to, message) = match step {
                ReadStep::Ask { id } => (Recipients::Others, question(id)),
                ReadStep::Answer { to, id, height } => (Recipients::One(to), answer(id, height)),
                ReadStep::Ready { id } => {
                    out.events.push(Event::ReadReady { id, height: standing.root });
                    continue;
                }
            };
            out.send.push(Outgoing::Ready(to, message));
        }
    }

    /// After every step: what is to be said now. `me` votes, `quorum` of its set decide.
    fn advance(
        &mut self,
        me: ValidatorIndex,
        quorum: usize,
        standing: &Standing,
        (now, retry): (Time, Duration),
    ) -> Vec<ReadStep> {
        let mut steps = Vec::new();
        loop {
            self.answer(me, standing, &mut steps);
            if let Some(round) = self.round.take_if(|round| round.is_done(quorum, standing.root)) {
                steps.extend(round.reads.into_iter().map(|id| ReadStep::Ready { id }));
            }
            if self.round.is_some() || self.waiting.is_empty() {
                break;
            }
            let reads = std::mem::take(&mut self.waiting);
            let id = *reads.last().expect("some wait");
            self.round = Some(Round { id, reads, said: BTreeMap::new(), asked: now });
            self.hold(me, id, standing);
            steps.push(ReadStep::Ask { id });
        }
        if let Some(round) = self.round.as_mut().filter(|round| now >= round.asked + retry) {
            round.asked = now;
            steps.push(ReadStep::Ask { id: round.id });
        }
        steps
    }

    /// Answers what nothing speaks against any more.
    fn answer(&mut self, me: ValidatorIndex, standing: &Standing, steps: &mut Vec<ReadStep>) {
        for held in self.held.values_mut() {
            if standing.view.1 && standing.view != held.view {
                held.view = standing.view;
                held.until = held.until.min(standing.start);
            }
        }
        let height = standing.root;
        let answered: Vec<(ValidatorIndex, u64)> = self
            .held
            .iter()
            .filter(|(_, held)| held.until <= height)
            .map(|(from, held)| (*from, held.id))
            .collect();
        for (to, id) in answered {
            self.held.remove(&to);
            if to == me {
                self.heard(me, id, height);
            } else {
                steps.push(ReadStep::Answer { to, id, height });
            }
        }
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.round.is_none() && self.held.is_empty()
    }

    /// When a question is due again.
    pub(crate) fn next_due(&self, retry: Duration) -> Option<Time> {
        self.round.as_ref().map(|round| round.asked + retry)
    }
}

impl Round {
    /// Whether a quorum's word is covered by the final chain here.
    fn is_done(&self, quorum: usize, root: Height) -> bool {
        self.said.values().filter(|height| **height <= root).count() >= quorum
    }
}

#[cfg(test)]
mod tests;
