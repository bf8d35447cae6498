//! Whole networks: leaders that starve some, clocks that jump, modes that flap, views that last.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use chain::block::Mode;
use chain::types::View;
use consensus::engine::Time;
use consensus::hybrid::{Hybrid, Message};
use consensus_sim::network::Link;
use consensus_sim::plan::{Fault, Load, Plan, Timed, Who};
use consensus_sim::scenarios;
use consensus_sim::world::{Envelope, World};

const MS: Duration = Duration::from_millis(1);

fn plan(n: usize) -> Plan {
    Plan { link: Link::exact(MS), ..scenarios::calm(1, n) }
}

/// Runs on until every node has this much final, within a time.
fn reach(world: &mut World<Hybrid>, height: u64, within: Duration) {
    let end = world.now() + within;
    let reached = world.run_until(end, |world| world.min_final().get() >= height);
    assert!(world.violations().is_empty(), "{:?}", world.violations());
    assert!(reached, "at {} to {} of {height}", world.min_final(), world.max_final());
}

#[test]
fn a_leader_that_sends_a_block_to_some_only_starves_nobody_for_long() {
    for starved in [vec![3], vec![2, 3]] {
        let mut world = World::<Hybrid>::new(plan(4), 0);
        world.set_tap(Box::new(move |envelope: &Envelope<'_, Message>| {
            let blocks =
                matches!(envelope.message, Message::Append(append) if !append.blocks.is_empty());
            !(blocks && envelope.from == 0 && starved.contains(&envelope.to))
        }));
        reach(&mut world, 40, MS * 1_200);
    }
}

/// The work timer restarts with finality, not with appends.
#[test]
fn a_leader_that_withholds_certificates_is_replaced() {
    let mut world = World::<Hybrid>::new(plan(4), 0);
    world.set_tap(Box::new(|envelope: &Envelope<'_, Message>| {
        // It gathers the votes and tells nobody what they make.
        let shows = match envelope.message {
            Message::Append(append) => {
                append.blocks.is_empty() && !append.certificates.is_empty()
                    || append.blocks.iter().any(|block| block.justification.certificate.is_some())
            }
            Message::Decided(_) | Message::Finals(_) | Message::Blocks(_) => true,
            _ => false,
        };
        !(shows && envelope.from == 0)
    }));
    reach(&mut world, 20, MS * 1_200);
    let view = world.record().views.keys().map(|(_, view)| *view).max();
    assert!(view > Some(View::new(0)), "the leader of view 0 is left");
}

/// A thousand blocks in one view, then its leader dies: a report holds no more than the pipeline.
#[test]
fn a_thousand_blocks_in_one_view_then_a_view_change_with_short_reports() {
    let mut plan = plan(4);
    plan.load = Load { transactions: 1_300, senders: 4, reads: false, interval: MS };
    let longest = Rc::new(Cell::new(0));
    let seen = Rc::clone(&longest);
    let mut world = World::<Hybrid>::new(plan.clone(), 0);
    world.set_tap(Box::new(move |envelope: &Envelope<'_, Message>| {
        if let Message::ViewChange(change) = envelope.message {
            let headers = change.report.last_vote.as_ref().map_or(0, |vote| vote.headers.len());
            seen.set(seen.get().max(headers));
        }
        true
    }));
    reach(&mut world, 1_000, MS * 3_000);
    assert!(world.record().views.is_empty(), "all of it in the first view");
    world.strike(Fault::Crash { who: Who::Leader, restart_after: None });
    let end = world.now() + MS * 500;
    let final_before = world.max_final();
    let went_on = world.run_until(end, |world| {
        !world.record().views.is_empty() && world.max_final().get() > final_before.get() + 8
    });
    assert!(went_on && world.violations().is_empty(), "{:?}", world.violations());
    assert!(longest.get() >= 1, "somebody reported a vote");
    assert!(longest.get() as u64 <= plan.options.pipeline, "{} headers", longest.get());
}

/// The leader is cut off again and again: each escalation asks for more calm, so the number of
/// switches stays far below the number of attempts.
#[test]
fn mode_flapping_is_bounded() {
    let attempts = 24;
    let faults = (1..=attempts)
        .flat_map(|turn| {
            let start = MS * (turn * 300);
            [
                Timed { at: start, fault: Fault::Isolate { who: Who::Leader } },
                Timed { at: start + MS * 90, fault: Fault::HealNetwork },
            ]
        })
        .collect();
    let plan = Plan {
        faults,
        faults_end: MS * (attempts * 300 + 300),
        load: Load { transactions: u64::MAX, senders: 4, reads: false, interval: MS * 4 },
        ..plan(4)
    };
    let mut world = World::<Hybrid>::new(plan.clone(), 0);
    world.run_until(Time::default() + plan.faults_end, |_| false);
    assert!(world.violations().is_empty(), "{:?}", world.violations());
    let record = world.record();
    let views = record.views.len();
    assert!(views >= attempts as usize / 2, "only {views} view changes");
    let mut switches: BTreeMap<&str, usize> = BTreeMap::new();
    for change in &record.mode_changes {
        let to = if change.to == Mode::Fast { "fast" } else { "pbft" };
        *switches.entry(to).or_default() += 1;
    }
    let to_fast = switches.get("fast").copied().unwrap_or(0);
    println!("{views} views, {switches:?}, {} blocks", world.max_final());
    assert!(to_fast >= 1, "after the first ones the weather counts as calm again");
    assert!(to_fast <= 7, "the calm that is asked for doubles: {switches:?}");
}

