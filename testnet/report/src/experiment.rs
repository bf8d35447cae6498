//! One run of the simulator, watched every millisecond.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chain::codec;
use consensus::engine::{Engine, Time};
use consensus::registry::Visitor;
use consensus_sim::plan::Plan;
use consensus_sim::report::Report;
use consensus_sim::runner;
use consensus_sim::world::World;

use crate::contender::Contender;
use crate::setup::{IN_FLIGHT, MS};

/// How often clients look, and counts are taken.
pub const TICK: Duration = MS;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// So many transactions are in flight at any time.
    Closed(usize),
    /// So many new ones come every tick, from a moment on, come what may.
    Open { per_tick: u32, since: Duration },
}

/// A run to be made.
#[derive(Clone, Debug)]
pub struct Experiment {
    pub contender: Contender,
    pub plan: Plan,
    pub clients: Clients,
    /// Whether to weigh what each node sends, which takes time.
    pub weighs: bool,
}

/// A transaction that became final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Final {
    /// The end of the tick in which the first honest node had it final, since the start.
    pub at: Duration,
    /// From its submission.
    pub latency: Duration,
}

/// Counts since the start, at the end of a tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub messages: u64,
    pub bytes: u64,
    pub signed: u64,
    pub checked: u64,
    /// The highest final height of any honest node.
    pub blocks: u64,
    /// The final height of each node.
    pub heights: Vec<u64>,
}

/// What one node sent in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    pub messages: u64,
    pub bytes: u64,
}

/// What came of a run. Everything but the report is about the time before faults end.
#[derive(Clone, Debug)]
pub struct Measured {
    /// In the order of finality.
    pub finals: Vec<Final>,
    /// One per tick; fewer where the run broke a property and ended there.
    pub counts: Vec<Counts>,
    /// What each node sent, where it was weighed.
    pub sent: Vec<Sent>,
    /// When the epochs after the first began somewhere.
    pub epochs: Vec<Duration>,
    /// From a block's first proposal to its first finality, in any order.
    pub rounds: Vec<Duration>,
    pub report: Report,
}

impl Experiment {
    /// One with clients that keep a few transactions in flight.
    pub fn new(contender: Contender, plan: Plan) -> Self {
        Self { contender, plan, clients: Clients::Closed(IN_FLIGHT), weighs: false }
    }

    /// Makes the run. The same experiment gives the same measurement.
    pub fn run(&self) -> Measured {
        self.contender.engine().visit(Run(self))
    }

    /// Who leads at a moment of the run.
    pub fn leader_at(&self, at: Duration) -> usize {
        self.contender.engine().visit(LeaderAt { experiment: self, at })
    }
}

struct Run<'a>(&'a Experiment);

impl Visitor for Run<'_> {
    type Output = Measured;

    fn visit<E: Engine>(self) -> Measured {
        let Self(experiment) = self;
        let mut world = World::<E>::new(experiment.plan.clone(), 0);
        let sent = experiment.weighs.then(|| weigh(&mut world));
        let mut measured = Watch::default();
        watch(&mut world, experiment.clients, experiment.plan.faults_end, &mut measured);
        world.clear_tap();
        let sent = sent.map(|sent| sent.borrow().clone()).unwrap_or_default();
        let since_start = |time: &Time| time.since(Time::default());
        let epochs = world.record().epochs.values().map(since_start);
        let epochs = epochs.filter(|began| *began > Duration::ZERO).collect();
        let rounds = rounds(&world);
        let report = runner::run_in(&mut world, "report");
        let Watch { finals, counts } = measured;
        Measured { finals, counts, sent, epochs, rounds, report }
    }
}

struct LeaderAt<'a> {
    experiment: &'a Experiment,
    at: Duration,
}

impl Visitor for LeaderAt<'_> {
    type Output = usize;

    fn visit<E: Engine>(self) -> usize {
        let mut world = World::<E>::new(self.experiment.plan.clone(), 0);
        watch(&mut world, self.experiment.clients, self.at, &mut Watch::default());
        world.leader()
    }
}

#[derive(Default)]
struct Watch {
    finals: Vec<Final>,
    counts: Vec<Counts>,
}

