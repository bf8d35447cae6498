//! One test per claim of the paper, over the real engines in the simulated world. Numbers are
//! sections of Ongaro, "Consensus: Bridging Theory and Practice" (2014).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use chain::block::{BlockKind, SealedBlock};
use chain::types::{Epoch, Height, ValidatorIndex, View};
use consensus::engine::{Engine, Input, Outgoing, Output, Recovered, Role, Status, Time};
use consensus::message::EngineMessage;
use consensus::raft::{LogEnd, Message, Promises, Raft, VoteRequest};
use consensus_sim::application::membership;
use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::genesis::Genesis;
use consensus_sim::network::Link;
use consensus_sim::plan::{EngineOptions, Fault, Load, Plan, Who};
use consensus_sim::world::{Envelope, World};
use consensus_sim::{runner, scenarios, swarm};

const MS: Duration = Duration::from_millis(1);

type Blocks = Rc<RefCell<Vec<SealedBlock>>>;
type Counts = Rc<RefCell<BTreeMap<&'static str, usize>>>;

/// Calm weather without clients, and a leader.
fn elected(seed: u64, n: usize) -> (World<Raft>, usize) {
    let load = Load { transactions: 0, senders: 2, reads: false, interval: MS };
    let plan = Plan { load, faults_end: Duration::ZERO, ..scenarios::calm(seed, n) };
    let mut world = World::new(plan, 0);
    world.run_for(MS * 400);
    let leader = leader(&world).expect("calm weather elects a leader");
    (world, leader)
}

fn status(world: &World<Raft>, node: usize) -> Status {
    world.node(node).status().expect("the node is up")
}

/// The leader of the highest term.
fn leader(world: &World<Raft>) -> Option<usize> {
    let leads = |node: usize| {
        let status = world.node(node).status()?;
        (status.role == Role::Leader).then_some((status.view, node))
    };
    (0..world.nodes().len()).filter_map(leads).max().map(|(_, node)| node)
}

fn run_on(world: &mut World<Raft>, duration: Duration) {
    world.run_for(duration);
    assert!(world.violations().is_empty(), "{:?}", world.violations());
}

fn others(world: &World<Raft>, node: usize) -> Vec<usize> {
    (0..world.nodes().len()).filter(|other| *other != node).collect()
}

fn count(world: &mut World<Raft>) -> Counts {
    let counts = Counts::default();
    let book = Rc::clone(&counts);
    world.set_tap(Box::new(move |sent: &Envelope<'_, Message>| {
        *book.borrow_mut().entry(sent.message.kind()).or_default() += 1;
        true
    }));
    counts
}

fn members(world: &mut World<Raft>, nonce: u64, members: u8) {
    let operator = Genesis::signer(world.plan().signatures, world.plan().seed, 2_000);
    world.offer(&membership(world.chain_id(), operator.as_ref(), nonce, members));
}

/// One engine alone, in the hands of a test.
fn alone(n: usize, record: Option<Promises>) -> (Raft, Output<Message, Message>) {
    let world = World::<Raft>::new(scenarios::calm(1, n), 0);
    let genesis = world.genesis();
    let me = genesis.validators.get(ValidatorIndex::new(0)).expect("a validator").consensus_key;
    let config = EngineOptions::default().config(genesis.chain_id, me, genesis.rule.verifier());
    let recovered = Recovered {
        validators: genesis.validators.clone(),
        final_height: Height::default(),
        final_hash: genesis.hash,
        final_block: None,
        final_proof: None,
        opening_height: Height::default(),
        opening_hash: genesis.hash,
        opening_mode: genesis.mode,
        recent: Vec::new(),
        blocks: Vec::new(),
        record,
    };
    let mut output = Output::default();
    let raft = Raft::recover(config, recovered, Time::default(), &mut output);
    (raft, output)
}

fn asks_for_vote(raft: &mut Raft, from: u16, term: u64) -> (Output<Message, Message>, bool) {
    let log = LogEnd { term: View::default(), height: Height::default() };
    let request = Message::VoteRequest(VoteRequest {
        term: View::new(term),
        log,
        asks_first: false,
        transfer: false,
    });
    let from = ValidatorIndex::new(from);
    let message = raft.verify(from, request).expect("a correct message");
    let mut output = Output::default();
    raft.step(Time::default(), Input::Message { from, message }, &mut output);
    let granted = output.send_after_persist.iter().any(|outgoing| {
        matches!(outgoing, Outgoing::Ready(_, Message::VoteReply(reply)) if reply.granted)
    });
    (output, granted)
}

#[test]
fn s3_4_one_leader_is_elected_and_everybody_follows_it() {
    for n in [1, 2, 3, 4, 5, 7] {
        let (world, leader) = elected(n as u64, n);
        for node in 0..n {
            let seen = status(&world, node);
            assert_eq!(seen.leader, Some(ValidatorIndex::new(leader as u16)), "n = {n}");
            assert_eq!(seen.view, status(&world, leader).view, "n = {n}");
        }
    }
}

