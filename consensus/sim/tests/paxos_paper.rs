//! Lamport, "Paxos Made Simple", claim by claim, on the engine as it runs. Section 2, agreement on
//! one value, is searched exhaustively beside consensus/src/paxos/single.rs.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use chain::block::{BlockKind, SealedBlock};
use chain::types::{Epoch, Height, ValidatorIndex, View};
use consensus::engine::Role;
use consensus::message::EngineMessage;
use consensus::paxos::{Message, Paxos};
use consensus_sim::application::membership;
use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::disk::CrashPoint;
use consensus_sim::genesis::Genesis;
use consensus_sim::network::Link;
use consensus_sim::plan::{EngineOptions, Fault, Load, Plan, Who};
use consensus_sim::world::{Envelope, Node, World};
use consensus_sim::{runner, scenarios};

const MS: Duration = Duration::from_millis(1);
const DELAY: Duration = Duration::from_millis(5);

/// What was proposed, in the order of sending: ballot and block, once per recipient.
#[derive(Default)]
struct Seen {
    kinds: BTreeMap<&'static str, usize>,
    proposals: Vec<(View, SealedBlock)>,
}

/// A world of `n` with exact links, and everything that is said in it.
struct Watched {
    world: World<Paxos>,
    seen: Rc<RefCell<Seen>>,
}

impl Watched {
    fn new(n: usize, interval: Duration) -> Self {
        let transactions = if interval.is_zero() { 0 } else { u64::MAX };
        let plan = Plan {
            link: Link::exact(DELAY),
            options: EngineOptions {
                timeout_min: MS * 200,
                timeout_max: MS * 800,
                heartbeat: MS * 60,
                ..EngineOptions::default()
            },
            load: Load { transactions, senders: 4, reads: false, interval },
            ..scenarios::calm(1, n)
        };
        let mut watched =
            Self { world: World::new(plan, 0), seen: Rc::new(RefCell::new(Seen::default())) };
        watched.lose(|_| false);
        watched
    }

    /// Lets messages vanish from here on, and still notes them.
    fn lose(&mut self, lost: impl Fn(&Envelope<'_, Message>) -> bool + 'static) {
        let seen = Rc::clone(&self.seen);
        self.world.set_tap(Box::new(move |envelope: &Envelope<'_, Message>| {
            let mut seen = seen.borrow_mut();
            *seen.kinds.entry(envelope.message.kind()).or_default() += 1;
            if let Message::Accept { lead, blocks } = envelope.message {
                let blocks = blocks.iter().map(|block| (lead.ballot, block.clone()));
                seen.proposals.extend(blocks);
            }
            !lost(envelope)
        }));
    }

    fn forget(&self) {
        *self.seen.borrow_mut() = Seen::default();
    }

    fn run(&mut self, duration: Duration) {
        self.world.run_for(duration);
        assert!(self.world.violations().is_empty(), "{:?}", self.world.violations());
    }

    fn until(&mut self, what: &str, done: impl FnMut(&World<Paxos>) -> bool) {
        let end = self.world.now() + MS * 10_000;
        let reached = self.world.run_until(end, done);
        assert!(reached, "{what}: {:?}", self.world.violations());
    }

    fn leader(&self) -> usize {
        leader(&self.world).expect("somebody leads")
    }

    fn leads(&mut self) -> usize {
        self.until("a leader", |world| leader(world).is_some());
        self.leader()
    }

    fn ballot(&self, node: usize) -> View {
        self.world.node(node).status().expect("it runs").view
    }

    fn count(&self, kind: &str) -> usize {
        self.seen.borrow().kinds.get(kind).copied().unwrap_or(0)
    }

    fn proposals(&self) -> Vec<(View, SealedBlock)> {
        self.seen.borrow().proposals.clone()
    }

    fn is_final(&self, block: &SealedBlock) -> bool {
        let times = self.world.record().blocks.get(&block.hash());
        times.is_some_and(|times| !times.finals.is_empty())
    }
}

