//! The simulated world: nodes, the network between them, and one queue of events that decides
//! everything that happens, in the order of (time, sequence).

mod faults;
mod node;
mod record;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::rc::Rc;
use std::time::Duration;

use chain::block::Mode;
use chain::codec;
use chain::crypto::{Domain, Hasher};
use chain::transaction::SignedTransaction;
use chain::types::{Digest, Height, ValidatorIndex};
use consensus::driver::Incoming;
use consensus::engine::{Engine, FaultModel, Recipients, Time};
use consensus::message::EngineMessage;

use crate::application::{Snapshot, transaction};
use crate::byzantine::Hand;
use crate::dice::{Dice, Purpose};
use crate::disk::Disk;
use crate::genesis::Genesis;
use crate::invariants::{Facts, Invariants, Observation, Violation};
use crate::network::Network;
use crate::plan::{Fault, Plan};
use crate::trace::Trace;
use node::{End, Turned};
pub use node::{Node, SimDriver};
pub use record::{BlockTimes, Counters, ModeChange, Record};

/// Most turns in a row that may leave a timeout due at once.
const MAX_SPIN: u32 = 1000;

/// What is on its way or due.
enum Action<M> {
    Deliver {
        to: usize,
        from: ValidatorIndex,
        message: Rc<M>,
        digest: Digest,
    },
    Turn {
        node: usize,
        life: u32,
    },
    Wake {
        node: usize,
        life: u32,
    },
    Restart {
        node: usize,
        life: u32,
    },
    Fault(Fault),
    /// Clients send the next transaction.
    Submit,
    /// Clients offer again what is not final.
    Offer,
}

struct Scheduled<M> {
    at: Time,
    sequence: u64,
    action: Action<M>,
}

impl<M> PartialEq for Scheduled<M> {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl<M> Eq for Scheduled<M> {}

impl<M> PartialOrd for Scheduled<M> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<M> Ord for Scheduled<M> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

/// A message about to travel, shown to a [`World::set_tap`].
#[derive(Debug)]
pub struct Envelope<'a, M> {
    pub now: Time,
    pub from: usize,
    pub to: usize,
    pub message: &'a M,
}

/// A script's say in which messages travel: false drops it.
pub type Tap<M> = Box<dyn FnMut(&Envelope<'_, M>) -> bool>;

/// Clients and what they sent.
struct Clients {
    signers: Vec<Box<dyn chain::crypto::Signer + Send>>,
    submitted: u64,
    /// Sent and not final anywhere honest.
    open: BTreeMap<Digest, (Time, SignedTransaction)>,
}

/// Everything that exists in a run.
pub struct World<E: Engine> {
    plan: Plan,
    genesis: Rc<Genesis>,
    now: Time,
    sequence: u64,
    queue: BinaryHeap<Reverse<Scheduled<E::Message>>>,
    nodes: Vec<Node<E>>,
    network: Network,
    disk_dice: Dice,
    clients: Clients,
    invariants: Invariants,
    trace: Trace,
    record: Record,
    tap: Option<Tap<E::Message>>,
    crashes_allowed: bool,
}

impl<E: Engine> std::fmt::Debug for World<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.plan.seed)
            .field("now", &self.now)
            .field("nodes", &self.nodes)
            .finish_non_exhaustive()
    }
}

impl<E: Engine> World<E> {
    /// The world of a plan, every node started. Keeps the last `lines` lines of a readable trace.
    pub fn new(plan: Plan, lines: usize) -> Self {
        let genesis = Rc::new(genesis_of::<E>(&plan));
        let mut validators: Vec<usize> = (0..plan.validators).collect();
        validators.extend(&plan.twins);
        let mut clocks = Dice::new(plan.seed, Purpose::Plan);
        let nodes: Vec<Node<E>> =
            validators.iter().map(|index| node_of(&plan, &genesis, *index, &mut clocks)).collect();
        let honest = (0..plan.validators)
            .map(|index| {
                !plan.twins.contains(&index) && plan.byzantine.iter().all(|(who, _)| *who != index)
            })
            .collect();
        let facts = Facts { genesis: Rc::clone(&genesis), honest };
        let signers = (0..plan.load.senders.max(1))
            .map(|sender| Genesis::signer(plan.signatures, plan.seed, 1000 + sender))
            .collect();
        let network = Network::new(nodes.len(), plan.link, Dice::new(plan.seed, Purpose::Network));
        let mut world = Self {
            genesis,
            now: Time::default(),
            sequence: 0,
            queue: BinaryHeap::new(),
            network,
            disk_dice: Dice::new(plan.seed, Purpose::Disk),
            clients: Clients { signers, submitted: 0, open: BTreeMap::new() },
            invariants: Invariants::new(facts),
            trace: Trace::new(lines),
            record: Record::default(),
            tap: None,
            crashes_allowed: true,
            nodes,
            plan,
        };
        world.separate_twins();
        for node in 0..world.nodes.len() {
            world.start_node(node);
        }
        for timed in world.plan.faults.clone() {
            world.schedule(Time::default() + timed.at, Action::Fault(timed.fault));
        }
        if world.plan.load.transactions > 0 {
            world.schedule(Time::default() + world.plan.load.interval, Action::Submit);
        }
        world.schedule(Time::default() + world.plan.options.timeout_min, Action::Offer);
        world
    }

