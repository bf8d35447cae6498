//! Bugs in Paxos: one rule at a time is broken, or one promise is not on disk.

use std::rc::Rc;
use std::time::Duration;

use chain::types::View;
use consensus::engine::{Engine, Time};
use consensus::paxos::single::{self, Accepted};
use consensus::paxos::{Paper, Paxos, Record, Rules};
use consensus::tree::BlockRef;
use consensus_sim::application::membership;
use consensus_sim::dice::{Dice, Purpose};
use consensus_sim::genesis::Genesis;
use consensus_sim::plan::Plan;
use consensus_sim::planted::{SEEDS, broken, check, control, hunt};
use consensus_sim::swarm;
use consensus_sim::world::World;

use crate::document;

const MS: Duration = Duration::from_millis(1);

/// Rules with one of them broken.
macro_rules! planted {
    ($($(#[$about:meta])* $name:ident { $($one_slot:item)* } { $($chain:item)* })+) => {
        $(
            $(#[$about])*
            #[derive(Clone, Debug)]
            struct $name;

            impl single::Rules for $name {
                $($one_slot)*
            }

            impl Rules for $name {
                $($chain)*
            }
        )+
    };
}

planted! {
    AcceptsBelowPromise {
        fn accepts(_promised: View, _ballot: View) -> bool {
            true
        }
    } {}
    IgnoresReports {
        fn choose<V: Clone>(_reports: &[Accepted<V>]) -> Option<V> {
            None
        }
    } {}
    TakesTheLowest {
        fn choose<V: Clone>(reports: &[Accepted<V>]) -> Option<V> {
            reports.iter().min_by_key(|report| report.ballot).map(|report| report.value.clone())
        }
    } {}
    CountsMinorities {
        fn majority(n: usize) -> usize {
            n / 2
        }
    } {}
    /// Accepts what a proposal names, and not what it rests on.
    SkipsParents {} {
        fn due(path: &[BlockRef]) -> &[BlockRef] {
            &path[path.len() - 1..]
        }

        fn follows(_final: bool, _accepted: Option<View>, _ballot: View) -> bool {
            true
        }
    }
    GoesOnAboveBarriers {} {
        fn stops_above_barrier() -> bool {
            false
        }
    }
}

/// A plan of the swarm in which nobody lies: whatever goes wrong is the bug's doing.
fn plan(seed: u64) -> Plan {
    let n = 3 + (seed % 3) as usize;
    swarm::crashes(seed, n)
}

fn with_rules<R: Rules>(seed: u64) -> Option<String> {
    let mut world = World::<Paxos<R>>::new(plan(seed), 0);
    change_the_set(&mut world);
    broken(&mut world)
}

/// In every third world the set changes a few times.
fn change_the_set<E: Engine>(world: &mut World<E>) {
    let plan = world.plan().clone();
    if !plan.seed.is_multiple_of(3) {
        return;
    }
    let mut dice = Dice::new(plan.seed, Purpose::Plan);
    let signer = Genesis::signer(plan.signatures, plan.seed, 2_000);
    let mut changes = Vec::new();
    while world.now() < Time::default() + plan.faults_end && world.violations().is_empty() {
        world.run_for(MS * 60);
        let members = u8::try_from(1 + dice.index(plan.validators)).expect("few validators");
        let nonce = changes.len() as u64;
        changes.push(membership(world.chain_id(), signer.as_ref(), nonce, members));
        changes.iter().for_each(|change| world.offer(change));
    }
}

/// What a crash gives back is changed, as if it had never been written.
fn with_tamper(seed: u64, tamper: fn(&mut Record)) -> Option<String> {
    let mut world = World::<Paxos>::new(plan(seed), 0);
    for node in world.nodes() {
        node.disk().set_tamper(Rc::new(tamper));
    }
    broken(&mut world)
}

#[test]
fn planted_bugs_are_caught() {
    type Case = (&'static str, fn(u64) -> Option<String>);
    let bugs: [Case; 8] = [
        ("a promise is not on disk", |seed| {
            with_tamper(seed, |record| record.promised = View::new(0))
        }),
        ("an acceptance is not on disk", |seed| {
            with_tamper(seed, |record| record.accepted.clear())
        }),
        ("accepts below a promise", with_rules::<AcceptsBelowPromise>),
        ("the leader ignores what was accepted", with_rules::<IgnoresReports>),
        ("the leader takes the lowest ballot's value", with_rules::<TakesTheLowest>),
        ("a minority chooses", with_rules::<CountsMinorities>),
        ("accepts a child without its parent", with_rules::<SkipsParents>),
        ("proposes above a stop entry", with_rules::<GoesOnAboveBarriers>),
    ];
    check(&document(), "paxos", &bugs.map(|(bug, run)| hunt(bug, run)));
}

#[test]
fn without_a_bug_nothing_is_caught() {
    control("crashes and changes of the set", SEEDS, with_rules::<Paper>);
}
