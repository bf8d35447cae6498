//! What must hold in every run, one property per file, written apart from production code: counts
//! and comparisons are made here again from what honest nodes send and finalize.

mod acknowledged;
mod agreement;
mod append_only;
mod certified_finality;
mod conserved_supply;
mod election_safety;
mod exactly_once;
mod governed;
mod honest_evidence;
mod leader_completeness;
mod linearizable;
mod log_matching;
mod mode_changes;
mod no_double_vote;
mod no_livelock;
mod ordered_survives;
mod prepared_survives;
mod set_changes;
mod sets;
mod state_roots;
#[cfg(test)]
mod tests;
mod unique_certificates;
mod validity;
mod value_stability;

use std::collections::BTreeMap;
use std::rc::Rc;

use chain::block::SealedBlock;
use chain::certificate::Certificate;
use chain::crypto::PublicKey;
use chain::evidence::Evidence;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;
use consensus::engine::Time;

use self::sets::Sets;
use crate::application::Observed;
use crate::genesis::Genesis;
use consensus::message::Slot;

/// What is known about a run from outside.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Name of the engine.
    pub engine: &'static str,
    pub genesis: Rc<Genesis>,
    /// By number of the key: runs one engine, unchanged.
    pub honest: Vec<bool>,
    /// The numbers of the keys.
    numbers: BTreeMap<PublicKey, usize>,
    /// Of all epochs that began.
    sets: Sets,
    /// When what is observed happens.
    pub now: Time,
}

impl Facts {
    /// What is known before a run: whoever may ever vote, by number, and whether it is honest.
    pub fn new(
        engine: &'static str,
        genesis: Rc<Genesis>,
        holders: Vec<(PublicKey, bool)>,
    ) -> Self {
        let numbers = holders.iter().zip(0..).map(|((key, _), number)| (*key, number)).collect();
        Self {
            engine,
            sets: Sets::new(&genesis),
            genesis,
            honest: holders.into_iter().map(|(_, honest)| honest).collect(),
            numbers,
            now: Time::default(),
        }
    }

    /// Whether somebody honest sits in the seat in this epoch; `None` where nobody known does.
    fn is_honest(&self, epoch: Epoch, seat: ValidatorIndex) -> Option<bool> {
        let holder = self.sets.get(epoch)?.get(seat)?;
        self.numbers.get(&holder.consensus_key).map(|number| self.honest[*number])
    }

    /// How many members of a set lie.
    fn liars(&self, set: &ValidatorSet) -> usize {
        let seats = set.indices();
        seats.filter(|seat| self.is_honest(set.epoch, *seat) == Some(false)).count()
    }

    /// Whether nobody lies in this run: nodes only crash and restart.
    pub fn crash_only(&self) -> bool {
        self.honest.iter().all(|honest| *honest)
    }
}

/// Something an honest node did.
#[derive(Debug)]
pub enum Observation<'a> {
    /// A node started, from its first or from where its disk left it.
    Started { node: usize, height: Height, hash: Digest },
    /// A signed statement left.
    Stated { validator: ValidatorIndex, slot: Slot, digest: Digest },
    /// A block that is not final left in a message, its proposer's own or not.
    Proposed { node: usize, block: &'a SealedBlock, own: bool },
    /// A node follows the leader of a view, by the number of its key, or leads it.
    Led { node: usize, view: View, leader: ValidatorIndex },
    /// A block was reported as ordered.
    Ordered { node: usize, height: Height, block: Digest },
    /// A block was made final.
    Finalized { node: usize, block: &'a Observed },
    /// A node believes this evidence.
    Believed { node: usize, evidence: &'a Evidence },
    /// A certificate left.
    Certified { node: usize, certificate: &'a Certificate },
    /// Clients sent a transaction, for the first time or again.
    Submitted { transaction: Digest },
    /// A client asked a node for a state as new as this moment.
    ReadAsked { id: u64 },
    /// The answer: the final state at this height.
    ReadAnswered { id: u64, height: Height },
    /// The world made a step in which nothing goes wrong any more, and clients wait.
    Waited,
    /// The run is over; whether everything honest caught up with everything.
    Ended { recovered: bool, whole: &'a [usize] },
}

/// A property of every run.
pub trait Invariant {
    fn name(&self) -> &'static str;

    /// # Errors
    /// What was observed that must never be.
    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String>;
}

/// A property that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Violation {
    pub property: String,
    pub at_ns: u64,
    pub detail: String,
}

/// All properties over one run.
pub struct Invariants {
    facts: Facts,
    properties: Vec<Box<dyn Invariant>>,
    violations: Vec<Violation>,
}

impl std::fmt::Debug for Invariants {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invariants").field("violations", &self.violations).finish_non_exhaustive()
    }
}

impl Invariants {
    pub fn new(facts: Facts) -> Self {
        let properties: Vec<Box<dyn Invariant>> = vec![
            Box::new(acknowledged::AcknowledgedSurvives::default()),
            Box::new(agreement::Agreement::default()),
            Box::new(append_only::AppendOnly::default()),
            Box::new(certified_finality::CertifiedFinality::new(&facts)),
            Box::new(conserved_supply::ConservedSupply),
            Box::new(election_safety::ElectionSafety::default()),
            Box::new(exactly_once::ExactlyOnce::default()),
            Box::new(governed::GovernedChanges::default()),
            Box::new(honest_evidence::HonestEvidence),
            Box::new(leader_completeness::LeaderCompleteness::default()),
            Box::new(linearizable::Linearizable::default()),
            Box::new(log_matching::LogMatching::default()),
            Box::new(mode_changes::ModeChanges::default()),
            Box::new(no_double_vote::NoDoubleVote::default()),
            Box::new(no_livelock::NoLivelock::default()),
            Box::new(ordered_survives::OrderedSurvives::default()),
            Box::new(prepared_survives::PreparedSurvives::default()),
            Box::new(set_changes::SetChanges::default()),
            Box::new(state_roots::StateRoots::default()),
            Box::new(unique_certificates::UniqueCertificates::new(&facts)),
            Box::new(validity::Validity::default()),
            Box::new(value_stability::ValueStability::new(&facts)),
        ];
        Self { facts, properties, violations: Vec::new() }
    }

    pub fn observe(&mut self, now: Time, seen: &Observation<'_>) {
        self.facts.now = now;
        if let Observation::Finalized { block, .. } = seen
            && let Some(set) = &block.next_validators
        {
            self.facts.sets.insert(set.clone());
        }
        for property in &mut self.properties {
            if let Err(detail) = property.observe(&self.facts, seen) {
                let property = property.name().to_owned();
                self.violations.push(Violation { property, at_ns: now.as_nanos(), detail });
            }
        }
    }

    /// A violation found elsewhere: an assertion of the engine itself.
    pub fn report(&mut self, now: Time, property: &str, detail: String) {
        let property = property.to_owned();
        self.violations.push(Violation { property, at_ns: now.as_nanos(), detail });
    }

    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}
