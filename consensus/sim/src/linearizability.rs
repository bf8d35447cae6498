//! Whether what clients saw could have happened one call at a time, each at a moment between its
//! question and its answer: Herlihy and Wing, "Linearizability", 1990.
//!
//! The search is that of Wing and Gong, "Testing and verifying concurrent objects", 1993, with the
//! memory of Lowe, "Testing for linearizability", 2017, as in Porcupine. A call whose outcome is
//! unknown may have happened at any time after it was asked, or never.

use std::collections::BTreeSet;

use consensus::engine::Time;
use serde::Serialize;

/// What calls do, one at a time.
///
/// An operation leaves the state as it is or leads to the one that it [`gives`](Self::gives). Where
/// it [`needs`](Self::needs) no state of its own, it does the same in every state that allows it.
pub trait Model {
    type State: Clone + Ord;
    type Operation;

    /// The state after an operation with the result that the client saw; `None` where it cannot
    /// give that result in this state. One whose outcome is unknown is meant with its effect: that
    /// it never happened is for the search to say.
    fn apply(state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;

    /// The only state in which the operation is possible, where there is only one.
    fn needs(operation: &Self::Operation) -> Option<Self::State>;

    /// The state that the operation leads to; `None` where it changes nothing.
    fn gives(operation: &Self::Operation) -> Option<Self::State>;
}

/// One call of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<O> {
    pub operation: O,
    pub asked: Time,
    /// `None`: the client never learned the outcome.
    pub answered: Option<Time>,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Linearizable,
    /// No order fits. The call, by its place in the history, that the longest orders got stuck at.
    Impossible {
        stuck: usize,
    },
    /// Too many orders to try.
    GaveUp,
}

/// Most configurations tried.
const MAX_TRIED: usize = 200_000;

/// A set of calls by place.
type Done = Vec<u64>;

fn contains(done: &Done, call: usize) -> bool {
    done[call / 64] & (1 << (call % 64)) != 0
}

fn insert(done: &mut Done, call: usize) {
    done[call / 64] |= 1 << (call % 64);
}

/// Looks for an order of the calls that respects both the clocks and the model.
pub fn check<M: Model>(start: M::State, calls: &[Call<M::Operation>]) -> Verdict {
    let search = Search::<M>::new(calls);
    let mut tried: BTreeSet<(Done, M::State)> = BTreeSet::new();
    let mut open = vec![(vec![0; calls.len().div_ceil(64)], start)];
    let (mut longest, mut stuck) = (0, 0);
    while let Some((mut done, mut state)) = open.pop() {
        let Next { steps, stranded } = search.advance(&mut done, &mut state);
        let missing = search
            .waiting(&done)
            .filter(|call| calls[*call].answered.is_some())
            .min_by_key(|call| calls[*call].answered);
        let Some(missing) = missing else {
            return Verdict::Linearizable;
        };
        let length: u32 = done.iter().map(|word| word.count_ones()).sum();
        if length >= longest {
            (longest, stuck) = (length, stranded.unwrap_or(missing));
        }
        if !tried.insert((done.clone(), state)) {
            continue;
        }
        if tried.len() > MAX_TRIED {
            return Verdict::GaveUp;
        }
        for (call, state) in steps.into_iter().rev() {
            let mut done = done.clone();
            insert(&mut done, call);
            open.push((done, state));
        }
    }
    Verdict::Impossible { stuck }
}

/// Where an order can go on.
struct Next<S> {
    /// Calls with the states that they lead to.
    steps: Vec<(usize, S)>,
    /// A call that a step left out would have made impossible, where there is no step.
    stranded: Option<usize>,
}

/// A history with what the search asks of it again and again.
struct Search<'a, M: Model> {
    calls: &'a [Call<M::Operation>],
    needs: Vec<Option<M::State>>,
    gives: Vec<Option<M::State>>,
    /// Of unknown outcome, and no call needs the state that it gives.
    unseen: Vec<bool>,
}

impl<'a, M: Model> Search<'a, M> {
    fn new(calls: &'a [Call<M::Operation>]) -> Self {
        let needs: Vec<_> = calls.iter().map(|call| M::needs(&call.operation)).collect();
        let gives: Vec<_> = calls.iter().map(|call| M::gives(&call.operation)).collect();
        let needed: BTreeSet<&M::State> = needs.iter().flatten().collect();
        let unseen = calls
            .iter()
            .zip(&gives)
            .map(|(call, gives)| {
                call.answered.is_none() && gives.as_ref().is_some_and(|to| !needed.contains(to))
            })
            .collect();
        Self { calls, needs, gives, unseen }
    }

    fn waiting(&self, done: &Done) -> impl Iterator<Item = usize> {
        (0..self.calls.len()).filter(|call| !contains(done, *call))
    }

    /// Takes every call that may be next and changes nothing: taking it now is never wrong. Gives
    /// the others that may be next and lead on; those of unknown outcome last: late is the better
    /// guess.
    fn advance(&self, done: &mut Done, state: &mut M::State) -> Next<M::State> {
        loop {
            // Whoever was answered before a call was asked comes before it.
            let deadline = self.waiting(done).filter_map(|call| self.calls[call].answered).min();
            let in_time = |call: &usize| deadline.is_none_or(|end| self.calls[*call].asked <= end);
            let candidates: Vec<usize> = self.waiting(done).filter(in_time).collect();
            let possible: Vec<(usize, M::State)> = candidates
                .iter()
                .filter_map(|call| Some((*call, M::apply(state, &self.calls[*call].operation)?)))
                .collect();
            let (idle, steps): (Vec<_>, Vec<_>) =
                possible.into_iter().partition(|(call, _)| self.gives[*call].is_none());
            if idle.is_empty() {
                return self.useful(steps, &candidates, done, state);
            }
            for (call, _) in idle {
                insert(done, call);
            }
        }
    }

