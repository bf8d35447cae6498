//! The production driver where the disk fails for good and says so.

use std::rc::Rc;
use std::time::Duration;

use chain::block::SealedBlock;
use chain::types::{Digest, Height};
use chain::validator::ValidatorSet;
use consensus::application::{Finals, Storage, StorageError};
use consensus::driver::{Driver, Incoming, Outbox};
use consensus::engine::{Recipients, Time};
use consensus::hybrid::{Hybrid, Message, Safety};
use consensus_sim::application::SimApplication;
use consensus_sim::disk::Disk;
use consensus_sim::genesis::Genesis;
use consensus_sim::scenarios;
use consensus_sim::world::World;

use crate::quill::{Quill, index};

/// A disk that is full: whatever is written fails.
struct Full;

impl Storage<Safety> for Full {
    fn persist(&mut self, _record: &Safety, _blocks: &[SealedBlock]) -> Result<(), StorageError> {
        let source = Box::new(std::io::Error::from(std::io::ErrorKind::StorageFull));
        Err(StorageError { doing: "writing the safety record", source })
    }

    fn finals(&self, _from: Height, _max_bytes: usize) -> Result<Option<Finals>, StorageError> {
        Ok(None)
    }

    fn final_hash(&self, _height: Height) -> Result<Option<Digest>, StorageError> {
        Ok(None)
    }
}

#[derive(Default)]
struct Sent(Vec<Message>);

impl Outbox<Message> for Sent {
    fn seat(&mut self, _sets: &[ValidatorSet]) {}

    fn send(&mut self, _to: Recipients, message: &Message) {
        self.0.push(message.clone());
    }
}

#[test]
fn a_failed_write_stops_the_node_and_nothing_that_waited_leaves() {
    let plan = scenarios::calm(1, 4);
    let world = World::<Hybrid>::new(plan.clone(), 0);
    let genesis = Rc::new(world.genesis().clone());
    let disk: Disk<Safety> = Disk::new(Rc::clone(&genesis));
    let (recovered, snapshot) = disk.recover();
    let signer = Genesis::signer(genesis.rule, plan.seed, 3);
    let verifier = genesis.rule.verifier();
    let config = plan.options.config(genesis.chain_id, signer.public(), verifier);
    let final_hash = recovered.final_hash;
    let application =
        SimApplication::new(genesis.chain_id, genesis.rule, snapshot, final_hash, disk);
    let (start, mut sent) = (Time::default(), Sent::default());
    let mut driver = Driver::<Hybrid, _, _>::start(
        config,
        recovered,
        signer,
        application,
        Full,
        start,
        &mut sent,
    )
    .expect("nothing is written at the start");
    let quill = Quill::new(&genesis, plan.seed);
    let suspicions = [0, 1].map(|sender| {
        let message = Message::Suspect(quill.suspect(sender, 0));
        Incoming { from: index(sender), message }
    });
    let now = start + Duration::from_millis(1);
    assert!(driver.turn(now, suspicions, &mut sent).is_err());
    let promised = sent.0.iter().any(|message| matches!(message, Message::ViewChange(_)));
    assert!(!promised, "{:?}", sent.0);
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        driver.turn(now, [], &mut sent).is_ok()
    }));
    assert!(again.is_err(), "a driver whose storage failed runs no further turn");
}
