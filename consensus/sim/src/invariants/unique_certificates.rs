//! No two certificates for two blocks: of one kind at one position, nor of commit votes at one
//! height of an epoch. Looks at what honest nodes send and at the proofs of what they make final.
//! docs/protocol/hybrid.md, "Why it is safe": quorums meet in an honest validator.

use std::collections::BTreeMap;

use chain::certificate::{Certificate, Position, VoteKind};
use chain::types::{Epoch, Height};

use super::sets::Sets;
use super::{Facts, Invariant, Observation};

#[derive(Debug)]
pub(super) struct UniqueCertificates {
    sets: Sets,
    certified: BTreeMap<(VoteKind, Position), Certificate>,
    /// What a proof or commit votes made final.
    finals: BTreeMap<(Epoch, Height), Certificate>,
}

impl UniqueCertificates {
    pub(super) fn new(facts: &Facts) -> Self {
        Self {
            sets: Sets::new(&facts.genesis),
            certified: BTreeMap::new(),
            finals: BTreeMap::new(),
        }
    }

    /// Two blocks, and both certificates hold: an honest node may pass on no forged one, but that
    /// is another property.
    fn conflict(&self, facts: &Facts, first: &Certificate, second: &Certificate) -> bool {
        first.ballot.block != second.ballot.block
            && self.sets.check_quorum(facts, first).is_ok()
            && self.sets.check_quorum(facts, second).is_ok()
    }

    fn see(&mut self, facts: &Facts, certificate: &Certificate, proof: bool) -> Result<(), String> {
        let ballot = &certificate.ballot;
        let place = (ballot.kind, ballot.position);
        let first = self.certified.entry(place).or_insert_with(|| certificate.clone()).clone();
        if self.conflict(facts, &first, certificate) {
            let (one, other) = (first.ballot.block, ballot.block);
            return Err(format!("{one:?} and {other:?} are both certified: {place:?}"));
        }
        let may_be_final = match ballot.kind {
            VoteKind::Commit => true,
            VoteKind::Prepare => proof,
            VoteKind::PbftPrepare => false,
        };
        if !may_be_final {
            return Ok(());
        }
        let place = (ballot.position.epoch, ballot.position.height);
        let first = self.finals.entry(place).or_insert_with(|| certificate.clone()).clone();
        if self.conflict(facts, &first, certificate) {
            let (one, other) = (first.ballot, ballot);
            return Err(format!("{one:?} and {other:?} are both final"));
        }
        Ok(())
    }
}

impl Invariant for UniqueCertificates {
    fn name(&self) -> &'static str {
        "unique certificates"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        match seen {
            Observation::Certified { certificate, .. } => self.see(facts, certificate, false),
            Observation::Finalized { block, .. } => {
                if let Some(set) = &block.next_validators {
                    self.sets.insert(set.clone());
                }
                let proof = block.commit.proof.as_ref();
                proof.map_or(Ok(()), |proof| self.see(facts, &proof.certificate, true))
            }
            _ => Ok(()),
        }
    }
}
