//! Reads on their way to the consensus thread, and their answers.
//!
//! All that wait when a turn ends share one question to the engine.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chain::types::Height;
use tokio::sync::{Semaphore, oneshot};

use super::ConsensusHandle;

/// Most reads that wait at one time.
pub const MAX_READS: usize = 1024;

/// Why a read has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    #[error("this node is no validator: it cannot ask the others how new its chain is")]
    NotAValidator,
    #[error("{MAX_READS} reads wait already")]
    Overloaded,
    #[error("no quorum of the validators said within {0:?} how new the chain is")]
    Unconfirmed(Duration),
    #[error("the node is stopping")]
    Stopping,
}

/// The line of those who wait.
pub(super) struct ReadLine {
    waiting: Mutex<Vec<oneshot::Sender<Height>>>,
    room: Semaphore,
    /// Calls for a turn of the thread.
    wake: Box<dyn Fn() + Send + Sync>,
}

impl std::fmt::Debug for ReadLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReadLine({} waiting)", self.waiting().len())
    }
}

impl ReadLine {
    pub(super) fn new(wake: Box<dyn Fn() + Send + Sync>) -> Arc<Self> {
        let (waiting, room) = (Mutex::default(), Semaphore::new(MAX_READS));
        Arc::new(Self { waiting, room, wake })
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<oneshot::Sender<Height>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConsensusHandle {
    /// Waits until the final chain here holds everything that anybody had been told is final
    /// before this call; answers with its height then.
    ///
    /// # Errors
    /// [`ReadError`]; never an old height.
    pub async fn read(&self, patience: Duration) -> Result<Height, ReadError> {
        if self.status.borrow().me.is_none() {
            return Err(ReadError::NotAValidator);
        }
        let _place = self.reads.room.try_acquire().map_err(|_| ReadError::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        self.reads.waiting().push(answer);
        (self.reads.wake)();
        match tokio::time::timeout(patience, answered).await {
            Ok(Ok(height)) => Ok(height),
            Ok(Err(_)) => Err(ReadError::Stopping),
            Err(_) => Err(ReadError::Unconfirmed(patience)),
        }
    }
}

/// Reads as the consensus thread knows them.
#[derive(Debug)]
pub(super) struct PendingReads {
    line: Arc<ReadLine>,
    next_id: u64,
    /// By the question that serves them. No more than have a place in the line.
    asked: BTreeMap<u64, Vec<oneshot::Sender<Height>>>,
}

impl PendingReads {
    /// Questions are numbered from the time on, so that an answer to a question of an earlier run
    /// of this node answers none of this one.
    pub(super) fn new(line: Arc<ReadLine>) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let next_id = u64::try_from(now.as_nanos()).unwrap_or_default();
        Self { line, next_id, asked: BTreeMap::new() }
    }

    /// Takes those who wait; answers with the number of the question that serves them, if there
    /// are any. Forgets who does not wait any more.
    pub(super) fn take(&mut self) -> Option<u64> {
        let mut taken = std::mem::take(&mut *self.line.waiting());
        taken.retain(|waiting| !waiting.is_closed());
        if taken.is_empty() {
            return None;
        }
        self.asked.retain(|_, asked| asked.iter().any(|waiting| !waiting.is_closed()));
        let id = self.next_id;
        self.next_id += 1;
        self.asked.insert(id, taken);
        Some(id)
    }

    pub(super) fn answer(&mut self, id: u64, height: Height) {
        for waiting in self.asked.remove(&id).unwrap_or_default() {
            // It may have given up.
            let _ = waiting.send(height);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn wait(line: Arc<ReadLine>) -> Option<Height> {
        let (answer, answered) = oneshot::channel();
        line.waiting().push(answer);
        answered.await.ok()
    }

    #[tokio::test]
    async fn all_who_wait_share_a_question_and_who_gave_up_is_forgotten() {
        let line = ReadLine::new(Box::new(|| {}));
        let mut pending = PendingReads::new(Arc::clone(&line));
        assert_eq!(pending.take(), None);
        let [first, second, gone] = [0; 3].map(|_| tokio::spawn(wait(Arc::clone(&line))));
        while line.waiting().len() < 3 {
            tokio::task::yield_now().await;
        }
        gone.abort();
        let _ = gone.await;
        let id = pending.take().expect("two wait");
        let third = tokio::spawn(wait(Arc::clone(&line)));
        while line.waiting().is_empty() {
            tokio::task::yield_now().await;
        }
        let next = pending.take().expect("one waits");
        assert!(next > id);
        pending.answer(id, Height::new(7));
        for waited in [first, second] {
            assert_eq!(waited.await.unwrap(), Some(Height::new(7)));
        }
        third.abort();
        let _ = third.await;
        let last = tokio::spawn(wait(Arc::clone(&line)));
        while line.waiting().is_empty() {
            tokio::task::yield_now().await;
        }
        pending.take().expect("one waits");
        assert_eq!(pending.asked.len(), 1, "nobody waits for the question before");
        drop(pending);
        assert_eq!(last.await.unwrap(), None, "the thread ended");
    }
}
