//! The clients: what they send, and what of it is not final yet.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::transaction::{Body, SignedTransaction};
use chain::types::{Digest, Height};
use consensus::engine::{Engine, Time};

use super::World;
use crate::application::{self, Change, Workload};
use crate::genesis::Genesis;
use crate::invariants::Observation;
use crate::plan::Plan;
use crate::trace::Happening;

/// The number of the client that changes the validator set.
const GOVERNOR: usize = 500;

/// Clients and what they sent.
pub(super) struct Clients {
    signers: Vec<Box<dyn chain::crypto::Signer + Send>>,
    workload: Workload,
    submitted: u64,
    /// Asks for changes of the validator set: how many so far, and the last.
    governor: Box<dyn chain::crypto::Signer + Send>,
    changes: u64,
    last_change: Option<Digest>,
    reads: u64,
    /// Sent and not final anywhere honest.
    open: BTreeMap<Digest, (Time, SignedTransaction)>,
}

impl Clients {
    pub(super) fn new(plan: &Plan) -> Self {
        let signers = (0..plan.load.senders.max(1))
            .map(|sender| Genesis::client(plan.signatures, plan.seed, sender))
            .collect();
        Self {
            signers,
            workload: plan.workload,
            submitted: 0,
            governor: Genesis::client(plan.signatures, plan.seed, GOVERNOR),
            changes: 0,
            last_change: None,
            reads: 0,
            open: BTreeMap::new(),
        }
    }

    pub(super) fn submitted(&self) -> u64 {
        self.submitted
    }

    /// How many changes of the validator set were asked for.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether one of them is not final yet.
    pub(super) fn is_governing(&self) -> bool {
        self.last_change.is_some_and(|change| self.open.contains_key(&change))
    }

    /// Takes a transaction off the open ones; gives when it was sent.
    pub(super) fn close(&mut self, hash: &Digest) -> Option<Time> {
        self.open.remove(hash).map(|(since, _)| since)
    }
}

impl<E: Engine> World<E> {
    /// Transactions sent and not final at any honest node.
    pub fn open_transactions(&self) -> usize {
        self.clients.open.len()
    }

    /// Clients send one more transaction, to every node that is up.
    pub fn submit(&mut self) {
        let (workload, number) = (self.clients.workload, self.clients.submitted);
        let receiver = self.clients.signers[self.sender(number + 1)].public().address();
        self.submit_body(application::body(workload, number, receiver));
    }

    /// A client asks for a change of the validator set.
    pub fn submit_change(&mut self, change: &Change) {
        let nonce = self.clients.changes;
        self.clients.changes += 1;
        let governor = self.clients.governor.as_ref();
        let chain_id = self.genesis.chain_id;
        let transaction = application::signed(chain_id, governor, nonce, change.body());
        self.clients.last_change = Some(transaction.hash());
        self.launch(transaction);
    }

    /// Who sends the transaction of this number.
    fn sender(&self, number: u64) -> usize {
        usize::try_from(number % self.clients.signers.len() as u64).expect("below a length")
    }

    fn submit_body(&mut self, body: Body) {
        let number = self.clients.submitted;
        self.clients.submitted += 1;
        let signer = self.clients.signers[self.sender(number)].as_ref();
        let nonce = number / self.clients.signers.len() as u64;
        let transaction = application::signed(self.genesis.chain_id, signer, nonce, body);
        self.launch(transaction);
    }

    pub(super) fn launch(&mut self, transaction: SignedTransaction) {
        let hash = transaction.hash();
        self.trace.event(self.now, b's', 0, &hash.0);
        self.trace.tell(self.now, || Happening::Submit { transaction: hash });
        self.record.submitted(self.now, hash);
        self.clients.open.insert(hash, (self.now, transaction.clone()));
        self.offer(&transaction);
    }

    /// Clients offer again what is not final: pools do not survive a crash.
    pub(super) fn offer_again(&mut self) {
        let open: Vec<SignedTransaction> =
            self.clients.open.values().map(|(_, transaction)| transaction.clone()).collect();
        for transaction in open {
            self.offer(&transaction);
        }
    }

    /// Gives a transaction to every node that is up.
    pub fn offer(&mut self, transaction: &SignedTransaction) {
        let submitted = Observation::Submitted { transaction: transaction.hash() };
        self.invariants.observe(self.now, &submitted);
        for node in 0..self.nodes.len() {
            self.hand(node, transaction);
        }
    }

    /// Gives a transaction to one node, if it is up.
    pub fn offer_to(&mut self, node: usize, transaction: &SignedTransaction) {
        let submitted = Observation::Submitted { transaction: transaction.hash() };
        self.invariants.observe(self.now, &submitted);
        self.hand(node, transaction);
    }

    fn hand(&mut self, node: usize, transaction: &SignedTransaction) {
        let target = &mut self.nodes[node];
        let Some(driver) = &mut target.driver else { return };
        if target.liar.as_mut().is_some_and(|(liar, _)| !liar.hears(transaction)) {
            return;
        }
        if driver.application_mut().submit(transaction) {
            self.want_turn(node);
        }
    }

    /// A client asks a node for a state as new as now, where the engine answers such questions.
    /// Answers with the number of the question.
    pub fn read(&mut self, node: usize) -> Option<u64> {
        if self.nodes[node].driver.is_none() || !self.is_honest(node) {
            return None;
        }
        self.clients.reads += 1;
        let id = self.clients.reads;
        self.trace.event(self.now, b'r', node, &id.to_le_bytes());
        self.invariants.observe(self.now, &Observation::ReadAsked { id });
        let turned = self.nodes[node].read(self.now, id);
        self.digest_turn(node, turned);
        Some(id)
    }

    /// The same, waiting for the answer for a while: from which height on the state is that new.
    pub fn read_within(&mut self, node: usize, patience: Duration) -> Option<Height> {
        let id = self.read(node)?;
        let end = self.now + patience;
        self.run_until(end, |world| world.record.reads.contains_key(&id));
        self.record.reads.get(&id).copied()
    }
}