    /// The steps that are not pointless.
    fn useful(
        &self,
        mut steps: Vec<(usize, M::State)>,
        candidates: &[usize],
        done: &Done,
        state: &M::State,
    ) -> Next<M::State> {
        let mut stranded = None;
        steps.retain(|(call, after)| {
            if self.unseen[*call] && !self.allows_more(candidates, state, after) {
                return false;
            }
            let lost = self.stranded(done, *call, state).filter(|_| after != state);
            stranded = stranded.or(lost);
            lost.is_none()
        });
        steps.sort_by_key(|(call, _)| self.calls[*call].answered.is_none());
        Next { stranded: stranded.filter(|_| steps.is_empty()), steps }
    }

    /// Whether the step between two states allows a call that may be next and was not possible
    /// before. A call of unknown outcome that nobody saw is of no other use.
    fn allows_more(&self, candidates: &[usize], from: &M::State, to: &M::State) -> bool {
        candidates.iter().map(|call| &self.calls[*call]).any(|call| {
            call.answered.is_some()
                && M::apply(from, &call.operation).is_none()
                && M::apply(to, &call.operation).is_some()
        })
    }

    /// A call still to come that needs the state which this one leaves, where nothing leads back.
    fn stranded(&self, done: &Done, leaving: usize, state: &M::State) -> Option<usize> {
        let others = || self.waiting(done).filter(|call| *call != leaving);
        if others().any(|call| self.gives[call].as_ref() == Some(state)) {
            return None;
        }
        others().find(|call| {
            self.calls[*call].answered.is_some() && self.needs[*call].as_ref() == Some(state)
        })
    }
}

/// A register that clients write and read.
#[derive(Debug)]
pub struct Register;

/// What a client does with a register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    Write(u64),
    /// With the value that it gave; `None` before the first write.
    Read(Option<u64>),
}

impl Model for Register {
    type State = Option<u64>;
    type Operation = Access;

    fn apply(state: &Option<u64>, operation: &Access) -> Option<Option<u64>> {
        match operation {
            Access::Write(value) => Some(Some(*value)),
            Access::Read(value) => (value == state).then_some(*state),
        }
    }

    fn needs(operation: &Access) -> Option<Option<u64>> {
        match operation {
            Access::Write(_) => None,
            Access::Read(value) => Some(*value),
        }
    }

    fn gives(operation: &Access) -> Option<Option<u64>> {
        match operation {
            Access::Write(value) => Some(Some(*value)),
            Access::Read(_) => None,
        }
    }
}

/// The same register where the order of the writes is known: a chain numbers them from 1.
#[derive(Debug)]
pub struct VersionedRegister;

/// What a client does with a versioned register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionedAccess {
    /// Became this version.
    Write(u64),
    /// Saw this version; 0 before the first write.
    Read(u64),
}

impl Model for VersionedRegister {
    type State = u64;
    type Operation = VersionedAccess;

    fn apply(state: &u64, operation: &VersionedAccess) -> Option<u64> {
        match operation {
            VersionedAccess::Write(version) => (*version == state + 1).then_some(*version),
            VersionedAccess::Read(version) => (version == state).then_some(*state),
        }
    }

    fn needs(operation: &VersionedAccess) -> Option<u64> {
        match operation {
            VersionedAccess::Write(version) => version.checked_sub(1),
            VersionedAccess::Read(version) => Some(*version),
        }
    }

    fn gives(operation: &VersionedAccess) -> Option<u64> {
        match operation {
            VersionedAccess::Write(version) => Some(*version),
            VersionedAccess::Read(_) => None,
        }
    }
}

/// A register with compare-and-swap.
#[derive(Debug)]
pub struct CasRegister;

/// What a client does with a register that has compare-and-swap. `None` stands for no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CasAccess {
    Read(Option<u64>),
    Write(u64),
    /// Found what it expected, and replaced it.
    Swapped {
        expected: Option<u64>,
        value: u64,
    },
    /// Found something else than this.
    Mismatch {
        expected: Option<u64>,
    },
}

impl Model for CasRegister {
    type State = Option<u64>;
    type Operation = CasAccess;

    fn apply(state: &Option<u64>, operation: &CasAccess) -> Option<Option<u64>> {
        match operation {
            CasAccess::Read(value) => (value == state).then_some(*state),
            CasAccess::Write(value) => Some(Some(*value)),
            CasAccess::Swapped { expected, value } => (expected == state).then_some(Some(*value)),
            CasAccess::Mismatch { expected } => (expected != state).then_some(*state),
        }
    }

    fn needs(operation: &CasAccess) -> Option<Option<u64>> {
        match operation {
            CasAccess::Read(value) => Some(*value),
            CasAccess::Swapped { expected, .. } => Some(*expected),
            CasAccess::Write(_) | CasAccess::Mismatch { .. } => None,
        }
    }

    fn gives(operation: &CasAccess) -> Option<Option<u64>> {
        match operation {
            CasAccess::Write(value) | CasAccess::Swapped { value, .. } => Some(Some(*value)),
            CasAccess::Read(_) | CasAccess::Mismatch { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
