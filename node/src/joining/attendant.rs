//! Watches the final chain for what concerns this node.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::crypto::PublicKey;
use chain::governance::{KeyKind, Proposal, ProposalId, ProposalStatus};
use chain::mempool::HashedTransaction;
use chain::receipt::Outcome;
use chain::state::State;
use chain::types::{Digest, Height};
use chain::validator::ValidatorSet;
use genesis::config::OnRetire;

use super::signer::Tip;
use super::{ReadySigner, Staged, promote_due};
use crate::chain_view::{ChainView, Head, TxStatus};
use crate::home::Home;
use crate::pool::TransactionPool;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(250);
/// Least time between two attempts to be admitted.
const RETRY: Duration = Duration::from_secs(2);

/// Why a node ends, or begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The chain names keys that wait in its home: its parts must start with them.
    NewKeys,
    /// It is no validator any more, and is to stop then.
    Retired,
}

/// Looks after the node's place in the validator set.
pub(crate) struct Attendant {
    pub(crate) view: ChainView,
    pub(crate) pool: TransactionPool,
    /// Whether the node knows of no final block above this height that it lacks.
    pub(crate) at_tip: Box<dyn Fn(Height) -> bool + Send + Sync>,
    /// Where keys may be staged at any time.
    pub(crate) home: Home,
    /// Of the consensus key in force.
    pub(crate) signer: ReadySigner,
    pub(crate) on_retire: OnRetire,
}

/// What it remembers between two looks.
#[derive(Debug, Default)]
struct Memory {
    /// Whether the node was a validator before.
    member: bool,
    /// What it said last, so that it says it once.
    said: Option<Said>,
    attempt: Option<Attempt>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Behind(ProposalId),
    Retired,
    Unreadable,
}

/// A `Ready` that was handed in.
#[derive(Debug)]
struct Attempt {
    transaction: Digest,
    at: Instant,
}

impl std::fmt::Debug for Attendant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attendant").field("signer", &self.signer).finish_non_exhaustive()
    }
}

impl Attendant {
    /// Looks again and again until the node must begin anew or end.
    pub(crate) async fn run(self) -> Turn {
        let mut memory = Memory::default();
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let head = self.view.head();
            let staged = self.staged(&mut memory);
            let set = head.state.validators();
            match staged.due(&self.signer.public(), set).as_slice() {
                [] => {}
                // No part of the node uses it.
                [KeyKind::Governance] => self.promote(set, &mut memory),
                _ => {
                    tracing::info!("the chain names a staged key of this node: starting anew");
                    return Turn::NewKeys;
                }
            }
            if self.is_retired(&head.state, &mut memory) && self.on_retire == OnRetire::Stop {
                return Turn::Retired;
            }
            let next = staged.validator.map(ReadySigner::new);
            self.offer(&head, next, &mut memory).await;
        }
    }

    /// The keys that wait in the home now.
    fn staged(&self, memory: &mut Memory) -> Staged {
        Staged::read(&self.home).unwrap_or_else(|error| {
            memory.say(Said::Unreadable, || tracing::warn!(%error, "a staged key is passed over"));
            Staged::default()
        })
    }

    /// Puts staged keys in force without starting anew.
    fn promote(&self, set: &ValidatorSet, memory: &mut Memory) {
        if let Err(error) = promote_due(&self.home, &self.signer.public(), set) {
            memory.say(Said::Unreadable, || {
                tracing::warn!(%error, "a staged key cannot be put in force");
            });
        }
    }

    /// Whether the node lost its place while it ran.
    fn is_retired(&self, state: &State, memory: &mut Memory) -> bool {
        let member = state.validators().index_of(&self.signer.public()).is_some();
        let retired = memory.member && !member;
        if retired {
            match self.on_retire {
                OnRetire::Observe => memory.say(Said::Retired, || {
                    tracing::warn!("no validator any more: this node goes on as an observer");
                }),
                OnRetire::Stop => {
                    tracing::warn!("no validator any more: this node stops, as on_retire says");
                }
            }
        }
        memory.member = member;
        retired
    }

    /// Shows that the node is at the tip, where a proposal waits for that.
    async fn offer(&self, head: &Arc<Head>, next: Option<ReadySigner>, memory: &mut Memory) {
        let awaited = std::iter::once(&self.signer).chain(&next).find_map(|signer| {
            let proposal = awaiting(&head.state, head.height, &signer.public())?;
            Some((signer, proposal))
        });
        let Some((signer, proposal)) = awaited else {
            memory.attempt = None;
            return;
        };
        if !(self.at_tip)(head.height) {
            memory.say(Said::Behind(proposal), || {
                tracing::info!(proposal, "a proposal admits this node, once it is at the tip");
            });
            return;
        }
        if let Some(attempt) = &memory.attempt {
            let waits = self.pool.is_pending(&attempt.transaction);
            if waits || attempt.at.elapsed() < RETRY {
                return;
            }
            let reason = self.refusal(&attempt.transaction);
            tracing::info!(proposal, reason, "still not admitted: trying again");
        }
        let tip = Tip { chain_id: self.view.chain_id(), height: head.height, hash: head.hash };
        let nonce = head.state.account(&signer.public().address()).nonce;
        let ready = HashedTransaction::new(signer.sign(proposal, tip, nonce));
        memory.attempt = Some(Attempt { transaction: ready.hash(), at: Instant::now() });
        let (height, key) = (head.height, signer.public());
        match self.pool.submit(ready).await {
            Ok(_) => tracing::info!(proposal, %height, %key, "at the tip: asked to be admitted"),
            Err(error) => tracing::warn!(proposal, %error, "asking to be admitted was refused"),
        }
    }
}

impl Attendant {
    /// Why an earlier attempt came to nothing.
    fn refusal(&self, transaction: &Digest) -> String {
        match self.view.recent_transaction(transaction) {
            TxStatus::Final(at) => match at.receipt.outcome {
                Outcome::Failed(reason) => reason.to_string(),
                Outcome::Success | Outcome::Written { .. } => {
                    "the proposal needs another one".to_owned()
                }
            },
            _ => "it got into no block in time".to_owned(),
        }
    }
}

impl Memory {
    /// Says something unless it was the last thing said.
    fn say(&mut self, what: Said, how: impl FnOnce()) {
        if self.said != Some(what) {
            self.said = Some(what);
            how();
        }
    }
}

/// The proposal that waits for the node of this consensus key.
pub(super) fn awaiting(state: &State, height: Height, key: &PublicKey) -> Option<ProposalId> {
    if state.validators().index_of(key).is_some() {
        return None;
    }
    let awaits = |proposal: &&Proposal| {
        proposal.status == ProposalStatus::AwaitsReady
            && proposal.is_open(height.next())
            && proposal.change.joiner() == Some(key)
    };
    state.proposals().find(awaits).map(|proposal| proposal.id)
}
