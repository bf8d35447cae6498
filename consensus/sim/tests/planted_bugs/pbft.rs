//! Bugs in the decisions that PBFT's safety hangs on, one at a time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chain::block::Header;
use chain::certificate::{Ballot, Certificate, Position, Signatures, VoteKind};
use chain::crypto::{Domain, Hasher};
use chain::quorum::Quorums;
use chain::types::{Digest, Height, View};
use consensus::pbft::{Message, Paper, Pbft, Prepared, Rules, ViewChange};
use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::genesis::Genesis;
use consensus_sim::network::Link;
use consensus_sim::plan::{Load, Plan};
use consensus_sim::planted::{SEEDS, broken, check, control, hunt, verdict};
use consensus_sim::world::{Envelope, World};
use consensus_sim::{scenarios, swarm};

use crate::document;
use crate::script::Script;

const MS: Duration = Duration::from_millis(1);

/// A null request where something was prepared.
#[derive(Debug)]
struct NullInstead;
impl Rules for NullInstead {
    fn choose<'a>(_: &[&'a Prepared]) -> Option<&'a Prepared> {
        None
    }
}

/// Of two prepared blocks the older one.
#[derive(Debug)]
struct LowestView;
impl Rules for LowestView {
    fn choose<'a>(reported: &[&'a Prepared]) -> Option<&'a Prepared> {
        reported.iter().copied().min_by_key(|prepared| prepared.view())
    }
}

/// View changes are believed without certificates.
#[derive(Debug)]
struct NoCertificates;
impl Rules for NoCertificates {
    fn accepts_prepared(_: bool) -> bool {
        true
    }
}

/// Commits what was accepted.
#[derive(Debug)]
struct CommitsAccepted;
impl Rules for CommitsAccepted {
    fn may_commit(_: bool, _: bool) -> bool {
        true
    }
}

/// Commits what is prepared, whatever is not below it.
#[derive(Debug)]
struct CommitsAcrossGaps;
impl Rules for CommitsAcrossGaps {
    fn may_commit(prepared: bool, _: bool) -> bool {
        prepared
    }
}

/// One vote too few decides.
#[derive(Debug)]
struct SmallQuorum;
impl Rules for SmallQuorum {
    fn quorum(quorums: &Quorums) -> usize {
        quorums.quorum - 1
    }
}

/// Of the votes of a view only the first is on disk: after a restart the others are cast again.
#[derive(Debug)]
struct KeepsFirstVote;
impl Rules for KeepsFirstVote {
    fn keeps_vote(earlier: &[Ballot], _: &Ballot) -> bool {
        earlier.is_empty()
    }
}

/// Any height is between the watermarks.
#[derive(Debug)]
struct NoWatermarks;
impl Rules for NoWatermarks {
    fn between_watermarks(_: Height, _: Height) -> bool {
        true
    }
}

/// A random world, liars and twins included.
fn random<R: Rules>(seed: u64) -> Option<String> {
    let mut world = World::<Pbft<R>>::new(swarm::plan(seed, 4), 0);
    broken(&mut world)
}

/// Views change quickly while few messages get through: blocks prepared in several views.
fn changing<R: Rules>(seed: u64) -> Option<String> {
    let plan = swarm::crashes(seed, 4);
    let link = Link { loss: 350_000, delay_max: MS * 10, ..Link::exact(MS) };
    let mut options = plan.options;
    (options.timeout_min, options.timeout_max) = (MS * 25, MS * 100);
    options.pipeline = 8;
    let byzantine = vec![(1, BehaviourKind::Equivocate)];
    let plan = Plan { options, link, byzantine, max_faulty: 1, ..plan };
    let mut world = World::<Pbft<R>>::new(plan, 0);
    broken(&mut world)
}

/// One replica gets new blocks and never hears that any is final.
fn deaf<R: Rules>(seed: u64) -> Option<String> {
    let calm = scenarios::calm(seed, 4);
    let mut options = calm.options;
    (options.timeout_min, options.timeout_max) = (MS * 400, MS * 800);
    let load = Load { interval: MS, transactions: 400, ..calm.load };
    let mut world = World::<Pbft<R>>::new(Plan { options, load, ..calm }, 0);
    world.set_tap(Box::new(|envelope: &Envelope<'_, Message>| {
        envelope.to != 3 || matches!(envelope.message, Message::PrePrepare(_))
    }));
    world.run_for(MS * 300);
    world.clear_tap();
    let now = world.now();
    let recovered =
        world.run_until(now + MS * 2_000, |world| world.min_final() == world.max_final());
    verdict(&world, recovered)
}

/// A primary pre-prepares two blocks on one, a backup restarts between them.
fn revoting<R: Rules>(_seed: u64) -> Option<String> {
    let mut script = Script::<R>::with(3, false);
    let first = script.block(None, 0);
    let (one, other) = (script.block(Some(&first), 0), script.block(Some(&first), 0));
    script.pre_prepare(&first);
    script.pre_prepare(&one);
    script.restart();
    script.pre_prepare(&other);
    verdict(&script.world, true)
}

