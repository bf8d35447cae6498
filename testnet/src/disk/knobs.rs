//! What a running process's disk and clock are told to do: memory that it shares with whoever breaks
//! it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

const FILE: &str = "disk.knobs";

/// In the order of `struct knobs` of the library.
#[derive(Clone, Copy, Debug)]
enum Knob {
    Lying,
    Failing,
    Full,
    CallsLeft,
    ClockShift,
    FailedAt,
    Said,
}

impl Knob {
    const COUNT: u64 = 7;
}

/// How much room there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Enough,
    /// None is left, says whoever asks; writes succeed all the same.
    NoneReported,
    /// Nothing can be written.
    None,
}

/// The knobs of one validator.
#[derive(Debug)]
pub struct Knobs(File);

impl Knobs {
    /// All of them at rest.
    pub(super) fn create(home: &Path) -> io::Result<()> {
        File::create(home.join(FILE))?.set_len(8 * Knob::COUNT)
    }

    /// Those of the validator with this home.
    ///
    /// # Errors
    /// Where its disk was never made faulty.
    pub fn of(home: &Path) -> io::Result<Self> {
        Ok(Self(OpenOptions::new().read(true).write(true).open(home.join(FILE))?))
    }

    fn set(&self, knob: Knob, value: u64) -> io::Result<()> {
        self.0.write_all_at(&value.to_ne_bytes(), 8 * knob as u64)
    }

    fn get(&self, knob: Knob) -> io::Result<u64> {
        let mut bytes = [0; 8];
        self.0.read_exact_at(&mut bytes, 8 * knob as u64)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    /// Whether syncs report success and reach nothing.
    ///
    /// # Errors
    /// Where the knobs are gone. So for all of them.
    pub fn lie(&self, lying: bool) -> io::Result<()> {
        self.set(Knob::Lying, lying.into())
    }

    /// Has so many of the next syncs fail. Afterwards they succeed again, but what a failed one was
    /// to save is never saved, as on Linux.
    ///
    /// # Errors
    /// As [`lie`](Self::lie).
    pub fn fail_syncs(&self, count: u64) -> io::Result<()> {
        self.set(Knob::FailedAt, 0)?;
        self.set(Knob::Said, 0)?;
        self.set(Knob::Failing, count)
    }

    /// When a sync of a write-ahead log first failed since [`fail_syncs`](Self::fail_syncs), since
    /// 1970, and how many bytes of promises there were then.
    ///
    /// # Errors
    /// As [`lie`](Self::lie).
    pub fn failed(&self) -> io::Result<Option<(Duration, u64)>> {
        let at = self.get(Knob::FailedAt)?;
        Ok((at > 0).then_some((Duration::from_nanos(at), self.get(Knob::Said)?)))
    }

    /// How much room there is from now on.
    ///
    /// # Errors
    /// As [`lie`](Self::lie).
    pub fn leave(&self, room: Room) -> io::Result<()> {
        self.set(Knob::Full, room as u64)
    }

    /// Has the process end right before the call with this number, counted from 1, that changes its
    /// disk; 0: it goes on.
    ///
    /// # Errors
    /// As [`lie`](Self::lie).
    pub fn die_before_call(&self, number: u64) -> io::Result<()> {
        self.set(Knob::CallsLeft, number)
    }

    /// By how much the wall clock is wrong, in milliseconds.
    ///
    /// # Errors
    /// As [`lie`](Self::lie).
    pub fn shift_clock(&self, ms: i64) -> io::Result<()> {
        let nanos = ms.saturating_mul(1_000_000);
        self.set(Knob::ClockShift, u64::from_ne_bytes(nanos.to_ne_bytes()))
    }
}