/// Runs up to a moment, or to the first property that does not hold.
fn watch<E: Engine>(world: &mut World<E>, clients: Clients, until: Duration, seen: &mut Watch) {
    let mut known = 0;
    let mut at = Duration::ZERO;
    while at < until && world.violations().is_empty() {
        let new = match clients {
            Clients::Closed(in_flight) => in_flight.saturating_sub(world.open_transactions()),
            Clients::Open { per_tick, since } if at >= since => per_tick as usize,
            Clients::Open { .. } => 0,
        };
        for _ in 0..new {
            world.submit();
        }
        at += TICK;
        world.run_until(Time::default() + at, |_| false);
        let latencies = &world.record().latencies;
        seen.finals
            .extend(latencies[known..].iter().map(|latency| Final { at, latency: *latency }));
        known = latencies.len();
        seen.counts.push(count(world));
    }
}

fn count<E: Engine>(world: &World<E>) -> Counts {
    let counters = &world.record().counters;
    Counts {
        messages: counters.messages_total(),
        bytes: counters.bytes,
        signed: world.signature_counts().made(),
        checked: world.signature_counts().checked(),
        blocks: world.max_final().get(),
        heights: world.nodes().iter().map(|node| node.final_height().get()).collect(),
    }
}

/// Weighs whatever is sent from now on.
fn weigh<E: Engine>(world: &mut World<E>) -> Rc<RefCell<Vec<Sent>>> {
    let scales = Rc::new(RefCell::new(vec![Sent::default(); world.nodes().len()]));
    let tap = Rc::clone(&scales);
    world.set_tap(Box::new(move |envelope| {
        let sent = &mut tap.borrow_mut()[envelope.from];
        sent.messages += 1;
        sent.bytes += codec::encode(envelope.message).len() as u64;
        true
    }));
    scales
}

fn rounds<E: Engine>(world: &World<E>) -> Vec<Duration> {
    let blocks = world.record().blocks.values();
    let finals = blocks.filter_map(|block| {
        let first = block.finals.values().min()?;
        Some(first.since(block.proposed))
    });
    finals.collect()
}

/// A time within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub from: Duration,
    pub to: Duration,
}

impl Window {
    pub const fn new(from: Duration, to: Duration) -> Self {
        Self { from, to }
    }

    pub fn seconds(self) -> f64 {
        (self.to - self.from).as_secs_f64()
    }

    fn holds(self, at: Duration) -> bool {
        at > self.from && at <= self.to
    }
}

impl Measured {
    /// The transactions that became final within a time.
    pub fn finals_in(&self, window: Window) -> impl Iterator<Item = &Final> {
        self.finals.iter().filter(move |r#final| window.holds(r#final.at))
    }

    /// Final transactions per second within a time.
    pub fn throughput(&self, window: Window) -> f64 {
        self.finals_in(window).count() as f64 / window.seconds()
    }

    /// Latencies of what became final within a time, ascending.
    pub fn latencies(&self, window: Window) -> Vec<Duration> {
        let mut latencies: Vec<Duration> =
            self.finals_in(window).map(|r#final| r#final.latency).collect();
        latencies.sort_unstable();
        latencies
    }

    /// The longest part of a time in which nothing became final.
    pub fn silence(&self, window: Window) -> Duration {
        let (mut longest, mut last) = (Duration::ZERO, window.from);
        for r#final in self.finals_in(window) {
            longest = longest.max(r#final.at - last);
            last = r#final.at;
        }
        longest.max(window.to - last)
    }

    /// From a moment to the next final transaction; `None` where none followed.
    pub fn next_final(&self, since: Duration) -> Option<Duration> {
        let next = self.finals.iter().find(|r#final| r#final.at > since)?;
        Some(next.at - since)
    }

    /// The counts at a moment; the last ones where the run ended before.
    pub fn counts_at(&self, at: Duration) -> Counts {
        let ticks = usize::try_from(at.as_nanos() / TICK.as_nanos()).unwrap_or(usize::MAX);
        let last = self.counts.len().min(ticks);
        last.checked_sub(1).map(|place| self.counts[place].clone()).unwrap_or_default()
    }

    /// What was counted within a time. A node that dies may come back with fewer final blocks.
    pub fn counted(&self, window: Window) -> Counts {
        let (before, after) = (self.counts_at(window.from), self.counts_at(window.to));
        let heights = after.heights.iter().enumerate().map(|(node, height)| {
            height.saturating_sub(before.heights.get(node).copied().unwrap_or_default())
        });
        Counts {
            messages: after.messages - before.messages,
            bytes: after.bytes - before.bytes,
            signed: after.signed - before.signed,
            checked: after.checked - before.checked,
            blocks: after.blocks.saturating_sub(before.blocks),
            heights: heights.collect(),
        }
    }

    /// Whether two honest nodes ended up with different chains, or another property broke.
    pub fn is_broken(&self) -> bool {
        self.report.safety_violations > 0 || self.report.lost_transactions > 0
    }
}
