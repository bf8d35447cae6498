//! Changes of the validator set on the production ledger, as the people of a consortium make them:
//! one proposes, others approve, who joins says that it is there. Each sends its transaction once
//! the one before is final at some honest node. Some send what they have no right to.

mod people;

use std::time::Duration;

use chain::crypto::{PublicKey, Signer};
use chain::governance::{Change, GovernanceAction, Proposal, ProposalStatus};
use chain::receipt::{FailureReason, Outcome};
use chain::transaction::Body;
use chain::types::{Digest, Height};
use chain::validator::Validator;
use consensus::engine::{Engine, Time};

use super::World;
use crate::application::{self, LedgerState};
use crate::genesis::Genesis;
pub(super) use people::People;
pub use people::Tally;

/// Of so many steps with one that is forbidden beside it.
const FORBIDDEN_ONE_IN: u64 = 5;
/// After so many refusals, or so long, a proposal is withdrawn.
const MAX_REFUSALS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(4);
/// How long people wait before they try again.
const PAUSE: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// A change on its way.
pub(super) struct Campaign {
    change: Change,
    /// The consensus key of the validator that proposes it.
    proposer: PublicKey,
    /// The proposal is in a later block.
    since: Height,
    /// Sent and not final.
    open: Vec<Digest>,
    /// The one of them that leads on.
    step: Digest,
    refusals: u32,
    /// No step before this,
    due: Time,
    /// and after this the only one is back.
    until: Time,
}

impl Campaign {
    /// Which proposal it is, by what the chain knows.
    fn proposal<'a>(&self, seen: &'a LedgerState) -> Option<&'a Proposal> {
        seen.state().proposals().find(|proposal| {
            proposal.proposer == self.proposer
                && proposal.change == self.change
                && proposal.proposed_at > self.since
        })
    }
}

/// What a campaign needs next.
enum Next {
    Nothing,
    /// It is over; whether the change was made.
    End(bool),
    Wait,
    /// From the holder of this governance key.
    Send(PublicKey, GovernanceAction),
    /// From the joiner with this consensus key.
    Ready(PublicKey, GovernanceAction),
}

impl<E: Engine> World<E> {
    /// What became of the changes that people wanted on the ledger.
    pub fn governance(&self) -> &Tally {
        &self.people.tally
    }

    /// Whether a change is proposed and neither made nor given up.
    pub(super) fn is_campaigning(&self) -> bool {
        self.people.campaign.is_some()
    }

    /// Somebody proposes a change that the seed decides. False where there is none, or one is on its
    /// way.
    pub(super) fn propose(&mut self) -> bool {
        if self.is_campaigning() {
            return false;
        }
        let change = if self.churn_dice.below(6) == 0 {
            Some(self.people.rotation(&mut self.churn_dice))
        } else {
            self.draw_change().map(|change| self.people.worded(change))
        };
        let Some((change, seen)) = change.zip(self.people.seen.as_ref()) else { return false };
        let members: Vec<Validator> = self.people.members().cloned().collect();
        let proposer = self.churn_dice.pick(&members);
        let since = seen.height();
        if let Some(joiner) = change.joiner() {
            self.start_joiner(&joiner.clone());
        }
        let action = GovernanceAction::Propose { change: change.clone() };
        let step = self.send_governance(&proposer.governance_key, action);
        self.people.tally.proposed += 1;
        self.people.campaign = Some(Campaign {
            change,
            proposer: proposer.consensus_key,
            since,
            open: vec![step],
            step,
            refusals: 0,
            due: self.now,
            until: self.now + PATIENCE,
        });
        true
    }

    /// A block is final at the first honest node.
    pub(super) fn hear_of(&mut self, block: &LedgerState) {
        self.people.seen = Some(block.clone());
        let Some(campaign) = &mut self.people.campaign else { return };
        for receipt in block.receipts() {
            let Some(place) = campaign.open.iter().position(|sent| *sent == receipt.transaction)
            else {
                continue;
            };
            campaign.open.swap_remove(place);
            let Outcome::Failed(FailureReason::Governance(refusal)) = receipt.outcome else {
                continue;
            };
            self.people.tally.refuse(&refusal);
            if campaign.step == receipt.transaction {
                campaign.refusals += 1;
                campaign.due = self.now + self.churn_dice.duration(PAUSE.0, PAUSE.1);
            }
        }
        self.pursue();
    }

    /// Takes the next step, if it is time.
    pub(super) fn pursue(&mut self) {
        let (key, action) = match self.next_step() {
            Next::Nothing => return,
            Next::Wait => {
                let pause = self.churn_dice.duration(PAUSE.0, PAUSE.1);
                let campaign = self.people.campaign.as_mut().expect("it waits");
                campaign.due = self.now + pause;
                return;
            }
            Next::End(made) => {
                self.people.campaign = None;
                self.people.tally.executed += u64::from(made);
                self.people.tally.abandoned += u64::from(!made);
                return;
            }
            Next::Send(key, action) => (key, action),
            Next::Ready(key, action) => {
                let step = self.send_as_validator(&key, action);
                let campaign = self.people.campaign.as_mut().expect("it takes a step");
                (campaign.step, campaign.open) = (step, vec![step]);
                return;
            }
        };
        let forbidden = self.churn_dice.below(FORBIDDEN_ONE_IN) == 0;
        let mut open: Vec<Digest> =
            forbidden.then(|| self.send_forbidden(&key)).flatten().into_iter().collect();
        let step = self.send_governance(&key, action);
        open.push(step);
        let campaign = self.people.campaign.as_mut().expect("it takes a step");
        (campaign.step, campaign.open) = (step, open);
    }