    /// Each copy of a twin talks to half of the others; the halves overlap in nobody else.
    fn separate_twins(&mut self) {
        let mut dice = Dice::new(self.plan.seed, Purpose::Byzantine);
        for copy in self.plan.validators..self.nodes.len() {
            let original = usize::from(self.nodes[copy].validator.get());
            for other in (0..self.plan.validators).filter(|other| *other != original) {
                let cut = if dice.below(2) == 0 { copy } else { original };
                self.network.set_blocked(cut, other, true);
                self.network.set_blocked(other, cut, true);
            }
            self.network.set_blocked(copy, original, true);
            self.network.set_blocked(original, copy, true);
        }
    }

    pub fn now(&self) -> Time {
        self.now
    }

    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    pub fn nodes(&self) -> &[Node<E>] {
        &self.nodes
    }

    pub fn node(&self, index: usize) -> &Node<E> {
        &self.nodes[index]
    }

    pub fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    pub fn record(&self) -> &Record {
        &self.record
    }

    pub fn violations(&self) -> &[Violation] {
        self.invariants.violations()
    }

    pub fn chain_id(&self) -> Digest {
        self.genesis.chain_id
    }

    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Transactions sent and not final at any honest node.
    pub fn open_transactions(&self) -> usize {
        self.clients.open.len()
    }

    /// Asks a script about every message before it travels.
    pub fn set_tap(&mut self, tap: Tap<E::Message>) {
        self.tap = Some(tap);
    }

    pub fn clear_tap(&mut self) {
        self.tap = None;
    }

    /// Whether a node runs one unchanged engine with a key of its own.
    pub fn is_honest(&self, node: usize) -> bool {
        self.invariants.facts().honest[usize::from(self.nodes[node].validator.get())]
    }

