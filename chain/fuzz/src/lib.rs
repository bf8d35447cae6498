//! Inputs that nobody meant, for everything that reads bytes from outside.
//!
//! A [`Target`] is a function over bytes and some inputs that are right. It is given the shared
//! [corpus](corpus) of hostile inputs, then mutations of both: the same ones on every machine. It may
//! refuse an input or accept it, and must not panic; what a target asserts of accepted inputs (that
//! they encode to the same bytes, say) counts as well. An input that fails is made small before it is
//! shown.
//!
//! Targets are tests beside the code that they are about. `FUZZ_INPUTS` says how many inputs each
//! gets: some thousand in `make test`, a hundred million in `make soak`, or as many as fit in an hour.
//! `FUZZ_SEED` begins elsewhere.

pub mod corpus;
mod mutate;
mod shrink;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use corpus::Form;

/// Inputs of a target where nothing else is said.
const INPUTS: u64 = 20_000;
/// Where that does not suffice for its inputs, a target is done.
const LONGEST: Duration = Duration::from_hours(1);
/// After so many inputs it is told how far it is.
const TELL_EVERY: u64 = 10_000_000;
/// Most inputs that were accepted and are mutated further, one in place of another.
const KEPT: usize = 256;

/// Something that reads bytes from outside.
pub struct Target<'a> {
    name: &'static str,
    form: Form,
    /// Inputs that are right.
    samples: Vec<Vec<u8>>,
    /// How many inputs it gets where nothing is said.
    usual: u64,
    run: Reader<'a>,
}

/// Whether it accepts an input. A panic is a failure.
type Reader<'a> = Box<dyn FnMut(&[u8]) -> bool + 'a>;

impl std::fmt::Debug for Target<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Mutations without a target: for what is reached over a socket.
#[derive(Debug)]
pub struct Inputs {
    form: Form,
    pool: Vec<Vec<u8>>,
    dice: ChaCha20Rng,
}

impl Inputs {
    /// Of inputs that are right, and the corpus of their form.
    pub fn new(form: Form, samples: impl IntoIterator<Item = Vec<u8>>, seed: u64) -> Self {
        let pool = samples.into_iter().chain(corpus::of(form)).collect();
        Self { form, pool, dice: ChaCha20Rng::seed_from_u64(seed) }
    }

    /// Another one.
    pub fn next_input(&mut self) -> Vec<u8> {
        mutate::mutated(&self.pool, self.form, &mut self.dice)
    }
}

/// What a target was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub inputs: u64,
    pub accepted: u64,
}

/// An input that a target does not survive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Made small.
    pub input: Vec<u8>,
    pub panic: String,
}

impl<'a> Target<'a> {
    pub fn new(
        name: &'static str,
        form: Form,
        samples: impl IntoIterator<Item = Vec<u8>>,
        run: impl FnMut(&[u8]) -> bool + 'a,
    ) -> Self {
        let samples = samples.into_iter().collect();
        Self { name, form, samples, usual: INPUTS, run: Box::new(run) }
    }

    /// For one that takes long: where nothing is said it gets one in so many of the usual inputs.
    #[must_use]
    pub const fn slow(mut self, one_in: u64) -> Self {
        self.usual = INPUTS / one_in;
        self
    }

    /// Runs it, and prints how many inputs it was given.
    ///
    /// # Panics
    /// With the smallest input found that it does not survive, or where it refuses all its samples.
    #[track_caller]
    pub fn check(mut self) {
        let inputs = number("FUZZ_INPUTS", self.usual);
        match self.search(inputs, number("FUZZ_SEED", 0)) {
            Ok(Report { inputs, accepted }) => {
                println!("fuzz target {}: {inputs} inputs, {accepted} accepted", self.name);
            }
            Err(Failure { input, panic }) => panic!(
                "fuzz target {} does not survive {} bytes: {panic}\nhex:  {}\ntext: {:?}",
                self.name,
                input.len(),
                hex::encode(&input),
                String::from_utf8_lossy(&input)
            ),
        }
    }

    /// Gives it so many inputs, fewer where they take longer than an hour.
    ///
    /// # Errors
    /// The first one that it does not survive, made small.
    ///
    /// # Panics
    /// Where it refuses a sample, so that nothing behind its first check is reached.
    pub fn search(&mut self, inputs: u64, seed: u64) -> Result<Report, Failure> {
        let mut dice = ChaCha20Rng::seed_from_u64(seed);
        let (began, mut report) = (Instant::now(), Report { inputs: 0, accepted: 0 });
        let mut pool = self.samples.clone();
        for sample in &self.samples.clone() {
            assert!(self.feed(sample, &mut report)?, "{} refuses one of its samples", self.name);
        }
        let hostile = corpus::of(self.form);
        for input in &hostile {
            self.feed(input, &mut report)?;
        }
        pool.extend(hostile);
        let given = pool.len();
        while report.inputs < inputs && began.elapsed() < LONGEST {
            if report.inputs.is_multiple_of(TELL_EVERY) {
                eprintln!("fuzz target {}: {} of {inputs} inputs so far", self.name, report.inputs);
            }
            let input = mutate::mutated(&pool, self.form, &mut dice);
            if !self.feed(&input, &mut report)? || pool.contains(&input) {
                continue;
            }
            if pool.len() < given + KEPT {
                pool.push(input);
            } else {
                // So that a long run goes on to inputs that are further and further away.
                let earlier = dice.random_range(given..pool.len());
                pool[earlier] = input;
            }
        }
        Ok(report)
    }

    fn feed(&mut self, input: &[u8], report: &mut Report) -> Result<bool, Failure> {
        report.inputs += 1;
        let run = &mut self.run;
        match catch_unwind(AssertUnwindSafe(|| run(input))) {
            Ok(accepted) => {
                report.accepted += u64::from(accepted);
                Ok(accepted)
            }
            Err(panic) => {
                let panic = words(panic.as_ref());
                let fails = |input: &[u8]| catch_unwind(AssertUnwindSafe(|| run(input))).is_err();
                Err(Failure { input: shrink::shrunk(input, fails), panic })
            }
        }
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no words").to_owned()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a whole number"))
    })
}

#[cfg(test)]
mod tests;