#[test]
fn s3_4_election_timeouts_differ_and_are_the_same_in_the_same_run() {
    let first = |seed| {
        let world = World::<Raft>::new(scenarios::calm(seed, 5), 0);
        let due = |node: usize| world.node(node).driver().and_then(|driver| driver.next_timeout());
        (0..5).map(due).collect::<Vec<_>>()
    };
    assert_eq!(first(1), first(1));
    assert_ne!(first(1), first(2));
}

#[test]
fn s3_4_a_term_has_one_vote_and_it_is_on_disk_before_it_leaves() {
    let (mut raft, _) = alone(3, None);
    let (output, granted) = asks_for_vote(&mut raft, 1, 5);
    assert!(granted && output.persist && output.send.is_empty());
    assert!(!asks_for_vote(&mut raft, 2, 5).1, "no second vote in the term");
    assert!(asks_for_vote(&mut raft, 1, 5).1, "the same vote again");
    // 3.8: term and vote survive a restart.
    let (mut raft, _) = alone(3, Some(raft.record()));
    assert!(!asks_for_vote(&mut raft, 2, 5).1, "no second vote after a restart");
    assert!(!asks_for_vote(&mut raft, 2, 4).1, "nor one in an earlier term");
    assert!(asks_for_vote(&mut raft, 2, 6).1);
}

#[test]
fn s3_5_a_follower_that_diverged_takes_the_leaders_log() {
    let (mut world, old) = elected(3, 5);
    // Entries that only the old leader has, then others elsewhere.
    world.strike(Fault::Isolate { who: Who::Node(old) });
    world.submit();
    run_on(&mut world, MS * 20);
    let lonely = status(&world, old).head_height;
    assert!(lonely > status(&world, old).final_height, "an entry that nobody else has");
    run_on(&mut world, MS * 600);
    world.strike(Fault::HealNetwork);
    run_on(&mut world, MS * 600);
    assert_eq!(world.min_final(), world.max_final());
    assert!(world.min_final() >= lonely);
    assert_eq!(world.open_transactions(), 0);
}

#[test]
fn s3_6_2_an_entry_of_an_earlier_term_is_committed_with_one_of_the_own() {
    let (mut world, old) = elected(4, 3);
    let before = status(&world, old).view;
    // An entry that all have and of whose commit nobody hears: the leader never gets the replies.
    let blocks = Blocks::default();
    let seen = Rc::clone(&blocks);
    world.set_tap(Box::new(move |sent: &Envelope<'_, Message>| {
        seen.borrow_mut().extend(sent.message.proposals().iter().cloned());
        !matches!(sent.message, Message::AppendReply(_)) || sent.to != old
    }));
    world.submit();
    run_on(&mut world, MS * 5);
    world.crash(old, None);
    run_on(&mut world, MS * 600);
    let now = leader(&world).expect("the two others elect a leader");
    let seen = status(&world, now);
    assert!(seen.view > before && world.open_transactions() == 0);
    let blocks = blocks.borrow();
    let last = blocks.iter().find(|block| block.hash() == seen.final_hash).expect("it was sent");
    assert_eq!(last.header.view, seen.view, "an entry of the new term is on top");
    assert!(last.transactions.is_empty(), "6.4: a no-op starts the term");
}

#[test]
fn s3_6_1_only_a_log_with_everything_committed_wins() {
    let (mut world, leader_before) = elected(5, 3);
    let behind = others(&world, leader_before)[0];
    world.strike(Fault::Isolate { who: Who::Node(behind) });
    for _ in 0..5 {
        world.submit();
        run_on(&mut world, MS * 20);
    }
    world.crash(leader_before, None);
    world.strike(Fault::HealNetwork);
    run_on(&mut world, MS * 800);
    let now = leader(&world).expect("two of three are up");
    assert_ne!(now, behind, "the other one has what was committed");
    assert_eq!(world.node(behind).final_height(), world.max_final());
}

#[test]
fn s3_10_and_4_2_2_a_leader_that_is_removed_hands_over_at_once() {
    // A seed whose first leader is the one that leaves.
    let (mut world, leader_before) = (0..50)
        .map(|seed| elected(seed, 3))
        .find(|(_, leader)| *leader == 2)
        .expect("one in three");
    let counts = count(&mut world);
    members(&mut world, 0, 2);
    run_on(&mut world, MS * 80);
    let now = leader(&world).expect("the next leader needs no election timeout");
    assert_ne!(now, leader_before);
    assert_eq!(status(&world, leader_before).role, Role::Observer);
    assert_eq!(counts.borrow().get("timeout_now"), Some(&1));
    assert_eq!(status(&world, now).epoch, Epoch::new(1));
}

