//! Processor time of a process and everybody that it started.

use std::collections::BTreeSet;
use std::time::Duration;

use procfs::process::{Stat, all_processes};

/// What the living of a tree of processes used so far, and what they know of their dead children.
pub(crate) fn time_of_tree(root: u32) -> Duration {
    let processes = all_processes().expect("/proc");
    let stats: Vec<Stat> = processes.filter_map(|process| process.ok()?.stat().ok()).collect();
    let mut tree = BTreeSet::from([i32::try_from(root).expect("a process")]);
    loop {
        let children = stats.iter().filter(|one| tree.contains(&one.ppid)).map(|one| one.pid);
        let larger: BTreeSet<i32> = tree.iter().copied().chain(children).collect();
        if larger.len() == tree.len() {
            break;
        }
        tree = larger;
    }
    let ticks: u64 = stats
        .iter()
        .filter(|one| tree.contains(&one.pid))
        .map(|one| one.utime + one.stime + (one.cutime + one.cstime).unsigned_abs())
        .sum();
    Duration::from_secs_f64(ticks as f64 / procfs::ticks_per_second() as f64)
}