/// L1-L3. Its absence shows in the certificates: nobody waits for it when its turn to lead comes.
#[test]
fn a_dead_validator_is_passed_over_as_leader() {
    let resumes_within = |known_after: u64| {
        let mut world = World::<Hybrid>::new(plan(7), 0);
        world.strike(Fault::Crash { who: Who::Node(1), restart_after: None });
        let known = world.now() + MS * 1_000;
        assert!(world.run_until(known, |world| world.max_final().get() >= known_after));
        world.strike(Fault::Crash { who: Who::Leader, restart_after: None });
        let (crashed, height) = (world.now(), world.max_final().get());
        let end = crashed + MS * 1_000;
        let resumed = world.run_until(end, |world| world.max_final().get() > height + 1);
        assert!(resumed && world.violations().is_empty(), "{:?}", world.violations());
        let started = world.record().views.keys().map(|(_, view)| view.get());
        assert_eq!(started.max(), Some(2), "view 1 is the dead one's");
        world.now().since(crashed)
    };
    let (unknown, known) = (resumes_within(8), resumes_within(60));
    println!("resumed after {known:?}, where nobody knows that it is dead after {unknown:?}");
    assert!(known + MS * 50 < unknown, "a timeout less");
}

/// L1-L3. A validator whose votes are always late leads only where its turn cannot be avoided.
#[test]
fn a_slow_validator_is_not_made_leader_again_and_again() {
    let load = Load { transactions: u64::MAX, senders: 4, reads: false, interval: MS * 4 };
    let mut world = World::<Hybrid>::new(Plan { load, ..plan(4) }, 0);
    let slow = || Fault::Lag { who: Who::Node(1), extra: MS * 20 };
    world.strike(slow());
    reach(&mut world, 60, MS * 1_000);
    for _ in 0..9 {
        world.strike(Fault::Isolate { who: Who::Leader });
        world.run_for(MS * 120);
        world.strike(Fault::HealNetwork);
        world.strike(slow());
        world.run_for(MS * 250);
    }
    assert!(world.violations().is_empty(), "{:?}", world.violations());
    let mut led: BTreeMap<usize, usize> = BTreeMap::new();
    for block in world.node(0).disk().recover().0.recent {
        *led.entry(block.header.proposer.as_usize()).or_default() += 1;
    }
    let views = world.record().views.len();
    println!("{views} views, blocks by proposer: {led:?}");
    assert!(views >= 9 && led.len() >= 3, "the others take turns");
    assert_eq!(led.get(&1), None, "the slow one leads nothing");
}

/// A clock that jumps ahead makes timers fire at once; one that is set back makes them late.
#[test]
fn clock_jumps_cost_at_most_a_view_change_and_never_safety() {
    for jump in [MS * 60, MS * 3_000, MS * 3_600_000] {
        for jumping in [vec![0], vec![3], vec![1, 2, 3]] {
            let mut world = World::<Hybrid>::new(plan(4), 0);
            reach(&mut world, 10, MS * 300);
            jumping.iter().for_each(|node| world.jump_clock(*node, |ahead| ahead + jump));
            reach(&mut world, 20, MS * 800);
            let back = MS * 60;
            jumping.iter().for_each(|node| world.jump_clock(*node, |ahead| ahead - back));
            reach(&mut world, 30, MS * 1_500);
        }
    }
}

/// The leader alone has the final certificate, and what it says of it is lost: it answers those who
/// say their votes again.
#[test]
fn whoever_alone_has_the_final_certificate_shares_it() {
    let quiet = Load { transactions: 0, ..plan(7).load };
    let mut world = World::<Hybrid>::new(Plan { load: quiet, ..plan(7) }, 0);
    let open = Rc::new(Cell::new(false));
    let gate = Rc::clone(&open);
    world.set_tap(Box::new(move |envelope: &Envelope<'_, Message>| {
        let heard = match envelope.message {
            Message::Append(append) => !append.blocks.is_empty(),
            _ => true,
        };
        heard || gate.get() || envelope.from != 0
    }));
    world.submit();
    world.run_for(MS * 20);
    assert_eq!((world.max_final().get(), world.min_final().get()), (1, 0));
    open.set(true);
    reach(&mut world, 1, MS * 100);
    assert!(world.record().views.is_empty(), "nobody had to leave the view");
}
