//! Giving up a view, choosing the next one's tip, crashing, and changing epochs.

use consensus::hybrid::select_tip::{Anchor, Report, Voted};

use super::blocks::{BlockId, Kind};
use super::invariants::Violation;
use super::validator::{LastVote, Period};
use super::world::{EPOCHS, Start, World, index};

/// How many report sets a Byzantine leader tries in one view.
const NEW_VIEWS: usize = 4;

impl World {
    /// An honest validator gives up its view and sends its view change to a higher one.
    pub fn give_up(&mut self, validator: usize, view: u64) -> bool {
        let (epoch, current) = self.validators[validator].now.period;
        if self.is_byzantine(validator) || view <= current || view > self.scope.views {
            return false;
        }
        self.validators[validator].move_to(view);
        let report = self.honest_report(validator);
        self.note(|| format!("{validator} gives up for {view}: {report:?}"));
        self.validators[validator].sync_view_change(&self.rules);
        if let Some(pool) = self.pool_mut((epoch, view)) {
            pool.changes.push(report);
        }
        true
    }

    fn honest_report(&mut self, sender: usize) -> Report {
        if let Some(block) = self.unreportable_vote(sender) {
            self.report(Violation::UnreportableVote { validator: sender, block });
        }
        let validator = &self.validators[sender];
        let readable = |block: &BlockId| self.is_reportable(*block, validator.now.period);
        let last_vote = validator.now.last_vote.filter(|vote| readable(&vote.block));
        let voted = last_vote.and_then(|LastVote { block, start }| {
            let held = |block: &BlockId| validator.certificates & (1 << *block) != 0;
            let anchor = match (self.blocks.chain_in_view(block).find(held), start) {
                (Some(certified), _) => Anchor::Certified(self.blocks.reference(certified)),
                (None, Some(start)) => Anchor::ViewStart(self.blocks.reference(start)),
                // Nothing proves the view that it voted in: the vote does not count.
                (None, None) => return None,
            };
            Some(Voted { block: self.blocks.reference(block), anchor })
        });
        let high_qc = validator.now.high_qc.filter(readable);
        let high_qc = high_qc.map(|block| self.blocks.reference(block));
        Report { sender: index(sender), high_qc, last_vote: voted }
    }

    /// The last vote, if it can rest only on its view's start and its path there leaves the view.
    fn unreportable_vote(&self, sender: usize) -> Option<BlockId> {
        let validator = &self.validators[sender];
        let LastVote { block, start } = validator.now.last_vote?;
        let held = |block: BlockId| validator.certificates & (1 << block) != 0;
        let certified = self.blocks.chain_in_view(block).any(held);
        (!certified && start? != self.blocks.view_base(block)).then_some(block)
    }

    /// The report of a Byzantine sender for a view change to `period`: any block of an earlier
    /// view whose view can be proven, any certificate that exists. `None` where nobody would
    /// accept it.
    pub fn byzantine_report(
        &self,
        sender: usize,
        period: Period,
        vote: Option<BlockId>,
        certificate: Option<BlockId>,
    ) -> Option<Report> {
        let readable = |block: &BlockId| self.is_reportable(*block, period);
        let last_vote = match vote {
            None => None,
            Some(block) if readable(&block) => {
                Some(Voted { block: self.blocks.reference(block), anchor: self.anchor(block)? })
            }
            Some(_) => return None,
        };
        let high_qc = match certificate {
            None => None,
            Some(block) if readable(&block) && self.is_certified(block) => {
                Some(self.blocks.reference(block))
            }
            Some(_) => return None,
        };
        Some(Report { sender: index(sender), high_qc, last_vote })
    }

    /// Whether a view change to `period` may speak of a block: one of its epoch, of an earlier view.
    fn is_reportable(&self, block: BlockId, period: Period) -> bool {
        let (epoch, view) = self.blocks.get(block).period();
        (epoch == period.0 || !self.rules.reports_of_own_epoch) && view < period.1
    }

    /// The lowest proof that a block's view existed: its start, else a certificate under it.
    fn anchor(&self, block: BlockId) -> Option<Anchor> {
        let tip = self.blocks.view_base(block);
        let period = self.blocks.get(block).period();
        if self.starts().iter().any(|start| start.period == period && start.tip == tip) {
            return Some(Anchor::ViewStart(self.blocks.reference(tip)));
        }
        let certified = self.blocks.chain_in_view(block).find(|below| self.is_certified(*below));
        certified.map(|below| Anchor::Certified(self.blocks.reference(below)))
    }