/// Blocks are committed by everyone and become final nowhere, since no commit arrives; the next
/// view prepares nothing at all. Replica 0 reports in every view change that it prepared a block
/// which nobody has.
fn forger<R: Rules>(seed: u64) -> Option<String> {
    let byzantine = vec![(0, BehaviourKind::OmitVotes)];
    let plan = Plan { byzantine, ..scenarios::calm(seed, 4) };
    let (bound, signer) = (plan.recovery_bound, Genesis::signer(plan.signatures, plan.seed, 0));
    let mut world = World::<Pbft<R>>::new(plan, 0);
    world.run_for(MS * 100);
    let changes = Rc::new(RefCell::new(Vec::new()));
    let caught = Rc::clone(&changes);
    let mut changed = false;
    world.set_tap(Box::new(move |envelope: &Envelope<'_, Message>| match envelope.message {
        Message::ViewChange(change) if envelope.from == 0 => {
            caught.borrow_mut().push((envelope.to, change.clone()));
            false
        }
        Message::NewView(_) => {
            changed = true;
            true
        }
        Message::Votes(votes) => {
            !changed && votes.iter().all(|vote| vote.ballot.kind == VoteKind::PbftPrepare)
        }
        _ => true,
    }));
    let end = world.now() + MS * 600;
    while world.now() < end && world.violations().is_empty() {
        world.run_until(end, |_| !changes.borrow().is_empty());
        for (to, change) in changes.borrow_mut().drain(..) {
            let forged = forge(&world, change, signer.as_ref());
            world.inject(forged.sender, to, Message::ViewChange(forged));
        }
    }
    world.clear_tap();
    world.heal(Link::exact(MS));
    let end = world.now() + bound;
    let recovered = world.run_until(end, |world| {
        world.open_transactions() == 0 && world.min_final() == world.max_final()
    });
    verdict(&world, recovered)
}

fn forge<R: Rules>(
    world: &World<Pbft<R>>,
    change: ViewChange,
    signer: &(dyn chain::crypto::Signer + Send),
) -> ViewChange {
    let chain_id = world.chain_id();
    let mut report = change.report;
    let (below, parent) = match &report.final_certificate {
        Some(certificate) => (certificate.ballot.position.height, certificate.ballot.block),
        None => (Height::new(0), world.genesis().hash),
    };
    let view = View::new(report.view.get() - 1);
    let position = Position { epoch: report.epoch, view, height: below.next() };
    let set = &world.genesis().validators;
    let header = Header {
        chain_id,
        epoch: report.epoch,
        view,
        height: position.height,
        mode: chain::block::Mode::Pbft,
        kind: chain::block::BlockKind::Ordinary,
        parent,
        proposer: set.leader(view),
        timestamp_ms: 1,
        transactions_root: Digest::ZERO,
        receipts_root: Digest::ZERO,
        state_root: Digest::ZERO,
        validators_hash: set.hash(&chain_id),
        next_validators_hash: set.hash(&chain_id),
        justification_hash: Digest::ZERO,
    };
    let ballot = Ballot { kind: VoteKind::PbftPrepare, position, block: header.hash(&chain_id) };
    let certificate = Certificate { ballot, signatures: Signatures::new(set.seats(), &[]) };
    report.prepared = vec![Prepared { header, certificate }];
    let digest = Hasher::on_chain(Domain::ViewChange, &chain_id).value(&report).finish();
    let signature = signer.sign(&digest);
    ViewChange { report, sender: change.sender, signature }
}

/// Runs one seed and says what broke.
type Hunted = fn(u64) -> Option<String>;

#[test]
fn planted_bugs_are_caught() {
    let bugs: [(&str, Hunted); 8] = [
        ("null request instead of a prepared certificate", random::<NullInstead>),
        ("the certificate of the lowest view", changing::<LowestView>),
        ("view change accepted without certificates", forger::<NoCertificates>),
        ("commit without prepared", random::<CommitsAccepted>),
        ("commit for n without lower heights prepared", random::<CommitsAcrossGaps>),
        ("quorum one too small", random::<SmallQuorum>),
        ("only the first vote of a view kept", revoting::<KeepsFirstVote>),
        ("high watermark ignored", deaf::<NoWatermarks>),
    ];
    check(&document(), "pbft", &bugs.map(|(bug, run)| hunt(bug, run)));
}

#[test]
fn without_a_bug_nothing_is_caught() {
    let worlds: [(&str, u64, Hunted); 5] = [
        ("anything", SEEDS, random::<Paper>),
        ("views change quickly", SEEDS, changing::<Paper>),
        ("a forger", 50, forger::<Paper>),
        ("a deaf replica", 10, deaf::<Paper>),
        ("votes after a restart", 1, revoting::<Paper>),
    ];
    for (world, seeds, run) in worlds {
        control(world, seeds, run);
    }
}
