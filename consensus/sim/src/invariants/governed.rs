//! Nothing but evidence and the validators change the validators: each change of the set stands in
//! the block in which the last approval of a quorum of its members, or the joiner's word on top of
//! one, took effect; it is what they approved, and it holds from the next block on.
//! docs/protocol/governance.md, counted again from the transactions of final blocks.

use std::collections::{BTreeMap, BTreeSet};

use chain::crypto::PublicKey;
use chain::governance::{Change, GovernanceAction, KeyKind, ProposalId};
use chain::transaction::{Body, SignedTransaction, Transaction};
use chain::types::{Height, View};
use chain::validator::{Validator, ValidatorSet};
use consensus::engine::FaultModel;

use super::{Facts, Invariant, Observation};
use crate::application::Observed;

/// Members by their seats.
type Seats = BTreeMap<u16, Validator>;

#[derive(Debug, Default)]
pub(super) struct GovernedChanges {
    height: Height,
    /// Who votes on the next block; `None`: those of genesis.
    set: Option<ValidatorSet>,
    newest: ProposalId,
    /// Those that may still pass.
    proposals: BTreeMap<ProposalId, Motion>,
}

/// A proposal as its transactions tell it.
#[derive(Debug)]
struct Motion {
    change: Change,
    proposer: PublicKey,
    approvals: BTreeSet<PublicKey>,
}

impl Invariant for GovernedChanges {
    fn name(&self) -> &'static str {
        "changes are decided"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        let Observation::Finalized { block, .. } = seen else { return Ok(()) };
        let height = block.commit.block.header.height;
        if block.ledger.is_none() || height <= self.height {
            return Ok(());
        }
        self.height = height;
        let set = self.set.clone().unwrap_or_else(|| facts.genesis.validators.clone());
        let next = self.next(facts, block, &set).map_err(|why| format!("{height}: {why}"))?;
        if let Some(next) = next {
            self.set = Some(next);
        }
        Ok(())
    }
}

impl GovernedChanges {
    /// The set after the block, if it is another.
    fn next(
        &mut self,
        facts: &Facts,
        block: &Observed,
        set: &ValidatorSet,
    ) -> Result<Option<ValidatorSet>, String> {
        let sealed = &block.commit.block;
        if sealed.header.validators_hash != set.hash(&facts.genesis.chain_id) {
            return Err(format!("{sealed:?} is not voted on by {set:?}"));
        }
        let receipts = block.ledger.iter().flat_map(|ledger| ledger.receipts());
        let (mut decided, mut accused) = (None, false);
        for (transaction, receipt) in sealed.transactions.iter().zip(receipts) {
            match transaction {
                Transaction::Evidence(_) => accused = true,
                Transaction::Signed(signed) => {
                    let Body::Governance(action) = &signed.payload.body else { continue };
                    if receipt.outcome.is_success()
                        && let Some(change) = self.act(set, signed, action)?
                        && decided.replace(change).is_some()
                    {
                        return Err("two changes of the set in one block".to_owned());
                    }
                }
            }
        }
        match (&block.next_validators, decided, accused) {
            (None, None, false) => Ok(None),
            (Some(next), None, true) => same_keys(set, next).map(|()| Some(next.clone())),
            (Some(next), Some(change), false) => {
                let model = facts.genesis.fault_model;
                follows(set, &change, sealed.header.view, model, next)?;
                self.proposals.retain(|_, motion| next.index_of(&motion.proposer).is_some());
                Ok(Some(next.clone()))
            }
            (next, decided, accused) => Err(format!(
                "{decided:?} was decided, evidence: {accused}, and the next set is {next:?}"
            )),
        }
    }

    /// An action that took effect; the change of the set that this decides.
    fn act(
        &mut self,
        set: &ValidatorSet,
        signed: &SignedTransaction,
        action: &GovernanceAction,
    ) -> Result<Option<Change>, String> {
        let sender = signed.sender();
        let governor = set
            .members()
            .find(|(_, member)| member.governance_key.address() == sender)
            .map(|(_, member)| member.consensus_key)
            .ok_or_else(|| format!("{action:?} by {sender}, who governs for nobody"));
        let (id, joined) = match action {
            GovernanceAction::Propose { change } => {
                self.newest += 1;
                let (change, proposer) = (change.clone(), governor?);
                let approvals = BTreeSet::from([proposer]);
                self.proposals.insert(self.newest, Motion { change, proposer, approvals });
                (self.newest, false)
            }
            GovernanceAction::Approve { proposal } => {
                let (governor, motion) = (governor?, self.motion(*proposal)?);
                if !motion.approvals.insert(governor) {
                    return Err(format!("{governor:?} approves {proposal} again"));
                }
                (*proposal, false)
            }
            GovernanceAction::Withdraw { proposal } => {
                governor?;
                self.proposals.remove(proposal);
                return Ok(None);
            }
            GovernanceAction::Ready { proposal, .. } => {
                let motion = self.motion(*proposal)?;
                if motion.change.joiner().map(PublicKey::address) != Some(sender) {
                    return Err(format!("{sender} is not whom proposal {proposal} admits"));
                }
                if !has_quorum(set, motion) {
                    return Err(format!("proposal {proposal} has no quorum and is joined"));
                }
                (*proposal, true)
            }
        };
        let motion = self.motion(id)?;
        let passes = joined || (motion.change.joiner().is_none() && has_quorum(set, motion));
        let passed = passes.then(|| self.proposals.remove(&id)).flatten();
        Ok(passed.map(|motion| motion.change).filter(is_about_members))
    }

