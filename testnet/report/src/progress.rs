//! Says on stderr how far a study is.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rayon::prelude::*;

/// Time between two lines, at least.
const PACE: Duration = Duration::from_secs(5);

/// Does something with every job, on all cores; the answers are in the order of the jobs, whichever
/// ends first.
pub fn on_all_cores<J: Sync, T: Send>(
    study: &str,
    jobs: &[J],
    work: impl Fn(&J) -> T + Sync,
) -> Vec<T> {
    let (started, done, told) = (Instant::now(), AtomicUsize::new(0), AtomicUsize::new(0));
    let answers = jobs.par_iter().map(|job| {
        let answer = work(job);
        let count = done.fetch_add(1, Relaxed) + 1;
        let periods = started.elapsed().as_secs() as usize / PACE.as_secs() as usize;
        if told.fetch_max(periods, Relaxed) < periods {
            eprintln!("{study}: {count} of {} runs", jobs.len());
        }
        answer
    });
    let answers = answers.collect();
    eprintln!("{study}: {} runs in {:.0} s", jobs.len(), started.elapsed().as_secs_f64());
    answers
}