/// The leader of the highest ballot.
fn leader(world: &World<Paxos>) -> Option<usize> {
    let role = |node: usize| world.node(node).status();
    (0..world.nodes().len())
        .filter_map(|node| Some((role(node)?, node)))
        .filter(|(status, _)| status.role == Role::Leader)
        .max_by_key(|(status, _)| status.view)
        .map(|(_, node)| node)
}

/// §3: phase 1 once for all slots; then each value costs phase 2 alone. The leader sends it to all
/// others and each answers; what is chosen travels with the next value.
#[test]
fn section_3_a_value_costs_one_round_trip_and_phase_1_is_done_once() {
    for n in [3, 4, 5, 7] {
        let mut calm = Watched::new(n, MS * 2);
        calm.run(MS * 300);
        assert_eq!(calm.count("prepare"), n - 1, "n = {n}: one phase 1");
        calm.forget();
        calm.run(MS * 1_000);
        let kinds = calm.seen.borrow().kinds.clone();
        let accepts = kinds["accept"];
        let others: Vec<&&str> =
            kinds.keys().filter(|kind| !["accept", "accepted"].contains(*kind)).collect();
        assert_eq!(others, Vec::<&&str>::new(), "n = {n}: {kinds:?}");
        assert!(accepts > 100 * (n - 1), "n = {n}: {kinds:?}");
        assert!(accepts.abs_diff(kinds["accepted"]) <= 8 * (n - 1), "n = {n}: {kinds:?}");
    }
}

/// The same where the pipeline runs dry after every value: one commit notice to each other more.
#[test]
fn section_3_a_lone_value_costs_a_commit_notice_more() {
    for n in [3, 4, 5, 7] {
        let mut idle = Watched::new(n, MS * 40);
        idle.run(MS * 300);
        idle.until("quiet", |world| world.open_transactions() == 0);
        idle.run(DELAY * 2);
        idle.forget();
        let before = idle.world.max_final().get();
        idle.run(MS * 400);
        let blocks = (idle.world.max_final().get() - before) as usize;
        let kinds = idle.seen.borrow().kinds.clone();
        let each = blocks * (n - 1);
        let expected = BTreeMap::from([("accept", each), ("accepted", each), ("chosen", each)]);
        assert_eq!(kinds, expected, "n = {n}, {blocks} blocks");
        assert_eq!(blocks, 10, "n = {n}");
    }
}

/// §2.2: "if a proposal with value v is chosen, every higher-numbered proposal has value v": a new
/// leader proposes the accepted block again, under its own ballot and with its old header.
#[test]
fn section_2_2_a_new_leader_proposes_again_what_was_accepted() {
    let mut watched = Watched::new(3, Duration::ZERO);
    let old = watched.leads();
    watched.run(MS * 50);
    watched.lose(|envelope| matches!(envelope.message, Message::Accepted { .. }));
    watched.world.submit();
    watched.run(MS * 30);
    let (old_ballot, block) = watched.proposals().pop().expect("a proposal");
    assert!(!watched.is_final(&block), "nobody learnt that it is chosen");
    watched.world.strike(Fault::Crash { who: Who::Node(old), restart_after: None });
    watched.forget();
    watched.lose(|_| false);
    watched.until("final", |world| world.max_final() == block.header.height);
    assert!(watched.is_final(&block));
    let (ballot, again) = watched.proposals().remove(0);
    assert_eq!(again.hash(), block.hash());
    assert_eq!(again.header.view, old_ballot, "it is the same block to the last byte");
    assert!(ballot > old_ballot);
}

