//! The verdicts on transactions that are handed in together: whoever waits for them wakes once.

use std::sync::{Arc, Mutex};

use chain::types::Digest;
use tokio::sync::oneshot;

use super::{SubmitError, lock};

/// What becomes of one transaction.
pub(super) type Verdict = Result<Digest, SubmitError>;

/// What is known of a group. Told when the last [`Ticket`] is gone.
#[derive(Debug)]
struct Group {
    verdicts: Mutex<Vec<Verdict>>,
    told: Option<oneshot::Sender<Vec<Verdict>>>,
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(told) = self.told.take() {
            // Who no longer waits does not need the answer.
            let _ = told.send(std::mem::take(&mut *lock(&self.verdicts)));
        }
    }
}

/// The place of one transaction's verdict. Where it is dropped without one, nobody looks at the
/// transaction any more: [`SubmitError::Closed`].
#[derive(Debug)]
pub(super) struct Ticket {
    group: Arc<Group>,
    place: usize,
}

impl Ticket {
    pub(super) fn give(self, verdict: Verdict) {
        lock(&self.group.verdicts)[self.place] = verdict;
    }
}

/// Tickets for a group of this size, and its verdicts in their order.
pub(super) fn open(count: usize) -> (Vec<Ticket>, oneshot::Receiver<Vec<Verdict>>) {
    let (told, verdicts) = oneshot::channel();
    let unknown = vec![Err(SubmitError::Closed); count];
    let group = Arc::new(Group { verdicts: Mutex::new(unknown), told: Some(told) });
    let ticket = |place| Ticket { group: Arc::clone(&group), place };
    ((0..count).map(ticket).collect(), verdicts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_told_in_order_once_all_are_there_or_given_up() {
        let (mut tickets, mut verdicts) = open(3);
        let digest = |number| Digest([number; 32]);
        tickets.pop().unwrap().give(Ok(digest(2)));
        tickets.remove(0).give(Ok(digest(0)));
        assert!(verdicts.try_recv().is_err(), "one is missing");
        drop(tickets);
        let expected = vec![Ok(digest(0)), Err(SubmitError::Closed), Ok(digest(2))];
        assert_eq!(verdicts.try_recv().unwrap(), expected);
        assert_eq!(open(0).1.try_recv().unwrap(), []);
    }
}
