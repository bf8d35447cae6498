//! Processes with everybody that they started: their processor time, their sleep.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use procfs::process::{Stat, all_processes};

/// A process and everybody that it started.
fn tree(root: u32) -> Vec<Stat> {
    let processes = all_processes().expect("/proc");
    let mut stats: Vec<Stat> = processes.filter_map(|process| process.ok()?.stat().ok()).collect();
    let mut tree = BTreeSet::from([i32::try_from(root).expect("a process")]);
    loop {
        let children = stats.iter().filter(|one| tree.contains(&one.ppid)).map(|one| one.pid);
        let larger: BTreeSet<i32> = tree.iter().copied().chain(children).collect();
        if larger.len() == tree.len() {
            break;
        }
        tree = larger;
    }
    stats.retain(|one| tree.contains(&one.pid));
    stats
}

/// What the living of a tree of processes used so far, and what they know of their dead children.
pub(crate) fn time_of_tree(root: u32) -> Duration {
    let used = |one: &Stat| one.utime + one.stime + (one.cutime + one.cstime).unsigned_abs();
    let ticks: u64 = tree(root).iter().map(used).sum();
    Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64)
}

/// Processes that rest for as long as this lives.
pub(crate) struct Asleep {
    root: u32,
}

impl Asleep {
    pub(crate) fn tree(root: u32) -> Self {
        signal(root, Signal::SIGSTOP);
        Self { root }
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        signal(self.root, Signal::SIGCONT);
    }
}

fn signal(root: u32, signal: Signal) {
    for one in tree(root) {
        // Who ended meanwhile needs none.
        let _ = kill(Pid::from_raw(one.pid), signal);
    }
}