/// §3: "fill the gap by proposing a special no-op command". In a chain a gap is a reported block
/// whose parent is not the block picked below it: it was never chosen.
#[test]
fn section_3_gaps_are_filled_with_no_ops() {
    let mut watched = Watched::new(3, Duration::ZERO);
    let first = watched.leads();
    watched.run(MS * 50);
    // The first leader alone accepts two blocks.
    watched.world.strike(Fault::Isolate { who: Who::Node(first) });
    for _ in 0..2 {
        watched.world.submit();
        watched.run(MS * 2);
    }
    let alone: Vec<SealedBlock> = watched.proposals().into_iter().map(|(_, block)| block).collect();
    let heights: BTreeSet<Height> = alone.iter().map(|block| block.header.height).collect();
    assert_eq!(heights, BTreeSet::from([Height::new(1), Height::new(2)]));
    // The second accepts another block in the lower of the two slots, and nobody hears of it.
    watched.lose(|envelope| matches!(envelope.message, Message::Accept { .. }));
    watched.until("a second leader", |world| leader(world).is_some_and(|node| node != first));
    let second = watched.leader();
    watched.run(MS * 30);
    let third = 3 - first - second;
    let (ballot, other) = watched.proposals().pop().expect("a proposal");
    assert_eq!(other.header.height, Height::new(1));
    // Both come together, in a ballot above both.
    watched.world.strike(Fault::Crash { who: Who::Node(third), restart_after: None });
    watched.world.strike(Fault::Crash { who: Who::Node(second), restart_after: Some(MS) });
    watched.run(MS * 2);
    watched.world.strike(Fault::HealNetwork);
    watched.forget();
    watched.lose(|_| false);
    watched.until("two blocks", |world| {
        world.min_final() == Height::new(0) && world.max_final() >= Height::new(2)
    });
    let proposals = watched.proposals();
    assert!(proposals.iter().all(|(later, _)| *later > ballot));
    assert_eq!(proposals[0].1.hash(), other.hash(), "the value of the highest ballot");
    let filler = &proposals.iter().find(|(_, b)| b.header.height == Height::new(2)).unwrap().1;
    assert_eq!(filler.transactions.len(), 0, "a no-op");
    assert_eq!(filler.header.parent, other.hash());
    assert!(watched.is_final(filler));
    assert!(alone.iter().all(|block| !watched.is_final(block)));
}

/// §2.5: "different proposers choose their numbers from disjoint sets": a ballot of somebody else
/// is refused at the edge.
#[test]
fn section_2_5_a_ballot_belongs_to_one_proposer() {
    let mut watched = Watched::new(3, Duration::ZERO);
    let leader = watched.leads();
    let before = watched.ballot(leader);
    let ballot = View::new(before.get() + 3);
    let prepare = Message::Prepare { epoch: Epoch::new(0), ballot, from: Height::new(1) };
    let other = ValidatorIndex::new(((leader + 1) % 3) as u16);
    watched.world.inject(other, leader, prepare);
    watched.run(MS * 20);
    let refused = &watched.world.record().counters.refused;
    assert_eq!(refused.get("a ballot of somebody else"), Some(&1));
    assert_eq!(watched.ballot(leader), before);
}

/// §2.5: "an acceptor must remember": its promise is on disk before it leaves, and a proposer never
/// uses a ballot again.
#[test]
fn section_2_5_promises_outlive_crashes() {
    let points = [CrashPoint::BeforeRelease, CrashPoint::BeforeCommit, CrashPoint::AfterCommit];
    for point in points {
        let mut watched = Watched::new(3, MS * 3);
        let leader = watched.leads();
        watched.run(MS * 50);
        let promised: Vec<View> = (0..3).map(|node| watched.ballot(node)).collect();
        for node in 0..3 {
            let who = Who::Node(node);
            watched.world.strike(Fault::CrashAt { who, point, restart_after: MS * 10 });
        }
        watched.run(MS * 60);
        assert_eq!(watched.world.record().counters.crashes, 3, "{point:?}");
        for (node, promised) in promised.iter().enumerate() {
            assert!(watched.ballot(node) >= *promised, "node {node}, {point:?}");
        }
        let height = watched.world.max_final();
        watched.until("it goes on", |world| world.max_final() > height);
        let again = watched.leader();
        assert!(watched.ballot(again) > promised[leader], "a new ballot, {point:?}");
    }
}

