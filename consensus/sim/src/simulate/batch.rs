//! Many runs on all cores, told in the order in which they were asked for.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;
use std::thread;

use super::{InvalidRequest, Request};
use crate::report::Report;

/// Makes every run and hands each report to `each`, in the order of `requests` whatever the order
/// in which they end. Stops early where `each` says false. A run depends on its request alone, so
/// how many threads there are changes nothing but the time it takes.
///
/// # Errors
/// The first request that there is no run for; then none was made.
pub fn run_all(
    requests: &[Request],
    threads: NonZeroUsize,
    mut each: impl FnMut(&Request, Report) -> bool,
) -> Result<(), InvalidRequest> {
    requests.iter().try_for_each(Request::check)?;
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel(threads.get() * 2);
    thread::scope(|scope| {
        for _ in 0..threads.get().min(requests.len()) {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            scope.spawn(move || work(requests, next, stop, &sender));
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        for (place, request) in requests.iter().enumerate() {
            let report = loop {
                if let Some(report) = waiting.remove(&place) {
                    break report;
                }
                let (done, report) = receiver.recv().expect("every request is answered")?;
                waiting.insert(done, report);
            };
            if !each(request, report) {
                stop.store(true, Relaxed);
                break;
            }
        }
        drop(receiver);
        Ok(())
    })
}

type Answer = Result<(usize, Report), InvalidRequest>;

fn work(
    requests: &[Request],
    next: &AtomicUsize,
    stop: &AtomicBool,
    sender: &mpsc::SyncSender<Answer>,
) {
    while !stop.load(Relaxed) {
        let place = next.fetch_add(1, Relaxed);
        let Some(request) = requests.get(place) else {
            return;
        };
        if sender.send(request.run().map(|report| (place, report))).is_err() {
            return;
        }
    }
}
