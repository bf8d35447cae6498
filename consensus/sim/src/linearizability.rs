//! Whether what clients saw could have happened one call at a time, each at a moment between its
//! question and its answer: Herlihy and Wing, "Linearizability", 1990.
//!
//! The search is that of Wing and Gong, "Testing and verifying concurrent objects", 1993, with the
//! memory of Lowe, "Testing for linearizability", 2017, as in Porcupine. A call whose outcome is
//! unknown may have happened at any time after it was asked, or never.

use std::collections::BTreeSet;

use consensus::engine::Time;

/// What calls do, one at a time.
pub trait Model {
    type State: Clone + Ord;
    type Operation;

    /// The state after an operation with the result that the client saw; `None` where it cannot
    /// give that result in this state.
    fn apply(state: &Self::State, operation: &Self::Operation) -> Option<Self::State>;
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
    let mut tried: BTreeSet<(Done, M::State)> = BTreeSet::new();
    let mut open = vec![(vec![0; calls.len().div_ceil(64)], start)];
    let (mut longest, mut stuck) = (0, 0);
    while let Some((mut done, mut state)) = open.pop() {
        let next = advance::<M>(&mut done, &mut state, calls);
        let missing = (0..calls.len())
            .filter(|call| calls[*call].answered.is_some() && !contains(&done, *call))
            .min_by_key(|call| calls[*call].answered);
        let Some(missing) = missing else {
            return Verdict::Linearizable;
        };
        let length: u32 = done.iter().map(|word| word.count_ones()).sum();
        if length >= longest {
            (longest, stuck) = (length, missing);
        }
        if !tried.insert((done.clone(), state)) {
            continue;
        }
        if tried.len() > MAX_TRIED {
            return Verdict::GaveUp;
        }
        for (call, state) in next.into_iter().rev() {
            let mut done = done.clone();
            insert(&mut done, call);
            open.push((done, state));
        }
    }
    Verdict::Impossible { stuck }
}

/// Takes every call that may be next and changes nothing: taking it now is never wrong. Gives those
/// that may be next and change something.
fn advance<M: Model>(
    done: &mut Done,
    state: &mut M::State,
    calls: &[Call<M::Operation>],
) -> Vec<(usize, M::State)> {
    loop {
        let waiting = || (0..calls.len()).filter(|call| !contains(done, *call));
        // Whoever was answered before a call was asked comes before it.
        let deadline = waiting().filter_map(|call| calls[call].answered).min();
        let may_be_next: Vec<(usize, M::State)> = waiting()
            .filter(|call| deadline.is_none_or(|deadline| calls[*call].asked <= deadline))
            .filter_map(|call| Some((call, M::apply(state, &calls[call].operation)?)))
            .collect();
        let idle: Vec<usize> = may_be_next
            .iter()
            .filter(|(call, after)| calls[*call].answered.is_some() && after == state)
            .map(|(call, _)| *call)
            .collect();
        if idle.is_empty() {
            return may_be_next;
        }
        for call in idle {
            insert(done, call);
        }
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
}

#[cfg(test)]
mod tests;