/// §2.4: two proposers may keep each other from ever choosing anything; timeouts that grow and
/// differ end it.
#[test]
fn section_2_4_duelling_proposers_settle() {
    let mut watched = Watched::new(5, MS * 5);
    watched.lose(|envelope| {
        matches!(
            envelope.message,
            Message::Accept { .. } | Message::Heartbeat(_) | Message::Chosen(_)
        )
    });
    watched.run(MS * 6_000);
    let ballot = (0..5).map(|node| watched.ballot(node)).max().expect("five nodes");
    assert!(ballot.get() > 8, "they duel: {ballot}");
    assert_eq!(watched.world.max_final(), Height::new(0));
    watched.lose(|_| false);
    let end = watched.world.now() + MS * 2_000;
    let settled = watched.world.run_until(end, |world| world.min_final() > Height::new(20));
    assert!(settled, "heights up to {}", watched.world.max_final());
}

/// §3: "the set of servers can be changed by ordinary state machine commands". The block with the
/// change is the last of its epoch: nothing is proposed above it before it is chosen, and the next
/// epoch belongs to the new set. A node that left follows as an observer.
#[test]
fn section_3_a_stop_entry_ends_the_epoch() {
    let mut watched = Watched::new(5, MS * 2);
    watched.leads();
    watched.run(MS * 100);
    let plan = watched.world.plan().clone();
    let signer = Genesis::signer(plan.signatures, plan.seed, 2_000);
    let change = membership(watched.world.chain_id(), signer.as_ref(), 0, 3);
    watched.forget();
    watched.world.offer(&change);
    watched.until("the next epoch", |world| {
        world.nodes().iter().all(|node| epoch(node) == Some(Epoch::new(1)))
    });
    let height = watched.world.max_final().get();
    watched.until("it goes on", |world| world.min_final().get() > height + 20);
    let proposals = watched.proposals();
    let barrier = proposals.iter().map(|(_, block)| block);
    let barrier = barrier.clone().find(|block| block.header.kind == BlockKind::Barrier);
    let barrier = barrier.expect("a barrier was proposed").clone();
    let above = proposals.iter().filter(|(_, block)| {
        block.header.epoch == Epoch::new(0) && block.header.height > barrier.header.height
    });
    assert_eq!(above.count(), 0, "nothing above the stop entry");
    let ballots = proposals.iter().filter(|(_, block)| block.header.epoch == Epoch::new(1));
    assert!(ballots.clone().all(|(ballot, _)| *ballot > barrier.header.view.next()));
    assert!(ballots.count() > 0);
    let role = |node: usize| watched.world.node(node).status().map(|status| status.role);
    assert_eq!((role(3), role(4)), (Some(Role::Observer), Some(Role::Observer)));
    watched.world.strike(Fault::Crash { who: Who::Node(2), restart_after: None });
    let height = watched.world.max_final().get();
    watched.until("two of three are a majority", |world| world.max_final().get() > height + 20);
}

fn epoch(node: &Node<Paxos>) -> Option<Epoch> {
    node.status().map(|status| status.epoch)
}

/// §1: "agents operate at arbitrary speed, may fail by stopping, and may restart". Messages "are
/// not corrupted": a leader that says two things is outside the model, and forks the chain.
#[test]
fn section_1_a_lying_leader_is_outside_the_model() {
    let mut forks = 0;
    let seeds = 20;
    for seed in 0..seeds {
        let calm = scenarios::calm(seed, 4);
        let load = Load { interval: MS / 2, ..calm.load };
        let plan = Plan { byzantine: vec![(1, BehaviourKind::Equivocate)], load, ..calm };
        let report = runner::run::<Paxos>(&plan, "equivocation");
        forks += usize::from(report.violations.iter().any(|v| v.property == "agreement"));
    }
    println!("{forks} of {seeds} runs with an equivocating leader fork");
    assert!(forks > 0);
}
