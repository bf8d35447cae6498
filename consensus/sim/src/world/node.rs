//! One simulated node: a production driver around a checked engine, its disk, its clock and, for a
//! Byzantine validator, what stands between its engine and the network.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use chain::crypto::PublicKey;
use chain::types::{Height, ValidatorIndex};
use chain::validator::ValidatorSet;
use consensus::application::StorageError;
use consensus::driver::{Driver, Incoming, Outbox};
use consensus::engine::{Config, Event, Recipients, Status, Time};

use super::clock::Clock;
use super::seating::Seating;
use crate::application::{Observed, SimApplication};
use crate::byzantine::Liar;
use crate::checked::Checked;
use crate::disk::{Disk, SimStorage};
use crate::genesis::Genesis;
use crate::plan::{EngineOptions, Work};
use crate::signatures::SignatureCounts;
use consensus::engine::Engine;

/// The production driver as it runs here.
pub type SimDriver<E> = Driver<
    Checked<E>,
    SimApplication<<E as consensus::engine::Engine>::Record>,
    SimStorage<<E as consensus::engine::Engine>::Record>,
>;

/// A message as it left: after how many syncs of its turn, from which seat, to whom.
pub(super) struct Sent<M> {
    pub(super) syncs: u64,
    pub(super) from: Option<ValidatorIndex>,
    pub(super) to: Vec<(ValidatorIndex, PublicKey)>,
    pub(super) message: M,
}

/// What a turn did to the world.
pub(super) struct Turned<M> {
    pub(super) sent: Vec<Sent<M>>,
    pub(super) observed: Vec<Observed>,
    pub(super) events: Vec<Event>,
    /// How often the disk was synced.
    pub(super) syncs: u64,
    /// How long it took to compute.
    pub(super) work: Duration,
    pub(super) end: End,
}

/// How a turn ended.
pub(super) enum End {
    Running,
    /// At the armed crash point, or because the disk failed.
    Crashed,
    /// An assertion of production code failed.
    Panicked(String),
}
/// One node of the world.
pub struct Node<E: Engine> {
    /// The number of its key. A validator of genesis sits in the seat of its number as long as it
    /// stays.
    pub(super) validator: ValidatorIndex,
    pub(super) key: PublicKey,
    pub(super) seating: Seating,
    pub(super) genesis: Rc<Genesis>,
    pub(super) options: EngineOptions,
    pub(super) work: Work,
    pub(super) seed: u64,
    pub(super) counts: SignatureCounts,
    pub(super) disk: Disk<E::Record>,
    pub(super) driver: Option<SimDriver<E>>,
    pub(super) liar: Option<Liar<E::Message>>,
    /// The liar says what its engine says, for now.
    pub(super) holds_back: bool,
    /// It did not hold back at some time since it first did.
    pub(super) has_lied: bool,
    pub(super) clock: Clock,
    /// How long a sync takes here, where it is not as everywhere.
    pub(super) slow_disk: Option<(Duration, Duration)>,
    /// By the keys of the senders: their seats are looked up when the engine gets the messages.
    pub(super) inbox: Vec<(PublicKey, E::Message)>,
    /// When it has finished what it is doing.
    pub(super) busy_until: Time,
    pub(super) turn_scheduled: bool,
    pub(super) wake_scheduled: Option<Time>,
    /// Counts starts: events for an earlier life are void.
    pub(super) life: u32,
    /// When to restart after the crash that is armed.
    pub(super) restart_after: Option<Duration>,
    /// Turns in a row that left a timeout due at once.
    pub(super) spinning: u32,
}

impl<E: Engine> std::fmt::Debug for Node<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("validator", &self.validator)
            .field("running", &self.driver.is_some())
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

/// What was counted before a turn, and how many messages it takes in.
struct Before {
    syncs: u64,
    messages: usize,
    made: u64,
    checked: u64,
}

/// Collects what a turn sends, until the node dies.
struct Capture<'a, M, R> {
    disk: &'a Disk<R>,
    me: PublicKey,
    seating: &'a Seating,
    syncs_before: u64,
    sent: Vec<Sent<M>>,
}

impl<M: Clone, R> Outbox<M> for Capture<'_, M, R> {
    fn send(&mut self, to: Recipients, message: &M) {
        if self.disk.may_send() {
            let syncs = self.disk.syncs() - self.syncs_before;
            let to = match to {
                Recipients::Others => self.seating.others(&self.me),
                Recipients::One(to) => {
                    self.seating.holder(to).map(|key| (to, key)).into_iter().collect()
                }
            };
            let (from, message) = (self.seating.index_of(&self.me), message.clone());
            self.sent.push(Sent { syncs, from, to, message });
        }
    }

    fn seat(&mut self, sets: &[ValidatorSet]) {
        self.seating.seat(sets);
    }
}

impl<E: Engine> Node<E> {
    /// The running driver, if the node is up.
    pub fn driver(&self) -> Option<&SimDriver<E>> {
        self.driver.as_ref()
    }

    pub fn disk(&self) -> &Disk<E::Record> {
        &self.disk
    }

    pub fn status(&self) -> Option<Status> {
        self.driver.as_ref().map(Driver::status)
    }

    pub fn is_running(&self) -> bool {
        self.driver.is_some()
    }

    pub fn validator(&self) -> ValidatorIndex {
        self.validator
    }

    pub(super) fn number(&self) -> usize {
        self.validator.as_usize()
    }

