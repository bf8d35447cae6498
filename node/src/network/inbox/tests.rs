use std::time::Duration;

use bincode::{Decode, Encode};
use chain::block::SealedBlock;
use chain::codec::Bounded;
use chain::types::{Digest, ValidatorIndex};
use consensus::message::{Rewrite, Slot};

use super::*;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
struct Note(u8, u32);

impl Bounded for Note {
    const MAX_BYTES: usize = 4096;
}

impl EngineMessage for Note {
    fn kind(&self) -> &'static str {
        "note"
    }

    fn lane(&self) -> Lane {
        Lane::ALL[usize::from(self.0)]
    }

    fn proposals(&self) -> &[SealedBlock] {
        &[]
    }

    fn statements(&self, _: ValidatorIndex, _: &Digest, _: &mut dyn FnMut(Slot, Digest)) {}

    fn rewrite(&self, _: &Digest, _: &mut dyn Rewrite) -> Self {
        self.clone()
    }
}

fn taken(inbox: &Inbox<Note>) -> Vec<(PeerId, Note)> {
    match inbox.wait(Some(Instant::now())) {
        Waited::Turn(messages) => messages,
        Waited::Stopped => panic!("stopped"),
    }
}

#[tokio::test]
async fn votes_come_first_and_peers_take_turns() {
    let inbox = Inbox::new();
    let mut peers = [PeerId::random(), PeerId::random()];
    peers.sort();
    let [a, b] = peers;
    for number in 0..3 {
        inbox.put(a, Note(1, number), 10).await;
    }
    inbox.put(a, Note(0, 7), 10).await;
    inbox.put(b, Note(1, 8), 10).await;
    inbox.put(b, Note(0, 9), 10).await;
    let order: Vec<_> = taken(&inbox).into_iter().map(|(peer, note)| (peer == a, note)).collect();
    let expected = [
        (true, Note(0, 7)),
        (false, Note(0, 9)),
        (true, Note(1, 0)),
        (false, Note(1, 8)),
        (true, Note(1, 1)),
        (true, Note(1, 2)),
    ];
    assert_eq!(order, expected);
}

#[tokio::test]
async fn one_turn_takes_a_bounded_number_of_each_peer() {
    let inbox = Inbox::new();
    let [flooder, other] = [PeerId::random(), PeerId::random()];
    while Arc::clone(&inbox.room(flooder)).available_permits() > 0 {
        inbox.put(flooder, Note(0, 0), 1).await;
    }
    inbox.put(other, Note(2, 1), 1).await;
    let turn = taken(&inbox);
    assert!(turn.iter().filter(|(peer, _)| *peer == flooder).count() <= MAX_PER_PEER_AND_TURN);
    assert!(turn.iter().any(|(peer, _)| *peer == other));
}

#[tokio::test]
async fn a_full_place_makes_its_peer_wait_and_nobody_else() {
    let inbox = Arc::new(Inbox::new());
    let [slow, other] = [PeerId::random(), PeerId::random()];
    for number in 0..2 {
        inbox.put(slow, Note(1, number), 4096).await;
    }
    inbox.try_put(slow, Note(1, 99), 1);
    let waiting = tokio::spawn({
        let inbox = inbox.clone();
        async move { inbox.put(slow, Note(1, 2), 4096).await }
    });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    inbox.put(other, Note(1, 3), 4096).await;

    assert_eq!(taken(&inbox).len(), 3, "what did not wait for its turn was dropped");
    waiting.await.unwrap();
    assert_eq!(taken(&inbox), [(slow, Note(1, 2))]);
}

#[test]
fn a_wait_ends_by_deadline_wake_up_message_or_stop() {
    let inbox = Arc::new(Inbox::<Note>::new());
    assert!(taken(&inbox).is_empty());
    inbox.wake();
    inbox.wake();
    assert!(matches!(inbox.wait(None), Waited::Turn(messages) if messages.is_empty()));

    let waiting = std::thread::spawn({
        let inbox = inbox.clone();
        move || inbox.wait(Some(Instant::now() + Duration::from_secs(60)))
    });
    inbox.try_put(PeerId::random(), Note(0, 1), 1);
    assert!(matches!(waiting.join().unwrap(), Waited::Turn(messages) if messages.len() == 1));

    inbox.stop();
    inbox.wake();
    assert!(matches!(inbox.wait(None), Waited::Stopped));
}