    /// The nodes that must agree and recover.
    pub fn honest_nodes(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|node| self.is_honest(*node))
    }

    /// The highest final height that an honest node has.
    pub fn max_final(&self) -> Height {
        self.honest_nodes().map(|node| self.nodes[node].final_height()).max().unwrap_or_default()
    }

    /// The lowest final height that an honest node has.
    pub fn min_final(&self) -> Height {
        self.honest_nodes().map(|node| self.nodes[node].final_height()).min().unwrap_or_default()
    }

    /// Lets one event happen; false where nothing is left.
    pub fn step(&mut self) -> bool {
        let Some(Reverse(next)) = self.queue.pop() else {
            return false;
        };
        assert!(next.at >= self.now, "time runs forward");
        self.now = next.at;
        self.act(next.action);
        true
    }

    /// Runs until `end`, a violation, or until `done` says so. Returns whether `done` did.
    pub fn run_until(&mut self, end: Time, mut done: impl FnMut(&Self) -> bool) -> bool {
        loop {
            if done(self) {
                return true;
            }
            let due = self.queue.peek().is_some_and(|Reverse(next)| next.at <= end);
            if !due || !self.violations().is_empty() {
                self.now = self.now.max(end);
                return false;
            }
            self.step();
        }
    }

    /// Runs for a while.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.run_until(end, |_| false);
    }

    fn schedule(&mut self, at: Time, action: Action<E::Message>) {
        self.sequence += 1;
        let scheduled = Scheduled { at, sequence: self.sequence, action };
        self.queue.push(Reverse(scheduled));
    }

    fn act(&mut self, action: Action<E::Message>) {
        match action {
            Action::Deliver { to, from, message, digest } => {
                if self.nodes[to].driver.is_some() {
                    self.trace.event(self.now, b'd', to, &digest.0);
                    let message = Rc::unwrap_or_clone(message);
                    self.nodes[to].inbox.push(Incoming { from, message });
                    self.want_turn(to);
                }
            }
            Action::Turn { node, life } => {
                if self.nodes[node].life == life && self.nodes[node].driver.is_some() {
                    self.nodes[node].turn_scheduled = false;
                    self.turn(node);
                }
            }
            Action::Wake { node, life } => {
                let target = &mut self.nodes[node];
                if target.life == life && target.wake_scheduled == Some(self.now) {
                    target.wake_scheduled = None;
                    if target.next_timeout().is_some_and(|due| due <= self.now) {
                        self.want_turn(node);
                    } else {
                        self.want_wake(node);
                    }
                }
            }
            Action::Restart { node, life } => {
                if self.nodes[node].life == life && self.nodes[node].driver.is_none() {
                    self.start_node(node);
                }
            }
            Action::Fault(fault) => self.strike(fault),
            Action::Submit => {
                self.submit();
                if self.clients.submitted < self.plan.load.transactions {
                    self.schedule(self.now + self.plan.load.interval, Action::Submit);
                }
            }
            Action::Offer => {
                let open: Vec<SignedTransaction> = self
                    .clients
                    .open
                    .values()
                    .map(|(_, transaction)| transaction.clone())
                    .collect();
                for transaction in open {
                    self.offer(&transaction);
                }
                self.schedule(self.now + self.plan.options.timeout_min, Action::Offer);
            }
        }
    }

    /// Clients send one more transaction, to every node that is up.
    pub fn submit(&mut self) {
        let senders = self.clients.signers.len() as u64;
        let number = self.clients.submitted;
        self.clients.submitted += 1;
        let place = usize::try_from(number % senders).expect("below a length");
        let signer = self.clients.signers[place].as_ref();
        let transaction = transaction(self.genesis.chain_id, signer, number / senders);
        let hash = transaction.hash();
        self.trace.event(self.now, b's', 0, &hash.0);
        self.clients.open.insert(hash, (self.now, transaction.clone()));
        self.offer(&transaction);
    }

    /// Gives a transaction to every node that is up.
    pub fn offer(&mut self, transaction: &SignedTransaction) {
        for node in 0..self.nodes.len() {
            let Some(driver) = &mut self.nodes[node].driver else {
                continue;
            };
            if driver.application_mut().submit(transaction.clone()) {
                self.want_turn(node);
            }
        }
    }

    /// A message from outside the simulated validators' own engines, for scripts.
    pub fn inject(&mut self, from: ValidatorIndex, to: usize, message: E::Message) {
        let digest = self.digest_of(&message).0;
        self.schedule(self.now, Action::Deliver { to, from, message: Rc::new(message), digest });
    }

    fn digest_of(&self, message: &E::Message) -> (Digest, usize) {
        let bytes = codec::encode(message);
        (Hasher::new(Domain::Handshake).bytes(&bytes).finish(), bytes.len())
    }

    fn want_turn(&mut self, node: usize) {
        let target = &mut self.nodes[node];
        if !target.turn_scheduled {
            target.turn_scheduled = true;
            let (at, life) = (target.busy_until.max(self.now), target.life);
            self.schedule(at, Action::Turn { node, life });
        }
    }

    fn want_wake(&mut self, node: usize) {
        let target = &mut self.nodes[node];
        let Some(due) = target.next_timeout() else {
            return;
        };
        let due = due.max(self.now).max(target.busy_until);
        if target.wake_scheduled.is_none_or(|scheduled| due < scheduled) {
            target.wake_scheduled = Some(due);
            let life = target.life;
            self.schedule(due, Action::Wake { node, life });
        }
    }

    fn turn(&mut self, node: usize) {
        self.trace.event(self.now, b't', node, &[]);
        let turned = self.nodes[node].turn(self.now);
        self.digest_turn(node, turned);
    }

    pub(crate) fn start_node(&mut self, node: usize) {
        self.trace.event(self.now, b'u', node, &[]);
        self.trace.line(self.now, || format!("n{node} starts"));
        let (recovered, _) = self.nodes[node].disk.recover();
        if self.is_honest(node) {
            let (height, hash) = (recovered.final_height, recovered.final_hash);
            self.invariants.observe(self.now, &Observation::Started { node, height, hash });
        }
        let turned = self.nodes[node].start(self.now);
        self.digest_turn(node, turned);
    }

    /// Carries out what a turn did: messages, observations, and the end of the node if it died.
    fn digest_turn(&mut self, node: usize, turned: Turned<E::Message>) {
        let Turned { sent, observed, events, syncs, end } = turned;
        let sync = self.disk_dice.duration(self.plan.sync.0, self.plan.sync.1);
        for message in sent {
            let departure = self.now + sync * u32::try_from(message.syncs).unwrap_or(u32::MAX);
            self.send(node, departure, message.to, message.message);
        }
        self.record_turn(node, &observed, &events);
        let target = &mut self.nodes[node];
        target.busy_until = self.now + sync * u32::try_from(syncs).unwrap_or(u32::MAX);
        match end {
            End::Running => {
                let due_now = target.next_timeout().is_some_and(|due| due <= self.now);
                target.spinning = if due_now { target.spinning + 1 } else { 0 };
                if target.spinning > MAX_SPIN {
                    let detail = format!("node {node} asks to be woken at once, for ever");
                    self.invariants.report(self.now, "time goes on", detail);
                }
                self.want_wake(node);
            }
            End::Crashed => {
                let restart_after = target.restart_after.take();
                self.crash(node, restart_after);
            }
            End::Panicked(text) => {
                target.driver = None;
                let detail = format!("node {node}: {text}");
                self.invariants.report(self.now, "assertion", detail);
            }
        }
    }

    /// Sends what the node's validator says: its engine's words, or those of the liar before it.
    fn send(&mut self, node: usize, departure: Time, to: Recipients, message: E::Message) {
        let me = self.nodes[node].validator;
        if self.is_honest(node) {
            let chain_id = self.genesis.chain_id;
            let (invariants, now) = (&mut self.invariants, self.now);
            message.statements(me, &chain_id, &mut |slot, digest| {
                let stated = Observation::Stated { validator: me, slot, digest };
                invariants.observe(now, &stated);
            });
        }
        self.record.proposed(departure, message.proposals());
        let everyone = 0..self.plan.validators as u16;
        let recipients: Vec<ValidatorIndex> = match to {
            Recipients::One(one) => vec![one],
            Recipients::Others => {
                everyone.map(ValidatorIndex::new).filter(|other| *other != me).collect()
            }
        };
        let Some((behaviour, hand)) = &mut self.nodes[node].liar else {
            let (digest, bytes) = self.digest_of(&message);
            let message = Rc::new(message);
            for to in recipients {
                self.post(node, departure, to, &message, digest, bytes);
            }
            return;
        };
        let mut said = Vec::new();
        for to in recipients {
            behaviour.send(to, &message, hand, &mut said);
        }
        for (to, message) in said {
            let (digest, bytes) = self.digest_of(&message);
            self.post(node, departure, to, &Rc::new(message), digest, bytes);
        }
    }

    /// Puts one message on the way to every node of a validator.
    fn post(
        &mut self,
        from: usize,
        departure: Time,
        to: ValidatorIndex,
        message: &Rc<E::Message>,
        digest: Digest,
        bytes: usize,
    ) {
        let sender = self.nodes[from].validator;
        let kind = message.kind();
        self.record.counters.sent(kind, bytes);
        for node in 0..self.nodes.len() {
            if self.nodes[node].validator != to || node == from {
                continue;
            }
            let envelope = Envelope { now: self.now, from, to: node, message: message.as_ref() };
            if let Some(tap) = &mut self.tap
                && !tap(&envelope)
            {
                continue;
            }
            let arrivals = self.network.arrivals(from, node, departure);
            self.trace.line(self.now, || {
                let when = arrivals.first.map_or("lost".to_owned(), |at| {
                    format!("arrives {:.3}", at.as_nanos() as f64 / 1e6)
                });
                format!("n{from} -> n{node} {when} {message:?}")
            });
            for at in arrivals.iter() {
                let message = Rc::clone(message);
                self.schedule(at, Action::Deliver { to: node, from: sender, message, digest });
            }
        }
    }
}

