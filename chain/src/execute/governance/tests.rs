//! A chain of blocks with governance in them.

mod lifecycle;
mod members;
mod random;
mod refusals;

use std::collections::BTreeMap;

use super::*;
use crate::certificate::{Ballot, Certificate, Position, Signatures, Signers, VoteKind};
use crate::crypto::{Signature, Signer};
use crate::evidence::Evidence;
use crate::execute::{BlockContext, Execution, execute};
use crate::genesis::genesis_state;
use crate::governance::{Candidate, KeyKind, RecentBlock};
use crate::receipt::{FailureReason, Outcome};
use crate::state::State;
use crate::testing::{CHAIN, Cheap, CheapSigner, block_hash, context, signer, validators};
use crate::transaction::{Body, Payload, SignedTransaction, Transaction};
use crate::types::{Epoch, View};

/// The governance key of the validator of this number.
fn governor(number: u16) -> CheapSigner {
    signer(400 + number)
}

/// The keys that the candidate of this number has in the roles that a validator has.
fn candidate(number: u16) -> Candidate {
    Candidate {
        consensus_key: signer(number).public(),
        network_key: signer(200 + number).public(),
        governance_key: governor(number).public(),
    }
}

fn key(number: u16) -> PublicKey {
    signer(number).public()
}

/// What the refusal looks like in a receipt.
fn refused(refusal: GovernanceRefusal) -> Outcome {
    Outcome::Failed(FailureReason::Governance(refusal))
}

fn propose(change: Change) -> GovernanceAction {
    GovernanceAction::Propose { change }
}

fn approve(proposal: ProposalId) -> GovernanceAction {
    GovernanceAction::Approve { proposal }
}

fn withdraw(proposal: ProposalId) -> GovernanceAction {
    GovernanceAction::Withdraw { proposal }
}

fn lifetime(blocks: u32) -> Change {
    Change::SetParameter { parameter: Parameter::ProposalLifetime(blocks) }
}

fn grant(number: u16) -> Change {
    Change::Grant { account: key(number).address(), role: Role::Member }
}

fn add(number: u16) -> Change {
    Change::AddValidator { candidate: candidate(number) }
}

fn remove(number: u16) -> Change {
    Change::RemoveValidator { validator: key(number) }
}

fn jail(number: u16) -> Change {
    Change::Jail { validator: key(number) }
}

fn pardon(number: u16) -> Change {
    Change::Pardon { validator: key(number) }
}

fn rotate(number: u16, kind: KeyKind, new_key: PublicKey) -> Change {
    Change::RotateKey { validator: key(number), key: kind, new_key }
}

/// A state, and what the next block knows of the one below it.
#[derive(Clone)]
struct Chain {
    state: State,
    height: u64,
    /// Consensus keys of those who take part.
    active: Vec<PublicKey>,
}

impl Chain {
    /// Of so many validators, who all take part.
    fn new(n: u16) -> Self {
        Self::with(n, Parameters::default())
    }

    fn with(n: u16, parameters: Parameters) -> Self {
        let mut set = validators(n);
        if parameters.crash_only {
            set.max_faulty = 0;
        }
        let state = genesis_state([], set, parameters, []).unwrap();
        Self { state, height: 0, active: (0..n).map(key).collect() }
    }

    /// What a certificate by those who are active says.
    fn signers(&self) -> Signers {
        let set = self.state.validators();
        let members =
            set.members().filter(|(_, member)| self.active.contains(&member.consensus_key));
        let signatures: Vec<_> = members.map(|(index, _)| (index, Signature([0; 64]))).collect();
        let position = Position { epoch: set.epoch, view: View::new(0), height: Height::new(0) };
        let ballot = Ballot { kind: VoteKind::Prepare, position, block: CHAIN };
        let signatures = Signatures::new(set.seats(), &signatures);
        Signers::of(&Certificate { ballot, signatures })
    }

    fn context(&self) -> BlockContext<'static> {
        let context = context(self.height + 1);
        let parent = RecentBlock { signers: Some(self.signers()), ..context.parent };
        BlockContext { parent, ..context }
    }

    /// Executes a block of these transactions.
    fn block(
        &mut self,
        evidence: &[Evidence],
        list: &[(CheapSigner, GovernanceAction)],
    ) -> Execution {
        let mut nonces = BTreeMap::new();
        let mut transactions: Vec<Transaction> = Vec::new();
        transactions
            .extend(evidence.iter().map(|piece| Transaction::Evidence(Box::new(piece.clone()))));
        for (sender, action) in list {
            let address = sender.public().address();
            let nonce = nonces.entry(address).or_insert(self.state.account(&address).nonce);
            transactions.push(Transaction::Signed(sign(sender, *nonce, action.clone())));
            *nonce += 1;
        }
        let execution = execute(&self.state, &self.context(), &transactions).unwrap();
        self.state = execution.state.clone();
        self.height += 1;
        execution
    }

    /// A block with one action: what became of it.
    fn act(&mut self, sender: CheapSigner, action: GovernanceAction) -> Outcome {
        self.block(&[], &[(sender, action)]).receipts[0].outcome
    }

    /// The action, which must succeed.
    fn done(&mut self, sender: CheapSigner, action: GovernanceAction) {
        let outcome = self.act(sender, action.clone());
        assert_eq!(outcome, Outcome::Success, "{action:?}");
    }

    fn empty_blocks(&mut self, count: u64) {
        (0..count).for_each(|_| drop(self.block(&[], &[])));
    }

    /// Puts a change up by validator 0 and approves it by all others but the last that a quorum
    /// needs: its number.
    fn nearly_pass(&mut self, change: Change) -> ProposalId {
        self.done(governor(0), propose(change));
        let id = self.state.governance().newest;
        let quorum = self.state.validators().quorums().quorum as u16;
        (1..quorum - 1).for_each(|number| self.done(governor(number), approve(id)));
        id
    }

    /// Lets the validators 0, 1, … pass a change: the outcome of the last approval.
    fn pass(&mut self, change: Change) -> Outcome {
        let id = self.nearly_pass(change);
        let quorum = self.state.validators().quorums().quorum as u16;
        self.act(governor(quorum - 1), approve(id))
    }

    /// `Ready` for a proposal, naming the block so many below the next one.
    fn ready(&self, proposal: ProposalId, below: u64) -> GovernanceAction {
        let height = Height::new((self.height + 1).saturating_sub(below));
        GovernanceAction::Ready { proposal, height, block: block_hash(height) }
    }

    fn status(&self, id: ProposalId) -> ProposalStatus {
        self.state.proposal(id).unwrap().status
    }

    fn epoch(&self) -> u64 {
        self.state.chain().epoch.get()
    }
}

fn sign(sender: &CheapSigner, nonce: u64, action: GovernanceAction) -> SignedTransaction {
    let payload = Payload {
        chain_id: CHAIN,
        account: None,
        sender: sender.public(),
        nonce,
        expiry: Height::new(1_000_000),
        body: Body::Governance(action),
    };
    payload.sign(sender)
}
