//! The simulated world: nodes, the network between them, and one queue of events that decides
//! everything that happens, in the order of (time, sequence).

mod churn;
mod clients;
mod clock;
mod faults;
mod governance;
mod node;
mod record;
mod recovery;
mod seating;
mod traffic;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;
use std::time::Duration;

use chain::block::Mode;
use chain::crypto::{Domain, Hasher, PublicKey};
use chain::execute::{AsWritten, Charter};
use chain::types::{Digest, Height, ValidatorIndex};
use consensus::engine::{Engine, FaultModel, Time};
use consensus::message::EngineMessage;

use crate::application::{LedgerState, Snapshot, Workload};
use crate::byzantine::{BehaviourKind, Hand, Liar};
use crate::dice::{Dice, Purpose};
use crate::disk::Disk;
use crate::genesis::Genesis;
use crate::invariants::{Facts, Invariants, Observation, Violation};
use crate::network::Network;
use crate::plan::{Fault, Plan};
use crate::signatures::SignatureCounts;
use crate::trace::{Happening, Trace};
use clients::Clients;
use clock::Clock;
use governance::People;
pub use governance::Tally;
use node::{End, Turned};
pub use node::{Node, SimDriver};
pub use record::{BlockTimes, Counters, ModeChange, Record};
use seating::Seating;
use traffic::Held;
pub use traffic::{Envelope, Tap};

/// Most turns in a row that may leave a timeout due at once.
const MAX_SPIN: u32 = 1000;
/// What a violation is called where production code failed an assertion,
pub const ASSERTION: &str = "assertion";
/// or asked to be woken at once for ever.
pub const SPINNING: &str = "time goes on";

/// How wrong wall clocks are at the start, at most and in either direction.
const WALL_ERROR_MS: u64 = 60_000;