    /// The leader of a view chooses a set of reports and sends them to all.
    pub fn new_view(&mut self, period: Period, reports: Vec<Report>) -> bool {
        let leader = self.leader(period.1);
        let Some(pool) = self.pool(period) else { return false };
        let senders = reports.iter().fold(0u32, |set, report| set | 1 << report.sender.get());
        let distinct = senders.count_ones() as usize == reports.len();
        if !distinct || reports.len() < self.quorums.view_change_quorum {
            return false;
        }
        if self.is_byzantine(leader) {
            if pool.new_views.len() >= NEW_VIEWS {
                return false;
            }
        } else {
            let validator = &self.validators[leader];
            let free = validator.now.period.0 == period.0
                && validator.now.period <= period
                && pool.new_views.is_empty();
            let executed = !self.rules.tips_are_executed || self.all_valid(&reports);
            let opening = validator.now.opening;
            if !free || !executed || self.select(&reports, opening).is_none() {
                return false;
            }
        }
        self.note(|| format!("new view {period:?} from {reports:?}"));
        if let Some(pool) = self.pool_mut(period) {
            pool.new_views.push(reports);
        }
        true
    }

    /// Whether every reported block executes.
    fn all_valid(&self, reports: &[Report]) -> bool {
        let voted = reports.iter().filter_map(|report| report.last_vote.as_ref());
        let certified = reports.iter().filter_map(|report| report.high_qc);
        voted.map(|vote| vote.block).chain(certified).all(|reported| {
            let block = self.blocks.find(&reported.hash);
            block.is_some_and(|block| self.blocks.get(block).valid)
        })
    }

    /// An honest validator checks a set of reports and acknowledges the tip that follows.
    pub fn acknowledge(&mut self, validator: usize, period: Period, new_view: usize) -> bool {
        let state = &self.validators[validator].now;
        let free = state.period.0 == period.0
            && state.period <= period
            && state.acknowledged < period
            && period.1 > state.first_view;
        let opening = state.opening;
        let reports = self.pool(period).and_then(|pool| pool.new_views.get(new_view)).cloned();
        let Some(reports) = reports.filter(|_| free && !self.is_byzantine(validator)) else {
            return false;
        };
        let Some(tip) = self.select(&reports, opening) else { return false };
        if self.rules.tips_are_executed && !self.blocks.get(tip).valid {
            return false;
        }
        self.note(|| format!("{validator} acknowledges tip {tip} of {period:?}"));
        let state = &mut self.validators[validator];
        if state.now.period < period {
            state.move_to(period.1);
        }
        state.now.acknowledged = period;
        state.sync_acknowledgement(&self.rules);
        self.count_acknowledgement(validator, period, tip);
        true
    }

    /// A view certificate reaches a validator, and moves it there if the view is higher.
    pub fn learn_view(&mut self, learner: usize, start: Start) -> bool {
        let now = self.validators[learner].now.period;
        let known = start.by_certificate && self.starts().contains(&start);
        let needed = now < start.period || self.validators[learner].start.is_none();
        if !known || !needed || start.period.0 != now.0 || start.period < now {
            return false;
        }
        let validator = &mut self.validators[learner];
        if now < start.period {
            validator.move_to(start.period.1);
        }
        validator.start = Some(start.tip);
        self.note(|| format!("{learner} learns {start:?}"));
        true
    }

    /// A final certificate reaches a validator and ends its epoch.
    pub fn enter_epoch(&mut self, learner: usize, block: BlockId) -> bool {
        let (epoch, _) = self.validators[learner].now.period;
        let Some(barrier) = self.blocks.barrier_of(block) else { return false };
        if !self.is_final(block) || self.blocks.get(block).epoch() != epoch || epoch == EPOCHS {
            return false;
        }
        let opening = if self.rules.seals_are_void { barrier } else { block };
        let last = if self.rules.first_view_by_barrier { barrier } else { block };
        let period = (epoch + 1, self.blocks.get(last).view() + 1);
        self.note(|| format!("{learner} enters {period:?} on {opening}, shown {block}"));
        self.validators[learner].open_epoch(period, opening, &self.rules);
        self.record_start(Start { period, tip: opening, by_certificate: false });
        true
    }

    /// A validator crashes and comes back with what is on its disk.
    pub fn crash(&mut self, validator: usize) {
        self.note(|| format!("{validator} crashes"));
        self.validators[validator].crash();
        let now = self.validators[validator].now;
        let start = match now.last_vote {
            _ if now.period.1 == now.first_view => Some(now.opening),
            Some(vote) if self.blocks.get(vote.block).period() == now.period => vote.start,
            _ => None,
        };
        self.validators[validator].start = start;
    }

    /// Whether a final seal made its barrier final.
    pub fn sealed(&self) -> bool {
        self.finals().iter().any(|block| self.blocks.get(*block).kind == Kind::Seal)
    }
}
