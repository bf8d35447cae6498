//! Headers, votes and certificates.
//!
//! Every action answers whether it was done; an honest validator refuses what its rules forbid,
//! so a schedule can ask for anything.

use super::blocks::{BlockId, Kind};
use super::validator::LastVote;
use super::world::{EPOCHS, World};

impl World {
    /// An honest leader signs the next header of its view. A barrier is asked for; a seal comes
    /// where the view's tip is, or lies above, a barrier.
    pub fn propose(&mut self, leader: usize, barrier: bool) -> Option<BlockId> {
        let validator = &self.validators[leader];
        let period = validator.now.period;
        let tip = validator.start?;
        let is_leader = self.leader(period.1) == leader && !self.is_byzantine(leader);
        if !is_leader || !self.has_room() {
            return None;
        }
        let parent = match validator.proposed {
            Some(block) => block,
            // It led this view before a restart.
            None if validator.now.led >= period => return None,
            None => self.voted_in(leader, period).unwrap_or(tip),
        };
        let kind = match self.blocks.barrier_of(parent) {
            Some(below) if self.blocks.get(below).epoch() == period.0 && period.0 < EPOCHS => {
                if self.blocks.get(below).view() == period.1 {
                    return None;
                }
                Kind::Seal
            }
            _ if barrier && period.0 < EPOCHS => Kind::Barrier,
            _ => Kind::Plain,
        };
        let block = self.publish(parent, period, kind, true);
        let validator = &mut self.validators[leader];
        validator.now.led = period;
        validator.sync_leader_mark(&self.rules);
        validator.proposed = Some(block);
        Some(block)
    }

    /// A Byzantine leader signs any header of one of its views.
    pub fn forge(
        &mut self,
        period: (u64, u64),
        parent: BlockId,
        kind: Kind,
        valid: bool,
    ) -> Option<BlockId> {
        let kind = if period.0 == EPOCHS { Kind::Plain } else { kind };
        let possible = self.is_byzantine(self.leader(period.1)) && self.has_room();
        possible.then(|| self.publish(parent, period, kind, valid))
    }

    /// A prepare vote: voting rules 1 to 4. Rule 5 only keeps reports short.
    pub fn vote(&mut self, voter: usize, block: BlockId) -> bool {
        let validator = &self.validators[voter];
        let period = validator.now.period;
        let header = self.blocks.get(block);
        // Rule 1: of the view it is in, and the view's certificate held.
        let Some(start) = validator.start else { return false };
        if self.is_byzantine(voter) || header.period() != period || !header.valid {
            return false;
        }
        // Rule 2.
        let on_start = self.blocks.view_base(block) == start;
        let continues = match self.voted_in(voter, period) {
            None => on_start,
            Some(last) => {
                let strictly = block != last && self.blocks.descends(block, last);
                strictly && (on_start || !self.rules.votes_within_view)
            }
        };
        if !continues || !self.may_stand_on_barriers(block) {
            return false;
        }
        self.note(|| format!("{voter} votes for {block}"));
        let validator = &mut self.validators[voter];
        validator.now.last_vote = Some(LastVote { block, start: Some(start) });
        validator.sync_vote(&self.rules);
        self.count_prepare(voter, block);
        true
    }

    /// Voting rule 4.
    fn may_stand_on_barriers(&self, block: BlockId) -> bool {
        let header = self.blocks.get(block);
        if !self.rules.nothing_above_barriers || header.epoch() == EPOCHS {
            return true;
        }
        self.blocks.barrier_of(block).is_none_or(|barrier| {
            let later = header.view() > self.blocks.get(barrier).view();
            barrier == block || (header.kind == Kind::Seal && later)
        })
    }

    /// A commit vote on the strength of a prepare certificate of the current view.
    pub fn commit(&mut self, voter: usize, block: BlockId) -> bool {
        let validator = &self.validators[voter];
        let holds = validator.certificates & (1 << block) != 0 && validator.start.is_some();
        let current = self.blocks.get(block).period() == validator.now.period;
        if self.is_byzantine(voter) || !holds || !current {
            return false;
        }
        self.note(|| format!("{voter} votes to commit {block}"));
        self.validators[voter].sync_commit(&self.rules);
        self.count_commit(voter, block);
        true
    }

    /// A prepare certificate reaches a validator of its epoch.
    pub fn learn_certificate(&mut self, learner: usize, block: BlockId) -> bool {
        let header = self.blocks.get(block);
        let validator = &self.validators[learner];
        let news = validator.certificates & (1 << block) == 0;
        if !news || !self.is_certified(block) || header.epoch() != validator.now.period.0 {
            return false;
        }
        let rank = |block: BlockId| self.blocks.get(block).position;
        let higher = validator.now.high_qc.is_none_or(|known| rank(block) > rank(known));
        let validator = &mut self.validators[learner];
        validator.certificates |= 1 << block;
        if higher {
            validator.now.high_qc = Some(block);
        }
        true
    }

    /// The validator's last vote, if it is of this view.
    pub(super) fn voted_in(&self, validator: usize, period: (u64, u64)) -> Option<BlockId> {
        let vote = self.validators[validator].now.last_vote?;
        (self.blocks.get(vote.block).period() == period).then_some(vote.block)
    }
}