    /// Height of the last final block on its disk, synced or not.
    pub fn final_height(&self) -> Height {
        self.disk.final_height()
    }

    /// Whether it will never start again.
    pub fn is_gone(&self) -> bool {
        self.driver.is_none() && self.disk.is_damaged()
    }

    /// The liar before its engine, unless it holds back.
    pub(super) fn liar(&mut self) -> Option<&mut Liar<E::Message>> {
        self.liar.as_mut().filter(|_| !self.holds_back)
    }

    /// When the world has to wake it, by the world's clock.
    pub(super) fn next_timeout(&self) -> Option<Time> {
        self.driver.as_ref()?.next_timeout().map(|due| self.clock.when(due))
    }

    /// Starts from the disk. The caller has settled the disk.
    pub(super) fn start(&mut self, now: Time) -> Turned<E::Message> {
        self.life += 1;
        self.inbox.clear();
        self.turn_scheduled = false;
        self.wake_scheduled = None;
        self.busy_until = now;
        self.spinning = 0;
        let (recovered, snapshot) = self.disk.recover();
        let signer = Genesis::signer(self.genesis.rule, self.seed, self.number());
        let signer = self.counts.signer(signer);
        let config = self.config(signer.public());
        let mut application = SimApplication::new(
            self.genesis.chain_id,
            self.genesis.rule,
            snapshot,
            recovered.final_hash,
            self.disk.clone(),
        );
        let local = self.clock.monotonic(now);
        application.set_time(self.clock.wall_ms(now));
        let storage = SimStorage(self.disk.clone());
        let before = self.before(0);
        let syncs_before = before.syncs;
        let (me, seating) = (self.key, &self.seating);
        let mut capture = Capture { disk: &self.disk, me, seating, syncs_before, sent: Vec::new() };
        let started = catch_unwind(AssertUnwindSafe(|| {
            Driver::start(config, recovered, signer, application, storage, local, &mut capture)
        }));
        let sent = capture.sent;
        let result = match started {
            Ok(Ok(driver)) => {
                self.driver = Some(driver);
                Ok(Ok(()))
            }
            Ok(Err(error)) => Ok(Err(error)),
            Err(panic) => Err(panic),
        };
        self.conclude(result, sent, &before)
    }

    fn config(&self, me: chain::crypto::PublicKey) -> Config {
        let verifier = self.counts.verifier(self.genesis.rule.verifier());
        self.options.config(self.genesis.chain_id, me, verifier)
    }

    /// One turn over everything that waits.
    pub(super) fn turn(&mut self, now: Time) -> Turned<E::Message> {
        let inbox = std::mem::take(&mut self.inbox);
        let messages = inbox.len();
        let seating = self.seating.clone();
        let incoming = inbox.into_iter().filter_map(move |(sender, message)| {
            seating.index_of(&sender).map(|from| Incoming { from, message })
        });
        self.drive(now, messages, |driver, local, capture| driver.turn(local, incoming, capture))
    }

    /// A client's question.
    pub(super) fn read(&mut self, now: Time, id: u64) -> Turned<E::Message> {
        self.drive(now, 0, |driver, local, capture| driver.read(local, id, capture))
    }

    fn drive(
        &mut self,
        now: Time,
        messages: usize,
        act: impl FnOnce(
            &mut SimDriver<E>,
            Time,
            &mut Capture<'_, E::Message, E::Record>,
        ) -> Result<(), StorageError>,
    ) -> Turned<E::Message> {
        let local = self.clock.monotonic(now);
        let before = self.before(messages);
        let driver = self.driver.as_mut().expect("only a running node takes turns");
        driver.application_mut().set_time(self.clock.wall_ms(now));
        let syncs_before = before.syncs;
        let (me, seating) = (self.key, &self.seating);
        let mut capture = Capture { disk: &self.disk, me, seating, syncs_before, sent: Vec::new() };
        let turned = catch_unwind(AssertUnwindSafe(|| act(driver, local, &mut capture)));
        let sent = capture.sent;
        self.conclude(turned, sent, &before)
    }

    fn before(&self, messages: usize) -> Before {
        let (made, checked) = (self.counts.made(), self.counts.checked());
        Before { syncs: self.disk.syncs(), messages, made, checked }
    }

    /// How long a turn takes to compute. The counts are of all nodes, and one runs at a time.
    fn spent(&self, before: &Before) -> Duration {
        let many = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        self.work.message * many(before.messages as u64)
            + self.work.sign * many(self.counts.made() - before.made)
            + self.work.check * many(self.counts.checked() - before.checked)
    }

    fn conclude(
        &mut self,
        result: std::thread::Result<Result<(), StorageError>>,
        sent: Vec<Sent<E::Message>>,
        before: &Before,
    ) -> Turned<E::Message> {
        let end = match result {
            Ok(Ok(())) if !self.disk.is_blown() => End::Running,
            Ok(_) => {
                assert!(self.disk.is_blown(), "only an armed crash or failure fails the disk");
                End::Crashed
            }
            Err(panic) => End::Panicked(panic_text(panic.as_ref())),
        };
        let (mut observed, mut events) = (Vec::new(), Vec::new());
        if let Some(driver) = &mut self.driver {
            observed = driver.application_mut().take_observed().into();
            events = driver.take_events();
        }
        let syncs = self.disk.syncs() - before.syncs;
        Turned { sent, observed, events, syncs, work: self.spent(before), end }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