fn genesis_of<E: Engine>(plan: &Plan) -> Genesis {
    let (rule, fault_model) = (plan.signatures, E::FAULT_MODEL);
    let max_faulty = match fault_model {
        FaultModel::Crash => 0,
        FaultModel::Byzantine => plan.max_faulty,
    };
    let validators = Genesis::validators(rule, plan.seed, plan.validators, max_faulty);
    let chain_id = Hasher::new(Domain::Genesis).value(&(plan.seed, &validators)).finish();
    let snapshot = Snapshot::genesis(plan.workload, validators.clone());
    let mode = Mode::Fast;
    Genesis { chain_id, hash: chain_id, mode, fault_model, rule, validators, snapshot }
}

fn node_of<E: Engine>(
    plan: &Plan,
    genesis: &Rc<Genesis>,
    index: usize,
    clocks: &mut Dice,
) -> Node<E> {
    let validator = ValidatorIndex::new(u16::try_from(index).expect("at most 128 validators"));
    let behaviour = plan.byzantine.iter().find(|(who, _)| *who == index).map(|(_, kind)| kind);
    let liar = behaviour.map(|kind| {
        let hand = Hand {
            me: validator,
            chain_id: genesis.chain_id,
            signer: Genesis::signer(plan.signatures, plan.seed, index),
            dice: Dice::new(plan.seed ^ index as u64, Purpose::Byzantine),
        };
        (kind.start(), hand)
    });
    Node {
        validator,
        genesis: Rc::clone(genesis),
        options: plan.options,
        seed: plan.seed,
        disk: Disk::new(Rc::clone(genesis)),
        driver: None,
        liar,
        clock_ahead: Duration::from_millis(clocks.below(3_600_000)),
        inbox: Vec::new(),
        busy_until: Time::default(),
        turn_scheduled: false,
        wake_scheduled: None,
        life: 0,
        restart_after: None,
        spinning: 0,
    }
}
