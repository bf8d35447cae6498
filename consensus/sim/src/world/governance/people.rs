//! The people who govern: their keys, what they see of the chain, and what became of what they did.

use std::collections::BTreeMap;

use chain::crypto::{PublicKey, Signer};
use chain::governance::{Candidate, Change, KeyKind};
use chain::receipt::GovernanceRefusal;
use chain::state::State;
use chain::validator::Validator;

use super::Campaign;
use crate::application::{self, LedgerState};
use crate::dice::Dice;
use crate::genesis::Genesis;
use crate::plan::Plan;
use crate::signatures::SignatureRule;

/// Numbers of keys that nobody has at the start.
const FIRST_NEW_KEY: usize = 10_000;

/// What became of the changes that people wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub proposed: u64,
    /// Changes of the set that the chain made.
    pub executed: u64,
    /// Given up: withdrawn or refused before they were open.
    pub abandoned: u64,
    /// Transactions that nobody had the right to send.
    pub attempts: u64,
    /// Transactions without effect, by the reason in their receipts.
    pub refused: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn refuse(&mut self, refusal: &GovernanceRefusal) {
        let text = format!("{refusal:?}");
        let name = text.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default();
        *self.refused.entry(name.to_owned()).or_default() += 1;
    }
}

/// What the people of one world have and know.
pub(in crate::world) struct People {
    rule: SignatureRule,
    seed: u64,
    /// Every governance key that there ever was.
    keys: BTreeMap<PublicKey, Box<dyn Signer + Send>>,
    new_keys: usize,
    /// The last block that is final at an honest node.
    pub(super) seen: Option<LedgerState>,
    pub(super) campaign: Option<Campaign>,
    pub(super) tally: Tally,
}

impl People {
    pub(in crate::world) fn new(plan: &Plan, first: Option<&LedgerState>) -> Self {
        let governor = |number| Genesis::governor(plan.signatures, plan.seed, number);
        let keys = (0..plan.validators).map(governor).map(|signer| (signer.public(), signer));
        Self {
            rule: plan.signatures,
            seed: plan.seed,
            keys: keys.collect(),
            new_keys: FIRST_NEW_KEY,
            seen: first.cloned(),
            campaign: None,
            tally: Tally::default(),
        }
    }

    /// The state that people go by, where the chain has a ledger.
    pub(super) fn state(&self) -> Option<&State> {
        self.seen.as_ref().map(LedgerState::state)
    }

    pub(super) fn signer(&self, key: &PublicKey) -> &dyn Signer {
        self.keys[key].as_ref()
    }

    /// Keys that govern for nobody any more.
    pub(super) fn retired(&self) -> Vec<PublicKey> {
        let members: Vec<PublicKey> = self.members().map(|member| member.governance_key).collect();
        self.keys.keys().filter(|key| !members.contains(key)).copied().collect()
    }

    pub(super) fn members(&self) -> impl Iterator<Item = &Validator> {
        let sets = self.state().into_iter().map(State::validators);
        sets.flat_map(|set| set.members().map(|(_, member)| member))
    }

    fn new_governor(&mut self) -> PublicKey {
        self.new_keys += 1;
        let signer = Genesis::governor(self.rule, self.seed, self.new_keys);
        let key = signer.public();
        self.keys.insert(key, signer);
        key
    }

    fn new_network_key(&mut self) -> PublicKey {
        self.new_keys += 1;
        Genesis::network_key(self.rule, self.seed, self.new_keys)
    }

    /// A change of the set in the words of the chain. Who joins gets new keys for all but consensus:
    /// the old ones may belong to somebody by now.
    pub(super) fn worded(&mut self, change: application::Change) -> Change {
        match change {
            application::Change::Admit(joiner) => Change::AddValidator {
                candidate: Candidate {
                    consensus_key: joiner.consensus_key,
                    network_key: self.new_network_key(),
                    governance_key: self.new_governor(),
                },
            },
            application::Change::Remove(validator) => Change::RemoveValidator { validator },
            application::Change::Replace { old, new } => Change::RotateKey {
                validator: old,
                key: KeyKind::Consensus,
                new_key: new.consensus_key,
            },
            application::Change::Jail(validator) => Change::Jail { validator },
            application::Change::Pardon(validator) => Change::Pardon { validator },
            application::Change::First(_) => unreachable!("nobody draws this"),
        }
    }

    /// Another key of a member, in a role that engines know nothing of.
    pub(super) fn rotation(&mut self, dice: &mut Dice) -> Change {
        let members: Vec<PublicKey> = self.members().map(|member| member.consensus_key).collect();
        let validator = *dice.pick(&members);
        let (key, new_key) = match dice.below(2) {
            0 => (KeyKind::Governance, self.new_governor()),
            _ => (KeyKind::Network, self.new_network_key()),
        };
        Change::RotateKey { validator, key, new_key }
    }
}