#[test]
fn s4_3_a_change_may_replace_several_members_at_once() {
    let (mut world, _) = elected(6, 5);
    for (nonce, size) in [(0, 2), (1, 5), (2, 1), (3, 4)] {
        members(&mut world, nonce, size);
        run_on(&mut world, MS * 500);
        world.submit();
        run_on(&mut world, MS * 500);
        for node in 0..5 {
            let seen = status(&world, node);
            assert_eq!(seen.epoch, Epoch::new(nonce + 1), "node {node}, change {nonce}");
            assert_eq!(seen.role == Role::Observer, node >= usize::from(size));
        }
        assert_eq!(world.min_final(), world.max_final(), "observers follow");
        assert_eq!(world.open_transactions(), 0);
    }
}

#[test]
fn s4_3_a_change_needs_a_majority_of_both_sets() {
    let (mut world, _) = elected(7, 5);
    members(&mut world, 0, 3);
    run_on(&mut world, MS * 300);
    let now = leader(&world).expect("a leader of three");
    let old = (0..3).filter(|node| *node != now).collect();
    world.strike(Fault::Partition { groups: vec![vec![now, 3, 4], old] });
    members(&mut world, 1, 5);
    run_on(&mut world, MS * 20);
    let seen = status(&world, now);
    assert!(seen.head_height > seen.final_height, "the change is in the leader's log");
    assert_eq!(seen.epoch, Epoch::new(1), "three of five are no majority of the three before");
    world.strike(Fault::HealNetwork);
    run_on(&mut world, MS * 800);
    assert!((0..5).all(|node| status(&world, node).epoch == Epoch::new(2)));
}

#[test]
fn s4_2_3_and_9_6_a_server_that_was_cut_off_disturbs_nobody() {
    let (mut world, leader_before) = elected(8, 5);
    let term = status(&world, leader_before).view;
    let cut = others(&world, leader_before)[0];
    for _ in 0..5 {
        world.strike(Fault::Isolate { who: Who::Node(cut) });
        run_on(&mut world, MS * 500);
        assert_eq!(status(&world, cut).view, term, "it asks and is not answered: no new term");
        world.strike(Fault::HealNetwork);
        run_on(&mut world, MS * 100);
    }
    assert_eq!(leader(&world), Some(leader_before));
    assert_eq!(status(&world, leader_before).view, term);
}

#[test]
fn s5_a_follower_whose_entries_are_compacted_away_gets_the_final_chain() {
    let (mut world, now) = elected(9, 3);
    let behind = others(&world, now)[0];
    world.crash(behind, None);
    for _ in 0..40 {
        world.submit();
        run_on(&mut world, MS * 5);
    }
    let counts = count(&mut world);
    world.strike(Fault::Restart { node: behind });
    run_on(&mut world, MS * 200);
    assert_eq!(world.min_final(), world.max_final());
    assert!(counts.borrow().contains_key("finals"));
}

/// A chain deleted by its operator, promises kept: nothing is promised against what was there.
#[test]
fn s3_8_a_server_that_lost_its_chain_fetches_it_before_it_stands_for_election() {
    let (mut world, now) = elected(16, 3);
    for _ in 0..20 {
        world.submit();
        run_on(&mut world, MS * 10);
    }
    let forgetful = others(&world, now)[0];
    world.crash(forgetful, None);
    world.node(forgetful).disk().forget_chain();
    world.crash(now, None);
    world.strike(Fault::Restart { node: forgetful });
    run_on(&mut world, MS * 40);
    assert_ne!(status(&world, forgetful).role, Role::Leader);
    run_on(&mut world, MS * 1_500);
    assert_eq!(world.node(forgetful).final_height(), world.max_final());
    assert!(leader(&world).is_some(), "two of three are up");
}

#[test]
fn s6_2_a_leader_without_a_majority_steps_down() {
    let (mut world, now) = elected(10, 5);
    world.strike(Fault::Isolate { who: Who::Node(now) });
    run_on(&mut world, MS * 200);
    assert_ne!(status(&world, now).role, Role::Leader);
}

#[test]
fn s6_4_a_read_is_confirmed_by_a_round_of_heartbeats_and_never_stale() {
    let (mut world, now) = elected(11, 3);
    let follower = others(&world, now)[0];
    for asker in [now, follower] {
        world.submit();
        run_on(&mut world, MS * 20);
        let newest = world.max_final();
        let ready = world.read_within(asker, MS * 100);
        assert!(ready.is_some_and(|height| height >= newest), "node {asker}: {ready:?}");
    }
    // Cut off, it still believes that it leads; nobody confirms it.
    world.strike(Fault::Isolate { who: Who::Node(now) });
    assert_eq!(world.read_within(now, MS * 45), None);
}

