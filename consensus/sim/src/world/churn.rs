//! Changes of the validator set, and how those hear of the chain whom no engine talks to.

use std::time::Duration;

use chain::crypto::PublicKey;
use chain::types::View;
use chain::validator::{Validator, ValidatorSet};
use consensus::application::Storage as _;
use consensus::engine::{Engine, FaultModel};

use super::traffic::Letter;
use super::{Action, World};
use crate::application::{Change, Workload};
use crate::disk::SimStorage;
use crate::plan::{Fault, Timed, Who};

/// How often a possible change is looked for among random ones.
const DRAWS: usize = 60;
/// Most bytes of final blocks that a node without a voice is sent at a time.
const FEED_BYTES: usize = 1024 * 1024;

impl<E: Engine> World<E> {
    /// The newest set that an honest node is in.
    pub fn newest_set(&self) -> &ValidatorSet {
        self.record.set.as_ref().unwrap_or(&self.genesis.validators)
    }

    /// Clients ask for a change that the seed decides: somebody joins, leaves, has a new key, is
    /// jailed or pardoned. False where the change before is on its way.
    pub fn change(&mut self) -> bool {
        match self.plan.workload {
            Workload::HashChain => self.order(),
            Workload::Ledger => self.propose(),
        }
    }

    /// Changes so far: those that clients of the hash chain asked for, those that the validators of
    /// a ledger decided.
    pub fn changes(&self) -> u64 {
        match self.plan.workload {
            Workload::HashChain => self.clients.changes(),
            Workload::Ledger => self.governance().executed,
        }
    }

    fn order(&mut self) -> bool {
        if self.clients.is_governing() {
            return false;
        }
        let Some(change) = self.draw_change() else { return false };
        self.submit_change(&change);
        if let Change::Admit(new) | Change::Replace { new, .. } = &change {
            self.start_joiner(&new.consensus_key);
        }
        true
    }

    /// A node that never ran starts with an empty disk, a little before or after it is admitted.
    pub(super) fn start_joiner(&mut self, key: &PublicKey) {
        let late = self.churn_dice.duration(Duration::ZERO, self.plan.options.timeout_min * 2);
        let fresh = self.nodes.iter().position(|node| node.key == *key && node.life == 0);
        if let Some(node) = fresh {
            self.schedule(self.now + late, Action::Restart { node, life: 0 });
        }
    }

    pub(super) fn draw_change(&mut self) -> Option<Change> {
        let set = self.newest_set().clone();
        let everybody = 0..self.plan.validators + self.plan.joiners;
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            everybody.partition(|number| set.index_of(&self.nodes[*number].key).is_some());
        for _ in 0..DRAWS {
            let member = self.nodes[*self.churn_dice.pick(&inside)].key;
            let joiner = (!outside.is_empty()).then(|| {
                let number = *self.churn_dice.pick(&outside);
                self.genesis.validator(self.plan.seed, number)
            });
            let change = match (self.churn_dice.below(8), joiner) {
                (0..=2, Some(joiner)) => Change::Admit(joiner),
                (3 | 4, _) => Change::Remove(member),
                (5 | 6, Some(new)) => Change::Replace { old: member, new },
                (7, _) => Change::Jail(member),
                _ => Change::Pardon(member),
            };
            let next = change.apply(&set, &self.genesis.validators, View::default());
            if next.is_some_and(|next| self.is_tolerable(&next)) {
                return Some(change);
            }
        }
        None
    }

    /// Whether the set stands those of its members that lie or are gone for good.
    fn is_tolerable(&self, set: &ValidatorSet) -> bool {
        let tolerated = match self.genesis.fault_model {
            FaultModel::Crash => set.len().saturating_sub(1) / 2,
            FaultModel::Byzantine => usize::from(set.max_faulty),
        };
        set.members().filter(|(_, member)| self.is_faulty(member)).count() <= tolerated
    }

    fn is_faulty(&self, member: &Validator) -> bool {
        let Some(node) = self.nodes.iter().position(|node| node.key == member.consensus_key) else {
            return false;
        };
        let doomed = |timed: &Timed| matches!(timed.fault, Fault::Corruption { who: Who::Node(who) } if who == node);
        !self.is_honest(node) || self.plan.faults.iter().any(doomed)
    }

    /// Final blocks for those that no member would talk to, as a real node pulls them from anybody:
    /// who joins, who has left, who has not heard yet that it joined, who missed so many changes that
    /// it knows nobody any more.
    pub(super) fn feed(&mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].driver.is_some()
                && let Some(server) = self.server_for(node)
            {
                self.serve(server, node);
            }
        }
    }

    /// One of those that run, reach the node, and are ahead of it: another one each time.
    fn server_for(&mut self, node: usize) -> Option<usize> {
        let height = self.nodes[node].final_height();
        let servers: Vec<usize> = (0..self.nodes.len())
            .filter(|other| {
                self.nodes[*other].driver.is_some()
                    && self.nodes[*other].final_height() > height
                    && !self.can_ask(node, *other)
                    && !self.network.is_blocked(*other, node)
                    && !self.network.is_blocked(node, *other)
            })
            .collect();
        (!servers.is_empty()).then(|| *self.churn_dice.pick(&servers))
    }

    /// Whether the engine of a node that is behind can ask the other's: it has a seat as far as it
    /// knows, and they know each other.
    fn can_ask(&self, behind: usize, server: usize) -> bool {
        let (behind, server) = (&self.nodes[behind], &self.nodes[server]);
        behind.status().is_some_and(|status| status.me.is_some())
            && behind.seating.index_of(&server.key).is_some()
            && server.seating.index_of(&behind.key).is_some()
    }

    fn serve(&mut self, server: usize, node: usize) {
        let from = self.nodes[node].final_height().next();
        let finals = SimStorage(self.nodes[server].disk.clone()).finals(from, FEED_BYTES);
        let Ok(Some(finals)) = finals else { return };
        let letter = Letter::new(E::finals_message(finals));
        let arrivals = self.network.arrivals(server, node, self.now, letter.bytes);
        for at in arrivals.iter() {
            let (message, fingerprint) = (letter.message.clone(), letter.fingerprint);
            self.schedule(at, Action::Feed { to: node, message, fingerprint });
        }
    }
}
