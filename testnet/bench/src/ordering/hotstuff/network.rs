//! HotStuff's network as bounded queues in memory: nothing is lost, copied or encrypted. A message
//! is encoded once by its sender, in the crate's own encoding, and decoded by each receiver; what a
//! replica sends to itself stays as it is.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use borsh::{BorshDeserialize as _, BorshSerialize as _};
use hotstuff_rs::networking::messages::{Message, ProgressMessage};
use hotstuff_rs::networking::network::Network;
use hotstuff_rs::types::crypto_primitives::VerifyingKey;
use hotstuff_rs::types::update_sets::ValidatorSetUpdates;
use hotstuff_rs::types::validator_set::ValidatorSet;

/// How many messages wait for a replica before its peers do.
const QUEUE: usize = 1024;
/// How long a replica waits for a message before it looks whether it is to end.
const LISTEN: Duration = Duration::from_millis(50);
/// How long it takes to advertise. Each replica has a thread that answers those who are behind: it
/// asks for requests in a loop without pause. As it advertises in each round, it pauses here, and
/// processor time is that of ordering. What it advertises also wakes replicas that are to end: they
/// look for that when a message comes.
const ADVERTISE: Duration = Duration::from_millis(100);

/// What is under way.
enum Letter {
    Own(Message),
    From(VerifyingKey, Arc<Vec<u8>>),
}

/// Everybody's inbox. Who sends holds the lock meanwhile: all see messages in one order. Else the
/// votes for a block could overtake it, and the crate ignores a block whose view has ended.
type Inboxes = Arc<Mutex<Vec<(VerifyingKey, SyncSender<Letter>)>>>;

/// A replica's end of the network.
#[derive(Clone)]
pub(super) struct Wire {
    me: VerifyingKey,
    inboxes: Inboxes,
    inbox: Arc<Mutex<Receiver<Letter>>>,
}

/// One end for each member, in their order.
pub(super) fn between(members: &[VerifyingKey]) -> Vec<Wire> {
    let (senders, receivers): (Vec<_>, Vec<_>) =
        members.iter().map(|_| sync_channel(QUEUE)).unzip();
    let inboxes: Inboxes = Arc::new(Mutex::new(members.iter().copied().zip(senders).collect()));
    let wire = |(me, inbox): (&VerifyingKey, Receiver<Letter>)| Wire {
        me: *me,
        inboxes: Arc::clone(&inboxes),
        inbox: Arc::new(Mutex::new(inbox)),
    };
    members.iter().zip(receivers).map(wire).collect()
}

fn encode(message: &Message) -> Arc<Vec<u8>> {
    Arc::new(message.try_to_vec().expect("memory takes every message"))
}

fn put(inbox: &SyncSender<Letter>, letter: Letter) {
    // Who hears nothing any more has ended.
    let _ = inbox.send(letter);
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Network for Wire {
    fn init_validator_set(&mut self, _: ValidatorSet) {}

    fn update_validator_set(&mut self, _: ValidatorSetUpdates) {}

    fn broadcast(&mut self, message: Message) {
        if let Message::ProgressMessage(ProgressMessage::BlockSyncAdvertiseMessage(_)) = message {
            thread::sleep(ADVERTISE);
        }
        let encoded = encode(&message);
        let mut own = Some(message);
        for (peer, inbox) in lock(&self.inboxes).iter() {
            let letter = match own.take_if(|_| *peer == self.me) {
                Some(message) => Letter::Own(message),
                None => Letter::From(self.me, Arc::clone(&encoded)),
            };
            put(inbox, letter);
        }
    }

    fn send(&mut self, peer: VerifyingKey, message: Message) {
        let letter = if peer == self.me {
            Letter::Own(message)
        } else {
            Letter::From(self.me, encode(&message))
        };
        let inboxes = lock(&self.inboxes);
        if let Some((_, inbox)) = inboxes.iter().find(|(member, _)| *member == peer) {
            put(inbox, letter);
        }
    }

    fn recv(&mut self) -> Option<(VerifyingKey, Message)> {
        let letter = lock(&self.inbox).recv_timeout(LISTEN).ok()?;
        match letter {
            Letter::Own(message) => Some((self.me, message)),
            Letter::From(peer, encoded) => {
                let message = Message::try_from_slice(&encoded).expect("a replica encoded it");
                Some((peer, message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hotstuff_rs::block_sync::messages::BlockSyncRequest;
    use hotstuff_rs::types::crypto_primitives::SigningKey;
    use hotstuff_rs::types::data_types::{BlockHeight, ChainID};

    use super::*;

    #[test]
    fn a_message_reaches_those_it_is_for_and_its_sender_too() {
        let members = [1, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]).verifying_key());
        let mut wires = between(&members);
        let request = BlockSyncRequest {
            chain_id: ChainID::new(1),
            start_height: BlockHeight::new(2),
            limit: 3,
        };
        let message = || Message::from(request.clone());
        let expected = message().try_to_vec().unwrap();
        let heard = |wires: &mut Vec<Wire>| -> Vec<bool> {
            let from_first = |wire: &mut Wire| {
                let heard = wire.recv();
                heard.is_some_and(|(from, message)| {
                    from == members[0] && message.try_to_vec().unwrap() == expected
                })
            };
            wires.iter_mut().map(from_first).collect()
        };
        wires[0].broadcast(message());
        assert_eq!(heard(&mut wires), [true; 3]);
        wires[0].send(members[1], message());
        assert_eq!(heard(&mut wires), [false, true, false]);
        wires[0].send(members[0], message());
        assert_eq!(heard(&mut wires), [true, false, false]);
    }
}
