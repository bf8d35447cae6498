//! Bugs in what the ledger makes of governance: whose word counts, how often, and when.

use chain::crypto::PublicKey;
use chain::execute::{AsWritten, Charter};
use chain::state::State;
use chain::types::Epoch;
use chain::validator::{Validator, ValidatorSet};
use consensus::engine::Engine;
use consensus::registry::{EngineName, Visitor};
use consensus_sim::application::Workload;
use consensus_sim::membership::{churn, plan};
use consensus_sim::planted::{broken, check, control, hunt};
use consensus_sim::trace::Trace;
use consensus_sim::world::World;

use crate::document;

/// Worlds in which a ledger that is governed as written must show nothing.
const CONTROL: u64 = 8;

/// Who has approved may approve again.
#[derive(Debug)]
struct CountsTwice;

impl Charter for CountsTwice {
    fn is_new(&self, _approvals: &[PublicKey], _governor: &PublicKey) -> bool {
        true
    }
}

/// The keys of those who left govern on.
#[derive(Debug)]
struct ForgetsRemovals;

impl Charter for ForgetsRemovals {
    fn governors<'a>(&self, before: &'a State) -> Vec<&'a Validator> {
        let epochs = (0..=before.chain().epoch.get()).rev();
        let sets = epochs.filter_map(|epoch| before.validators_of(Epoch::new(epoch)));
        sets.flat_map(|set| set.members().map(|(_, member)| member)).collect()
    }

    fn counts(&self, _voters: &ValidatorSet, _approval: &PublicKey) -> bool {
        true
    }
}

/// A change is in force one block early: before its quorum is complete.
#[derive(Debug)]
struct OneApprovalEarly;

impl Charter for OneApprovalEarly {
    fn is_enough(&self, voters: &ValidatorSet, approvals: usize) -> bool {
        approvals + 1 >= voters.quorums().quorum
    }
}

/// Who joins is in the set before it said that it is there.
#[derive(Debug)]
struct JoinsUnasked;

impl Charter for JoinsUnasked {
    fn awaits_joiner(&self) -> bool {
        false
    }
}

/// A world of four in which the members change twenty times, on one engine after the other.
fn governed(seed: u64, charter: &'static dyn Charter) -> Option<String> {
    let engines = EngineName::ALL;
    let engine = usize::try_from(seed).expect("small") % engines.len();
    engines[engine].visit(Governed { seed, charter })
}

struct Governed {
    seed: u64,
    charter: &'static dyn Charter,
}

impl Visitor for Governed {
    type Output = Option<String>;

    fn visit<E: Engine>(self) -> Option<String> {
        let plan = plan(E::FAULT_MODEL, Workload::Ledger, self.seed, 4);
        let mut world = World::<E>::governed_by(plan, self.charter, Trace::new(0));
        churn(&mut world);
        broken(&mut world)
    }
}

#[test]
fn planted_bugs_are_caught() {
    let bugs: [(&str, &'static dyn Charter); 4] = [
        ("an approval counts twice", &CountsTwice),
        ("the key of a removed validator still counts", &ForgetsRemovals),
        ("a change is made one approval early", &OneApprovalEarly),
        ("who joins is not asked whether it is there", &JoinsUnasked),
    ];
    let rows = bugs.map(|(bug, charter)| hunt(bug, |seed| governed(seed, charter)));
    check(&document(), "governance", &rows);
}

#[test]
fn without_a_bug_nothing_is_caught() {
    control("validators govern", CONTROL, |seed| governed(seed, &AsWritten));
}