#[test]
fn s10_2_1_the_leader_writes_while_the_followers_do() {
    // Links take nothing, the disk ten milliseconds: one write after the other would take twenty.
    let link = Link::exact(Duration::ZERO);
    let load = Load { transactions: 0, senders: 1, reads: false, interval: MS };
    let sync = (MS * 10, MS * 10);
    let plan = Plan { link, load, sync, faults_end: Duration::ZERO, ..scenarios::calm(12, 3) };
    let mut world = World::<Raft>::new(plan, 0);
    run_on(&mut world, MS * 600);
    world.submit();
    run_on(&mut world, MS * 100);
    let latency = world.record().latencies[0];
    assert!(latency <= MS * 11, "{latency:?}");
}

#[test]
fn a_block_costs_two_messages_per_follower_and_a_commit_notice_when_nothing_follows() {
    for n in [3, 4, 5, 7] {
        for (interval, dry) in [(MS * 2, false), (MS * 40, true)] {
            let options = EngineOptions {
                timeout_min: MS * 200,
                timeout_max: MS * 800,
                heartbeat: MS * 60,
                pipeline: 16,
                ..EngineOptions::default()
            };
            let plan = Plan {
                options,
                link: Link::exact(MS * 5),
                load: Load { transactions: u64::MAX, senders: 4, reads: false, interval },
                ..scenarios::calm(13, n)
            };
            let mut world = World::<Raft>::new(plan, 0);
            run_on(&mut world, MS * 1_001);
            let blocks = world.max_final().get();
            let counts = count(&mut world);
            run_on(&mut world, MS * 1_000);
            let blocks = usize::try_from(world.max_final().get() - blocks).expect("a few hundred");
            let counts = counts.borrow();
            let of = |kind| counts.get(kind).copied().unwrap_or(0);
            assert!(blocks > 20, "n = {n}: {blocks} blocks");
            let each = (n - 1) * blocks;
            assert_eq!((of("append"), of("append_reply")), (each, each), "n = {n}");
            assert_eq!(of("commit_notice"), if dry { each } else { 0 }, "n = {n}");
            assert_eq!(of("heartbeat"), 0, "blocks are signs of life: {counts:?}");
            assert_eq!(counts.len(), if dry { 3 } else { 2 }, "nothing else: {counts:?}");
            println!("n = {n}, dry {dry}: {blocks} blocks, {counts:?}");
        }
    }
}

#[test]
fn the_first_block_of_an_epoch_is_empty_and_above_the_barrier() {
    let (mut world, _) = elected(14, 4);
    let blocks = Blocks::default();
    let seen = Rc::clone(&blocks);
    world.set_tap(Box::new(move |sent: &Envelope<'_, Message>| {
        seen.borrow_mut().extend(sent.message.proposals().iter().cloned());
        true
    }));
    members(&mut world, 0, 3);
    run_on(&mut world, MS * 300);
    let blocks = blocks.borrow();
    let barrier = blocks.iter().find(|block| block.header.kind == BlockKind::Barrier);
    let barrier = barrier.expect("the change was proposed").hash();
    let above = blocks.iter().find(|block| block.header.parent == barrier).expect("a block on it");
    assert_eq!((above.header.epoch, above.header.kind), (Epoch::new(1), BlockKind::Ordinary));
    assert!(above.transactions.is_empty() && status(&world, 0).final_height >= above.header.height);
}

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in 0..20 {
        let plan = Plan { byzantine: Vec::new(), twins: Vec::new(), ..swarm::plan(seed, 5) };
        let hash = || runner::run::<Raft>(&plan, "twice").trace_hash;
        assert_eq!(hash(), hash(), "seed {seed}");
    }
}

/// Outside the fault model: a leader that says two things forks the chain, or halts it.
#[test]
fn an_equivocating_leader_breaks_agreement_or_progress() {
    let (mut forks, mut stalls) = (0, 0);
    const RUNS: u64 = 60;
    for seed in 0..RUNS {
        let byzantine =
            vec![(usize::try_from(seed % 4).expect("small"), BehaviourKind::Equivocate)];
        let plan = Plan { byzantine, twins: Vec::new(), ..swarm::plan(seed, 4) };
        let report = runner::run::<Raft>(&plan, "equivocation");
        let forked = report.violations.iter().any(|violation| violation.property == "agreement");
        forks += u64::from(forked);
        stalls += u64::from(report.violations.is_empty() && !report.liveness.recovered);
    }
    println!("{RUNS} runs with an equivocating validator: {forks} forks, {stalls} stalls");
    assert!(forks > 0, "a lie within reach of one validator undoes what is final");
}

#[test]
fn s6_4_reads_of_a_lone_leader_need_nobody() {
    let (mut world, now) = elected(15, 1);
    world.submit();
    run_on(&mut world, MS * 20);
    assert_eq!(world.read_within(now, MS), Some(world.max_final()));
}