/// What is on its way or due.
enum Action<M> {
    Deliver {
        to: usize,
        from: PublicKey,
        message: Rc<M>,
        fingerprint: u64,
    },
    /// Final blocks that no engine sent arrive.
    Feed {
        to: usize,
        message: Rc<M>,
        fingerprint: u64,
    },
    /// Those whom no engine talks to ask for final blocks.
    Pull,
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
    churn_dice: Dice,
    clients: Clients,
    people: People,
    invariants: Invariants,
    trace: Trace,
    counts: SignatureCounts,
    record: Record,
    tap: Option<Tap<E::Message>>,
    /// What clogged links hold back, in the order it was sent.
    held: Vec<Held<E::Message>>,
    /// Nothing more breaks: what was planned for later does not happen.
    faults_over: bool,
    /// The nodes that have to recover, once faults are over and others stay broken.
    core: Option<Vec<usize>>,
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
        Self::with_trace(plan, Trace::new(lines))
    }

    /// The same, with a trace that may tell a sink.
    pub fn with_trace(plan: Plan, trace: Trace) -> Self {
        Self::governed_by(plan, &AsWritten, trace)
    }

    /// The same, whose ledger follows other rules of governance: to plant bugs.
    pub fn governed_by(plan: Plan, charter: &'static dyn Charter, trace: Trace) -> Self {
        let genesis = Rc::new(genesis_of::<E>(&plan, charter));
        let mut validators: Vec<usize> = (0..plan.validators + plan.joiners).collect();
        validators.extend(&plan.twins);
        let mut clocks = Dice::new(plan.seed, Purpose::Plan);
        let counts = SignatureCounts::default();
        let nodes: Vec<Node<E>> = validators
            .iter()
            .map(|index| node_of(&plan, &genesis, &counts, *index, &mut clocks))
            .collect();
        let single = &nodes[..plan.validators + plan.joiners];
        let holders = single.iter().map(|node| (node.key, plan.is_honest(node.number())));
        let policy = E::SWITCHES_MODES.then_some(plan.options.policy);
        let facts = Facts::new(E::NAME, policy, Rc::clone(&genesis), holders.collect());
        let people = People::new(&plan, genesis.snapshot.ledger());
        let mut network =
            Network::new(nodes.len(), plan.link, Dice::new(plan.seed, Purpose::Network));
        if let Some(regions) = &plan.regions {
            network.set_regions(regions);
        }
        let mut world = Self {
            genesis,
            now: Time::default(),
            sequence: 0,
            queue: BinaryHeap::new(),
            network,
            disk_dice: Dice::new(plan.seed, Purpose::Disk),
            churn_dice: Dice::new(plan.seed, Purpose::Members),
            clients: Clients::new(&plan),
            people,
            invariants: Invariants::new(facts),
            trace,
            counts,
            record: Record::default(),
            tap: None,
            held: Vec::new(),
            faults_over: false,
            core: None,
            nodes,
            plan,
        };
        world.separate_twins();
        for node in 0..world.nodes.len() {
            // Some of those that may join follow from the start, others start empty when they do.
            let number = world.nodes[node].number();
            if number < world.plan.validators || number % 2 == 1 {
                world.start_node(node);
            }
        }
        world.record_first_leader();
        for timed in world.plan.faults.clone() {
            world.schedule(Time::default() + timed.at, Action::Fault(timed.fault));
        }
        if world.plan.load.transactions > 0 {
            world.schedule(Time::default() + world.plan.load.interval, Action::Submit);
        }
        world.schedule(Time::default() + world.plan.options.timeout_min, Action::Offer);
        world.schedule(Time::default() + world.plan.options.heartbeat * 2, Action::Pull);
        world
    }

    /// Each copy of a twin talks to half of the others; the halves overlap in nobody else.
    fn separate_twins(&mut self) {
        let mut dice = Dice::new(self.plan.seed, Purpose::Byzantine);
        for copy in self.plan.validators + self.plan.joiners..self.nodes.len() {
            let original = self.nodes[copy].number();
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

    pub fn network(&self) -> &Network {
        &self.network
    }

    pub fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Takes the trace's sink away, to finish it.
    pub fn take_sink(&mut self) -> Option<Box<dyn crate::trace::Sink>> {
        for violation in self.invariants.violations() {
            let Violation { property, at_ns, detail } = violation;
            let at = Time::from_nanos(*at_ns);
            self.trace.tell(at, || Happening::Violation { property, detail });
        }
        self.trace.take_sink()
    }

    /// Signatures that engines made and checked.
    pub fn signature_counts(&self) -> &SignatureCounts {
        &self.counts
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

    /// Whether a node runs one unchanged engine with a key of its own.
    pub fn is_honest(&self, node: usize) -> bool {
        self.invariants.facts().honest[self.nodes[node].number()]
    }

    /// Whether clients may believe a node: it is honest, or a liar that only held back so far.
    pub(crate) fn is_believed(&self, node: usize) -> bool {
        let liar = &self.nodes[node];
        self.is_honest(node) || (liar.holds_back && !liar.has_lied)
    }

    /// The nodes that must agree.
    pub fn honest_nodes(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.nodes.len()).filter(|node| self.is_honest(*node))
    }

    /// The highest final height that an honest node has.
    pub fn max_final(&self) -> Height {
        self.honest_nodes().map(|node| self.nodes[node].final_height()).max().unwrap_or_default()
    }

    /// The lowest final height of the nodes that have to recover.
    pub fn min_final(&self) -> Height {
        self.correct_nodes().map(|node| self.nodes[node].final_height()).min().unwrap_or_default()
    }

    /// Lets one event happen; false where nothing is left.
    pub fn step(&mut self) -> bool {
        let Some(Reverse(next)) = self.queue.pop() else {
            return false;
        };
        assert!(next.at >= self.now, "time runs forward");
        self.now = next.at;
        self.act(next.action);
        if self.faults_over && self.open_transactions() > 0 {
            self.invariants.observe(self.now, &Observation::Waited);
        }
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
            Action::Deliver { to, from, message, fingerprint } => {
                if self.nodes[to].driver.is_some() {
                    self.trace.event(self.now, b'd', to, &fingerprint.to_le_bytes());
                    let message = Rc::unwrap_or_clone(message);
                    self.nodes[to].inbox.push((from, message));
                    self.want_turn(to);
                }
            }
            Action::Feed { to, message, fingerprint } => {
                let target = &mut self.nodes[to];
                let from = target.seating.others(&target.key).first().map(|(_, key)| *key);
                if let Some(from) = from.filter(|_| target.driver.is_some()) {
                    self.trace.event(self.now, b'p', to, &fingerprint.to_le_bytes());
                    target.inbox.push((from, Rc::unwrap_or_clone(message)));
                    self.want_turn(to);
                }
            }
            Action::Pull => {
                self.feed();
                self.schedule(self.now + self.plan.options.heartbeat * 2, Action::Pull);
            }
            Action::Turn { node, life } => {
                if self.nodes[node].life == life && self.nodes[node].driver.is_some() {
                    self.nodes[node].turn_scheduled = false;
                    if self.nodes[node].busy_until > self.now {
                        // It was paused meanwhile.
                        self.want_turn(node);
                    } else {
                        self.turn(node);
                    }
                }
            }
            Action::Wake { node, life } => {
                let target = &mut self.nodes[node];
                if target.life == life && target.wake_scheduled == Some(self.now) {
                    target.wake_scheduled = None;
                    match target.next_timeout() {
                        Some(due) if due <= self.now => self.want_turn(node),
                        Some(due) => self.wake_at(node, due),
                        None => {}
                    }
                }
            }
            Action::Restart { node, life } => {
                let frozen = self.core.as_ref().is_some_and(|core| !core.contains(&node));
                if self.nodes[node].life == life && !frozen {
                    self.start_node(node);
                }
            }
            Action::Fault(fault) => {
                if !self.faults_over {
                    self.strike(fault);
                }
            }
            Action::Submit => {
                self.submit();
                if self.plan.load.reads {
                    let turn = usize::try_from(self.clients.submitted()).expect("a count of calls");
                    let _ = self.read(turn % self.plan.validators);
                }
                if self.clients.submitted() < self.plan.load.transactions {
                    self.schedule(self.now + self.plan.load.interval, Action::Submit);
                }
            }
            Action::Offer => {
                self.offer_again();
                self.pursue();
                self.schedule(self.now + self.plan.options.timeout_min, Action::Offer);
            }
        }
    }

    /// Tells the invariants that nothing more will happen.
    pub fn end(&mut self, recovered: bool) {
        let whole: Vec<usize> = self.correct_nodes().collect();
        self.invariants.observe(self.now, &Observation::Ended { recovered, whole: &whole });
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
        if let Some(due) = self.nodes[node].next_timeout() {
            self.wake_at(node, due);
        }
    }

    fn wake_at(&mut self, node: usize, due: Time) {
        let target = &mut self.nodes[node];
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

    /// Starts a node that is down, unless its disk is damaged: then it stays down for good.
    pub(crate) fn start_node(&mut self, node: usize) {
        if self.nodes[node].driver.is_some() {
            return;
        }
        if self.nodes[node].disk.is_damaged() {
            self.trace.event(self.now, b'x', node, &[]);
            self.trace.line(self.now, || format!("n{node} refuses to start on a damaged disk"));
            return;
        }
        self.trace.event(self.now, b'u', node, &[]);
        self.trace.line(self.now, || format!("n{node} starts"));
        self.trace.tell(self.now, || Happening::Start { node });
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
        let Turned { sent, observed, events, syncs, work, end } = turned;
        let (least, most) = self.nodes[node].slow_disk.unwrap_or(self.plan.sync);
        let sync = self.disk_dice.duration(least, most);
        for message in sent {
            let synced = sync * u32::try_from(message.syncs).unwrap_or(u32::MAX);
            let departure = self.now + work + synced;
            self.send(node, departure, message);
        }
        self.record_turn(node, &observed, &events);
        let target = &mut self.nodes[node];
        target.busy_until = self.now + work + sync * u32::try_from(syncs).unwrap_or(u32::MAX);
        match end {
            End::Running => {
                let due = target.next_timeout();
                let due_now = due.is_some_and(|due| due <= self.now);
                target.spinning = if due_now { target.spinning + 1 } else { 0 };
                if target.spinning > MAX_SPIN {
                    let detail = format!("node {node} asks to be woken at once, for ever");
                    self.invariants.report(self.now, SPINNING, detail);
                }
                if let Some(due) = due {
                    self.wake_at(node, due);
                }
            }
            End::Crashed => {
                let restart_after = target.restart_after.take();
                self.crash(node, restart_after);
            }
            End::Panicked(text) => {
                target.driver = None;
                let detail = format!("node {node}: {text}");
                self.invariants.report(self.now, ASSERTION, detail);
            }
        }
    }
}

fn genesis_of<E: Engine>(plan: &Plan, charter: &'static dyn Charter) -> Genesis {
    let (rule, fault_model) = (plan.signatures, E::FAULT_MODEL);
    let max_faulty = match fault_model {
        FaultModel::Crash => 0,
        FaultModel::Byzantine => plan.max_faulty,
    };
    let validators = Genesis::validators(rule, plan.seed, plan.validators, max_faulty);
    let chain_id = Hasher::new(Domain::Genesis).value(&(plan.seed, &validators)).finish();
    let clients = (0..plan.load.senders.max(1))
        .map(|sender| Genesis::client(rule, plan.seed, sender).public().address());
    let snapshot = match plan.workload {
        Workload::HashChain => Snapshot::hash_chain(validators.clone(), &chain_id),
        Workload::Ledger => {
            let first = LedgerState::genesis(validators.clone(), fault_model, clients, charter);
            Snapshot::Ledger(first)
        }
    };
    let mode = Mode::Fast;
    Genesis { chain_id, hash: chain_id, mode, fault_model, rule, validators, snapshot }
}

/// A validator of this number that lies in this way.
fn liar_of<M: EngineMessage>(
    plan: &Plan,
    genesis: &Genesis,
    index: usize,
    kind: BehaviourKind,
) -> Liar<M> {
    let hand = Hand {
        me: ValidatorIndex::new(u16::try_from(index).expect("at most 128 validators")),
        chain_id: genesis.chain_id,
        signer: Genesis::signer(plan.signatures, plan.seed, index),
        timeout: plan.options.timeout_min,
        dice: Dice::new(plan.seed ^ index as u64, Purpose::Byzantine),
    };
    (kind.start(), hand)
}

fn node_of<E: Engine>(
    plan: &Plan,
    genesis: &Rc<Genesis>,
    counts: &SignatureCounts,
    index: usize,
    clocks: &mut Dice,
) -> Node<E> {
    let validator = ValidatorIndex::new(u16::try_from(index).expect("at most 128 validators"));
    let behaviour = plan.byzantine.iter().find(|(who, _)| *who == index).map(|(_, kind)| kind);
    let liar = behaviour.map(|kind| liar_of(plan, genesis, index, *kind));
    Node {
        validator,
        key: Genesis::signer(plan.signatures, plan.seed, index).public(),
        seating: Seating::default(),
        genesis: Rc::clone(genesis),
        options: plan.options,
        work: plan.work,
        seed: plan.seed,
        counts: counts.clone(),
        disk: Disk::new(Rc::clone(genesis)),
        driver: None,
        liar,
        holds_back: false,
        has_lied: false,
        clock: Clock::new(
            Duration::from_millis(clocks.below(3_600_000)),
            i64::try_from(clocks.below(2 * WALL_ERROR_MS)).expect("small") - WALL_ERROR_MS as i64,
        ),
        slow_disk: None,
        inbox: Vec::new(),
        busy_until: Time::default(),
        turn_scheduled: false,
        wake_scheduled: None,
        life: 0,
        restart_after: None,
        spinning: 0,
    }
}