    fn next_step(&mut self) -> Next {
        let Some((campaign, seen)) = self.people.campaign.as_ref().zip(self.people.seen.as_ref())
        else {
            return Next::Nothing;
        };
        if !campaign.open.is_empty() || self.now < campaign.due {
            return Next::Nothing;
        }
        let Some(proposal) = campaign.proposal(seen) else { return Next::End(false) };
        match proposal.status {
            ProposalStatus::Executed { .. } => return Next::End(true),
            ProposalStatus::Withdrawn { .. } => return Next::End(false),
            _ if !proposal.is_open(seen.height().next()) => return Next::End(false),
            ProposalStatus::Open | ProposalStatus::AwaitsReady => {}
        }
        let id = proposal.id;
        if campaign.refusals >= MAX_REFUSALS || self.now >= campaign.until {
            let proposer = self.people.members().find(|m| m.consensus_key == proposal.proposer);
            let proposer = proposer.expect("those of others are withdrawn with their seats");
            return Next::Send(
                proposer.governance_key,
                GovernanceAction::Withdraw { proposal: id },
            );
        }
        if proposal.status == ProposalStatus::AwaitsReady {
            let joiner = *campaign.change.joiner().expect("somebody is awaited");
            return self.ready(id, &joiner).map_or(Next::Wait, |ready| Next::Ready(joiner, ready));
        }
        let silent = |member: &&Validator| !proposal.approvals.contains(&member.consensus_key);
        let silent: Vec<PublicKey> =
            self.people.members().filter(silent).map(|member| member.governance_key).collect();
        if silent.is_empty() {
            return Next::Wait;
        }
        Next::Send(*self.churn_dice.pick(&silent), GovernanceAction::Approve { proposal: id })
    }

    /// What the joiner's node says of itself, if it runs.
    fn ready(&self, proposal: u64, joiner: &PublicKey) -> Option<GovernanceAction> {
        let node = self.nodes.iter().find(|node| node.key == *joiner)?;
        let status = node.status()?;
        let (height, block) = (status.final_height, status.final_hash);
        Some(GovernanceAction::Ready { proposal, height, block })
    }

    /// A transaction that the chain must refuse: an approval that was given before, one with a key
    /// that governs no more, somebody who is ready in another's name. Not by who takes the step.
    fn send_forbidden(&mut self, stepping: &PublicKey) -> Option<Digest> {
        let (campaign, seen) = self.people.campaign.as_ref().zip(self.people.seen.as_ref())?;
        let proposal = campaign.proposal(seen)?;
        let (id, approvals) = (proposal.id, proposal.approvals.clone());
        let (height, approve) = (seen.height(), GovernanceAction::Approve { proposal: id });
        self.people.tally.attempts += 1;
        match self.churn_dice.below(3) {
            0 => {
                let again = |member: &&Validator| {
                    approvals.contains(&member.consensus_key) && member.governance_key != *stepping
                };
                let key = self.people.members().find(again)?.governance_key;
                Some(self.send_governance(&key, approve))
            }
            1 => {
                let retired = self.people.retired();
                let key = (!retired.is_empty()).then(|| *self.churn_dice.pick(&retired))?;
                Some(self.send_governance(&key, approve))
            }
            _ => {
                let key = self.people.members().next()?.consensus_key;
                let ready = GovernanceAction::Ready { proposal: id, height, block: Digest::ZERO };
                Some(self.send_as_validator(&key, ready))
            }
        }
    }

    fn send_governance(&mut self, key: &PublicKey, action: GovernanceAction) -> Digest {
        let transaction = self.signed_governance(self.people.signer(key), action);
        let hash = transaction.hash();
        self.launch(transaction);
        hash
    }

    /// From the account of a consensus key.
    fn send_as_validator(&mut self, key: &PublicKey, action: GovernanceAction) -> Digest {
        let node = self.nodes.iter().find(|node| node.key == *key);
        let number = node.expect("every consensus key is a node's").number();
        let signer = Genesis::signer(self.plan.signatures, self.plan.seed, number);
        let transaction = self.signed_governance(signer.as_ref(), action);
        let hash = transaction.hash();
        self.launch(transaction);
        hash
    }

    fn signed_governance(
        &self,
        signer: &dyn Signer,
        action: GovernanceAction,
    ) -> chain::transaction::SignedTransaction {
        let account = signer.public().address();
        let nonce = self.people.state().map_or(0, |state| state.account(&account).nonce);
        application::signed(self.genesis.chain_id, signer, nonce, Body::Governance(action))
    }
}
