//! Messages that leave later.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most messages that wait; more are lost, as on an overloaded link.
const CAPACITY: usize = 4096;

/// Hands messages on in the order they came, each not before its time.
#[derive(Debug)]
pub(super) struct DelayQueue<T> {
    shared: Arc<Shared<T>>,
}

#[derive(Debug)]
struct Shared<T> {
    waiting: Mutex<Waiting<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct Waiting<T> {
    queue: VecDeque<(Instant, T)>,
    closed: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next message when it is due; `None` once the queue is closed.
    fn next(&self) -> Option<T> {
        let mut waiting = self.lock();
        loop {
            if waiting.closed {
                return None;
            }
            let Some((due, _)) = waiting.queue.front() else {
                waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return waiting.queue.pop_front().map(|(_, message)| message);
            }
            waiting =
                self.changed.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl<T: Send + 'static> DelayQueue<T> {
    /// Starts the thread that calls `deliver`; it ends when the queue is dropped.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub(super) fn new(mut deliver: impl FnMut(T) + Send + 'static) -> std::io::Result<Self> {
        let waiting = Waiting { queue: VecDeque::new(), closed: false };
        let shared = Arc::new(Shared { waiting: Mutex::new(waiting), changed: Condvar::new() });
        let thread = Arc::clone(&shared);
        std::thread::Builder::new().name("delayed".into()).spawn(move || {
            while let Some(message) = thread.next() {
                deliver(message);
            }
        })?;
        Ok(Self { shared })
    }
}

impl<T> DelayQueue<T> {
    pub(super) fn push(&self, delay: Duration, message: T) {
        let mut waiting = self.shared.lock();
        if waiting.queue.len() < CAPACITY {
            waiting.queue.push_back((Instant::now() + delay, message));
            self.shared.changed.notify_one();
        }
    }
}

impl<T> Drop for DelayQueue<T> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn messages_come_in_order_and_not_early() {
        let (sender, receiver) = mpsc::channel();
        let queue = DelayQueue::new(move |message: u32| {
            sender.send((Instant::now(), message)).expect("the test listens");
        })
        .expect("a thread");
        let start = Instant::now();
        let delay = Duration::from_millis(30);
        for message in 0..3 {
            queue.push(delay, message);
        }
        for expected in 0..3 {
            let (at, message) =
                receiver.recv_timeout(Duration::from_secs(10)).expect("it is delivered");
            assert_eq!(message, expected);
            assert!(at - start >= delay, "delivered after {:?}", at - start);
        }
    }

    #[test]
    fn a_full_queue_loses_instead_of_growing() {
        let (sender, receiver) = mpsc::channel();
        let queue = DelayQueue::new(move |message: usize| {
            sender.send(message).expect("the test listens");
        })
        .expect("a thread");
        for message in 0..CAPACITY + 10 {
            queue.push(Duration::from_secs(3600), message);
        }
        assert_eq!(queue.shared.lock().queue.len(), CAPACITY);
        drop(queue);
        assert!(receiver.recv_timeout(Duration::from_secs(10)).is_err(), "nothing was due");
    }
}
