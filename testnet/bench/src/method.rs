//! How things are compared: turn and turn about in one run, one ratio per pair.

use std::time::Duration;

use anyhow::ensure;
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

/// Fewest pairs whose ratios say anything.
pub const MIN_PAIRS: usize = 5;

/// Where the middle of some values is, and how far they are apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
    pub samples: usize,
}

impl Spread {
    /// # Panics
    /// Where there are no values.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
        let middle = sorted.len() / 2;
        let odd = sorted.len() % 2 == 1;
        let median = if odd { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Self { median, low, high, samples: sorted.len() }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { median, low, high, .. } = self;
        write!(f, "{} [{}..{}]", short(*median), short(*low), short(*high))
    }
}

/// A number to three digits, as people read it.
pub fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        tens if tens >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Does all things in turn, so many times, and gives the answers by thing. What changes slowly on
/// the machine changes for all alike.
///
/// # Errors
/// The first of theirs.
pub fn in_turn<T>(
    rounds: usize,
    things: &mut [impl FnMut() -> anyhow::Result<T>],
) -> anyhow::Result<Vec<Vec<T>>> {
    let mut answers: Vec<Vec<T>> = things.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (thing, answers) in things.iter_mut().zip(&mut answers) {
            answers.push(thing()?);
        }
    }
    Ok(answers)
}

/// The ratio of each pair.
///
/// # Errors
/// Where there are fewer pairs than [`MIN_PAIRS`], unless it is a `quick` look.
pub fn ratios(over: &[f64], under: &[f64], quick: bool) -> anyhow::Result<Spread> {
    ensure!(over.len() == under.len(), "what is compared in pairs comes in pairs");
    ensure!(!over.is_empty(), "there is nothing to compare");
    ensure!(quick || over.len() >= MIN_PAIRS, "fewer than {MIN_PAIRS} pairs say nothing");
    let pairs = over.iter().zip(under);
    Ok(Spread::of(&pairs.map(|(over, under)| over / under).collect::<Vec<_>>()))
}

/// Processor time of this process, user and kernel mode, all threads.
///
/// # Errors
/// Where the system does not tell.
pub fn own_cpu() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let of = |time: nix::sys::time::TimeVal| {
        Duration::from_micros(
            u64::try_from(time.tv_sec() * 1_000_000 + time.tv_usec()).unwrap_or(0),
        )
    };
    Ok(of(usage.user_time()) + of(usage.system_time()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_and_the_range_are_those_of_the_values() {
        let odd = Spread::of(&[3.0, 1.0, 2.0]);
        assert_eq!((odd.median, odd.low, odd.high, odd.samples), (2.0, 1.0, 3.0, 3));
        assert_eq!(Spread::of(&[4.0, 1.0]).median, 2.5);
        assert_eq!(odd.to_string(), "2.00 [1.00..3.00]");
        assert_eq!([1234.5, 12.345, 0.1234].map(short), ["1234", "12.3", "0.12"]);
    }

    #[test]
    fn things_take_turns_and_few_pairs_say_nothing() {
        let order = std::cell::RefCell::new(String::new());
        let note = |name: char| {
            let order = &order;
            move || {
                order.borrow_mut().push(name);
                Ok(name)
            }
        };
        let answers = in_turn(3, &mut [note('a'), note('b')]).unwrap();
        assert_eq!(order.into_inner(), "ababab");
        assert_eq!(answers, [['a'; 3], ['b'; 3]]);
        assert!(ratios(&[1.0; 4], &[2.0; 4], false).is_err());
        assert_eq!(ratios(&[1.0; 5], &[2.0; 5], false).unwrap().median, 0.5);
    }
}
