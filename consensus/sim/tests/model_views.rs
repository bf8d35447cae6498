//! Random schedules over several views and epochs of the abstract model: the real rules survive
//! them all, and every rule is needed: broken, it is caught.
//!
//! `RUNS` says how many schedules of each plan are tried. `-- --nocapture` shows the table.

use std::time::Instant;

use consensus_sim::model::rules::{BROKEN_RULES, Rules};
use consensus_sim::model::schedule::{Hunt, Plan, hunt};
use consensus_sim::model::table::{grouped, markdown};
use consensus_sim::model::world::{Scope, World};

/// Small scopes searched well: without and with a Byzantine validator, without and with epochs,
/// and such in which it leads twice.
const PLANS: [(&str, Plan); 6] = [
    ("crashes", Plan::small(4, 1, 0)),
    ("a liar", Plan::small(4, 1, 1)),
    ("crashes, epochs", Plan::epochs(4, 1, 0)),
    ("a liar, epochs", Plan::epochs(4, 1, 1)),
    ("a liar leads twice", twice(8, 320, false)),
    ("the same, epochs", twice(4, 300, true)),
];

const fn twice(blocks: usize, steps: u32, barriers: bool) -> Plan {
    let scope = Scope { n: 4, f: 1, byzantine: 1, first_leader: 0, views: 5, blocks };
    Plan { scope, steps, barriers }
}

/// The broken rule for which there is a schedule of its own below: by chance it hardly ever comes.
const DIRECTED: &str = "prepare certificate unsynced";

fn runs() -> u64 {
    std::env::var("RUNS").map_or(20_000, |text| text.parse().expect("a whole number"))
}

#[test]
fn the_real_rules_survive() {
    for (name, plan) in PLANS {
        let started = Instant::now();
        let Hunt { coverage, caught } = hunt(plan, Rules::REAL, runs());
        println!("{name}: {coverage:?} in {:?}", started.elapsed());
        assert!(caught.is_none(), "{name}: {caught:?}");
        assert_eq!(coverage.runs, runs(), "{name}: every schedule was tried");
        assert!(coverage.final_blocks > runs() / 2, "{name}: the schedules decide something");
        assert!(coverage.view_changes > runs() / 2, "{name}: and change views");
        assert!(!plan.barriers || coverage.finals_of_second_epochs > 0, "{name}: and epochs");
    }
}

#[test]
fn every_broken_rule_is_caught() {
    let mut rows = Vec::new();
    let mut missed = Vec::new();
    for broken in BROKEN_RULES.into_iter().filter(|broken| broken.name != DIRECTED) {
        let mut row = vec![broken.name.to_owned()];
        let mut caught = false;
        for (_, plan) in PLANS {
            let found = hunt(plan, broken.rules, runs());
            caught |= found.caught.is_some();
            row.push(match found.caught {
                Some(_) => grouped(found.coverage.runs),
                None => format!("not in {}", grouped(found.coverage.runs)),
            });
        }
        if !caught {
            missed.push(broken.name);
        }
        rows.push(row);
    }
    let plans = PLANS.map(|(name, _)| name);
    let head: Vec<&str> = ["schedules until caught"].into_iter().chain(plans).collect();
    println!("{}", markdown(&head, &rows));
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

/// A commit vote rests on a prepare certificate. Of six validators four vote for a block, three of
/// them honest, and all commit: final. Two of the honest ones crash. The new view hears of two votes,
/// where three are support: only a certificate that survived makes the block its tip.
#[test]
fn a_commit_vote_needs_its_prepare_certificate_on_disk() {
    let run = |rules: Rules| {
        let scope = Scope { n: 6, f: 1, byzantine: 1, first_leader: 1, views: 2, blocks: 2 };
        let mut world = World::new(scope, rules, 0);
        let block = world.propose(1, false).expect("validator 1 leads");
        for voter in [1, 2, 3] {
            assert!(world.vote(voter, block));
        }
        for voter in [1, 2, 3] {
            assert!(world.learn_certificate(voter, block) && world.commit(voter, block));
        }
        assert!(world.is_final(block));
        world.crash(1);
        world.crash(2);
        for validator in [1, 2, 4, 5] {
            assert!(world.give_up(validator, 2));
        }
        let mut reports = world.reports((1, 2)).to_vec();
        reports.extend(world.byzantine_report(0, (1, 2), None, None));
        assert!(world.new_view((1, 2), reports));
        for validator in [1, 2, 4] {
            assert!(world.acknowledge(validator, (1, 2), 0));
        }
        world.violation().cloned()
    };
    assert_eq!(run(Rules::REAL), None);
    let broken = BROKEN_RULES.into_iter().find(|broken| broken.name == DIRECTED);
    assert!(run(broken.expect("a broken rule").rules).is_some());
}
