//! Which messages are shown: far more travel than anybody can see.
//!
//! Every moment a few links stand for all messages of their class.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chain::certificate::VoteKind;

use crate::dashboard::class::Class;
use crate::dashboard::event::Send;

/// Most messages that are told at a time.
const SHOWN: usize = 6;
/// Most links and kinds that wait to be told.
const WAITING: usize = 4096;

/// Sums of messages that wait to be told.
#[derive(Debug, Default)]
pub(super) struct Sampler(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    sums: BTreeMap<Key, Send>,
    /// Counts up, so that another link is shown each time.
    turn: usize,
}

/// Messages of one key are one event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    class: Class,
    from: usize,
    to: usize,
    message: String,
    vote: Option<VoteKind>,
}

impl Sampler {
    /// Adds messages of one link.
    pub(super) fn add(&self, send: Send) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Send { class, from, to, vote, .. } = send;
        let key = Key { class, from, to, message: send.message.clone(), vote };
        if let Some(sum) = waiting.sums.get_mut(&key) {
            let (count, bytes) = (sum.count + send.count, sum.bytes + send.bytes);
            *sum = Send { count, bytes, ..send };
        } else if waiting.sums.len() < WAITING {
            waiting.sums.insert(key, send);
        }
    }

    /// Takes what stands for everything that was added since the last time: some of each class,
    /// with the counts of those that are left out.
    pub(super) fn take(&self) -> Vec<Send> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.turn = waiting.turn.wrapping_add(1);
        let turn = waiting.turn;
        let mut classes: BTreeMap<Class, Vec<Send>> = BTreeMap::new();
        for (key, send) in std::mem::take(&mut waiting.sums) {
            classes.entry(key.class).or_default().push(send);
        }
        drop(waiting);
        let mut shares = shares(classes.iter().map(|(class, sends)| (*class, sends.len())));
        let mut shown = Vec::new();
        for (class, mut sends) in classes {
            let share = shares.remove(&class).unwrap_or_default();
            if share == 0 {
                continue;
            }
            let start = turn * share % sends.len();
            sends.rotate_left(start);
            let rest = sends.split_off(share);
            for (place, left_out) in rest.into_iter().enumerate() {
                let stands = &mut sends[place % share];
                stands.count += left_out.count;
                stands.bytes += left_out.bytes;
            }
            shown.append(&mut sends);
        }
        shown
    }
}

/// How many of each class are shown: elections first, signs of life last.
fn shares(found: impl Iterator<Item = (Class, usize)>) -> BTreeMap<Class, usize> {
    let found: BTreeMap<Class, usize> = found.collect();
    let mut shares: BTreeMap<Class, usize> = BTreeMap::new();
    let order = [
        Class::ViewChange,
        Class::Append,
        Class::Prepare,
        Class::Commit,
        Class::Ack,
        Class::Block,
        Class::Sync,
        Class::Other,
    ];
    let (mut left, mut given) = (SHOWN, true);
    while left > 0 && given {
        given = false;
        for class in order {
            let share = shares.entry(class).or_default();
            if left > 0 && *share < found.get(&class).copied().unwrap_or_default() {
                *share += 1;
                left -= 1;
                given = true;
            }
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn send(class: Class, message: &str, from: usize, to: usize) -> Send {
        Send {
            node: from,
            from,
            to,
            message: message.to_owned(),
            class,
            vote: None,
            count: 10,
            bytes: 1000,
            view: None,
            height: None,
            arrives_ms: None,
            lost: false,
        }
    }

    #[test]
    fn a_few_links_stand_for_all() {
        let sampler = Sampler::default();
        let mut seen = BTreeSet::new();
        for _ in 0..50 {
            for (from, to) in (0..10).flat_map(|from| (0..10).map(move |to| (from, to))) {
                sampler.add(send(Class::Append, "append", from, to));
                sampler.add(send(Class::Prepare, "votes", from, to));
            }
            let shown = sampler.take();
            assert_eq!(shown.len(), SHOWN);
            let count = |class| -> u64 {
                shown.iter().filter(|send| send.class == class).map(|send| send.count).sum()
            };
            assert_eq!((count(Class::Append), count(Class::Prepare)), (1000, 1000));
            seen.extend(shown.iter().map(|send| (send.from, send.to)));
        }
        assert!(seen.len() > 60, "every link has its turn: {} of 100", seen.len());
        assert!(sampler.take().is_empty());
    }

    #[test]
    fn elections_come_first_and_one_of_each_class_is_shown() {
        let sampler = Sampler::default();
        for to in 0..20 {
            sampler.add(send(Class::Other, "heartbeat", 0, to));
            sampler.add(send(Class::ViewChange, "new_view", 0, to));
            sampler.add(send(Class::Append, "append", 0, to));
        }
        let shown = sampler.take();
        let count = |class| shown.iter().filter(|send| send.class == class).count();
        assert_eq!([Class::ViewChange, Class::Append, Class::Other].map(count), [2, 2, 2]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let sampler = Sampler::default();
        for to in 0..3 * WAITING {
            sampler.add(send(Class::Other, "heartbeat", 0, to));
        }
        assert_eq!(sampler.0.lock().unwrap().sums.len(), WAITING);
    }
}