    fn motion(&mut self, id: ProposalId) -> Result<&mut Motion, String> {
        self.proposals.get_mut(&id).ok_or_else(|| format!("there is no proposal {id}"))
    }
}

fn is_about_members(change: &Change) -> bool {
    !matches!(change, Change::SetParameter { .. } | Change::Grant { .. } | Change::Revoke { .. })
}

/// ⌈(n+f+1)/2⌉ of the members approved.
fn has_quorum(set: &ValidatorSet, motion: &Motion) -> bool {
    let members = set.members();
    let approved = members.filter(|(_, member)| motion.approvals.contains(&member.consensus_key));
    approved.count() > (set.len() + usize::from(set.max_faulty)) / 2
}

fn seats(set: &ValidatorSet) -> Seats {
    set.members().map(|(seat, member)| (seat.get(), member.clone())).collect()
}

/// Evidence changes what is said of members, not who they are.
fn same_keys(set: &ValidatorSet, next: &ValidatorSet) -> Result<(), String> {
    let keys = |set: &ValidatorSet| -> Vec<_> {
        let keys = |v: Validator| (v.consensus_key, v.network_key, v.governance_key, v.since);
        seats(set).into_iter().map(|(seat, member)| (seat, keys(member))).collect()
    };
    if keys(set) == keys(next) && next.epoch == set.epoch.next() {
        return Ok(());
    }
    Err(format!("evidence made {next:?} of {set:?}"))
}

/// Whether this is what the change makes of the set.
fn follows(
    set: &ValidatorSet,
    change: &Change,
    barrier: View,
    model: FaultModel,
    next: &ValidatorSet,
) -> Result<(), String> {
    let expected = changed(set, change).ok_or_else(|| format!("{change:?} of {set:?}"))?;
    let max_faulty = match model {
        FaultModel::Byzantine if expected.len() != set.len() => (expected.len() - 1) / 3,
        _ => usize::from(set.max_faulty),
    };
    let right = seats(next) == expected
        && usize::from(next.max_faulty) == max_faulty
        && next.epoch == set.epoch.next()
        && next.first_view == barrier.next();
    if right { Ok(()) } else { Err(format!("{change:?} made {next:?} of {set:?}")) }
}

fn changed(set: &ValidatorSet, change: &Change) -> Option<Seats> {
    let (mut seats, since) = (seats(set), set.epoch.next());
    let free = (0..).find(|seat| !seats.contains_key(seat))?;
    let seat_of = |key: &PublicKey| {
        seats.iter().find(|(_, member)| member.consensus_key == *key).map(|(seat, _)| *seat)
    };
    match change {
        Change::AddValidator { candidate } => {
            let joiner = Validator {
                consensus_key: candidate.consensus_key,
                network_key: candidate.network_key,
                governance_key: candidate.governance_key,
                jailed: false,
                accused: false,
                since,
            };
            seats.insert(free, joiner);
        }
        Change::RemoveValidator { validator } => {
            seats.remove(&seat_of(validator)?);
        }
        Change::RotateKey { validator, key, new_key } => {
            let seat = seat_of(validator)?;
            let mut member = seats.remove(&seat)?;
            let place = match key {
                KeyKind::Consensus => {
                    (member.consensus_key, member.accused, member.since) = (*new_key, false, since);
                    free
                }
                KeyKind::Network => {
                    member.network_key = *new_key;
                    seat
                }
                KeyKind::Governance => {
                    member.governance_key = *new_key;
                    seat
                }
            };
            seats.insert(place, member);
        }
        Change::Jail { validator } => seats.get_mut(&seat_of(validator)?)?.jailed = true,
        Change::Pardon { validator } => {
            let member = seats.get_mut(&seat_of(validator)?)?;
            (member.jailed, member.accused, member.since) = (false, false, since);
        }
        Change::SetParameter { .. } | Change::Grant { .. } | Change::Revoke { .. } => return None,
    }
    Some(seats)
}
