//! Our engines, driven by the driver of production.

use consensus::engine::Engine;
use consensus_sim::direct::{Carriage, Direct, Setup};
use consensus_sim::plan::EngineOptions;
use consensus_sim::signatures::SignatureRule;

use super::{Contestant, OPERATION_BYTES, SERVERS};

/// Servers of one engine.
pub struct Ours<E: Engine> {
    servers: Direct<E>,
    number: u64,
}

impl<E: Engine> Ours<E> {
    pub fn new(carriage: Carriage, batch: usize) -> Self {
        let setup = Setup::new(SERVERS, EngineOptions::default(), batch);
        // Engines for crashes alone sign nothing.
        let setup = Setup { carriage, signatures: SignatureRule::Cheap, ..setup };
        Self { servers: Direct::new(setup), number: 0 }
    }
}

impl<E: Engine> Contestant for Ours<E> {
    fn order(&mut self, operations: usize) {
        let numbers = self.number..self.number + operations as u64;
        self.number = numbers.end;
        let made = self.servers.transactions(numbers, OPERATION_BYTES);
        self.servers.submit(made);
        self.servers.settle();
    }

    fn messages(&self) -> u64 {
        self.servers.costs().messages
    }

    fn decided(&self) -> u64 {
        self.servers.costs().transactions
    }
}
