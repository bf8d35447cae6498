//! Random hostile schedules: one seed, one run.
//!
//! Every run draws its own mix of actions (swarm testing: a mix that never crashes anyone finds
//! what a balanced one drowns), then takes a fixed number of steps. Small scopes searched well
//! find what large ones miss.

use consensus::hybrid::select_tip::Report;

use super::blocks::{BlockId, Kind};
use super::invariants::Violation;
use super::rules::Rules;
use super::validator::Period;
use super::world::{EPOCHS, Scope, Start, World};
use crate::dice::{Dice, Purpose};

/// What a run is.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub scope: Scope,
    pub steps: u32,
    /// Whether leaders propose barriers, so that a second epoch can open.
    pub barriers: bool,
}

impl Plan {
    /// Three views and six blocks: what finds most. One Byzantine validator leads one of the views.
    pub const fn small(n: usize, f: usize, byzantine: usize) -> Self {
        let scope = Scope { n, f, byzantine, first_leader: 0, views: 3, blocks: 6 };
        Self { scope, steps: 260, barriers: false }
    }

    /// Four views per epoch, and barriers.
    pub const fn epochs(n: usize, f: usize, byzantine: usize) -> Self {
        let scope = Scope { n, f, byzantine, first_leader: 0, views: 4, blocks: 8 };
        Self { scope, steps: 320, barriers: true }
    }
}

/// What the runs did, to show that they were not idle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    pub runs: u64,
    /// Actions that had an effect.
    pub actions: u64,
    pub final_blocks: u64,
    /// Views that started from reports.
    pub view_changes: u64,
    pub rejected_sets: u64,
    pub crashes: u64,
    /// Runs in which the second epoch opened.
    pub second_epochs: u64,
    /// Final blocks in a second epoch.
    pub finals_of_second_epochs: u64,
    /// Runs in which a final seal was needed for a barrier, or was there.
    pub seals: u64,
}

/// Runs with one set of rules, up to the first that breaks something.
#[derive(Clone, Debug, Default)]
pub struct Hunt {
    pub coverage: Coverage,
    pub caught: Option<Caught>,
}

#[derive(Clone, Debug)]
pub struct Caught {
    pub seed: u64,
    pub violation: Violation,
}

/// Runs seeds 0 to `runs` - 1 until one is caught.
pub fn hunt(plan: Plan, rules: Rules, runs: u64) -> Hunt {
    let mut hunt = Hunt::default();
    for seed in 0..runs {
        let violation = run(plan, rules, seed, &mut hunt.coverage);
        if let Some(violation) = violation {
            hunt.caught = Some(Caught { seed, violation });
            break;
        }
    }
    hunt
}

/// One run: what broke, if anything did.
pub fn run(plan: Plan, rules: Rules, seed: u64, coverage: &mut Coverage) -> Option<Violation> {
    simulate(plan, rules, seed, coverage, false).violation().cloned()
}

/// What happened in a run, line by line.
pub fn explain(plan: Plan, rules: Rules, seed: u64) -> Vec<String> {
    simulate(plan, rules, seed, &mut Coverage::default(), true).log.unwrap_or_default()
}

fn simulate(plan: Plan, rules: Rules, seed: u64, coverage: &mut Coverage, log: bool) -> World {
    let mut dice = Dice::new(seed, Purpose::Plan);
    let first_leader = dice.index(plan.scope.n);
    let scope = Scope { first_leader, ..plan.scope };
    let salt = if dice.below(2) == 0 { 0 } else { 0xff };
    let mut schedule = Schedule {
        world: World::new(scope, rules, salt),
        mix: Mix::draw(&mut dice, plan.barriers),
        dice,
    };
    schedule.world.log = log.then(Vec::new);
    coverage.runs += 1;
    for _ in 0..plan.steps {
        let action = schedule.mix.pick(&mut schedule.dice);
        let done = schedule.act(action);
        coverage.actions += u64::from(done);
        coverage.crashes += u64::from(done && action == Action::Crash);
        if schedule.world.violation().is_some() {
            break;
        }
    }
    let world = &schedule.world;
    let second = |block: &&BlockId| world.blocks.get(**block).epoch() == EPOCHS;
    coverage.final_blocks += world.finals().len() as u64;
    coverage.view_changes += world.starts().iter().filter(|s| s.by_certificate).count() as u64;
    coverage.rejected_sets += world.rejected;
    coverage.second_epochs += u64::from(world.starts().iter().any(|s| s.period.0 == EPOCHS));
    coverage.finals_of_second_epochs += world.finals().iter().filter(second).count() as u64;
    coverage.seals += u64::from(world.sealed());
    schedule.world
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Propose,
    Forge,
    Vote,
    Commit,
    LearnCertificate,
    LearnView,
    GiveUp,
    NewView,
    Acknowledge,
    EnterEpoch,
    Crash,
}

/// How often each action is tried, drawn anew for every run.
struct Mix {
    weights: Vec<(Action, u64)>,
    total: u64,
    /// Percent of proposals that are barriers.
    barriers: u64,
}

impl Mix {
    fn draw(dice: &mut Dice, barriers: bool) -> Self {
        let usual = [
            (Action::Propose, 12),
            (Action::Forge, 6),
            (Action::Vote, 30),
            (Action::Commit, 6),
            (Action::LearnCertificate, 6),
            (Action::LearnView, 16),
            (Action::GiveUp, 8),
            (Action::NewView, 8),
            (Action::Acknowledge, 20),
            (Action::EnterEpoch, if barriers { 8 } else { 0 }),
            (Action::Crash, 3),
        ];
        let weights: Vec<(Action, u64)> = usual
            .into_iter()
            .map(|(action, weight)| {
                let rare = matches!(
                    action,
                    Action::Crash | Action::Commit | Action::LearnCertificate | Action::Forge
                );
                let factor = if rare { [0, 1, 4, 8] } else { [1, 2, 4, 8] };
                (action, weight * dice.pick(&factor))
            })
            .collect();
        let total = weights.iter().map(|(_, weight)| weight).sum();
        let barriers = if barriers { *dice.pick(&[20, 50, 80]) } else { 0 };
        Self { weights, total, barriers }
    }

    fn pick(&self, dice: &mut Dice) -> Action {
        let mut left = dice.below(self.total);
        for (action, weight) in &self.weights {
            if left < *weight {
                return *action;
            }
            left -= weight;
        }
        Action::Vote
    }
}

struct Schedule {
    world: World,
    mix: Mix,
    dice: Dice,
}

impl Schedule {
    fn act(&mut self, action: Action) -> bool {
        let who = self.someone();
        match action {
            Action::Propose => self.propose(who),
            Action::Forge => self.forge(),
            Action::Vote => {
                let period = self.world.validators[who].now.period;
                self.block_of(period).is_some_and(|block| self.world.vote(who, block))
            }
            Action::Commit => {
                let period = self.world.validators[who].now.period;
                self.block_of(period).is_some_and(|block| self.world.commit(who, block))
            }
            Action::LearnCertificate => {
                let block = self.any_block();
                self.world.learn_certificate(who, block)
            }
            Action::LearnView => {
                let start = *self.dice.pick(self.world.starts());
                self.world.learn_view(who, start)
            }
            Action::GiveUp => self.give_up(who),
            Action::NewView => self.new_view(who),
            Action::Acknowledge => self.acknowledge(who),
            Action::EnterEpoch => {
                let finals = self.world.finals();
                if finals.is_empty() {
                    return false;
                }
                let block = *self.dice.pick(finals);
                self.world.enter_epoch(who, block)
            }
            Action::Crash => {
                self.world.crash(who);
                true
            }
        }
    }

    /// An honest validator.
    fn someone(&mut self) -> usize {
        let honest = self.world.honest();
        honest.start + self.dice.index(honest.len())
    }

    fn any_block(&mut self) -> BlockId {
        self.dice.index(self.world.blocks.len())
    }

    fn block_of(&mut self, period: Period) -> Option<BlockId> {
        let in_view = |(block, header): (BlockId, &super::blocks::Block)| {
            (header.period() == period).then_some(block)
        };
        let blocks: Vec<BlockId> = self.world.blocks.iter().filter_map(in_view).collect();
        (!blocks.is_empty()).then(|| *self.dice.pick(&blocks))
    }

    fn propose(&mut self, who: usize) -> bool {
        let (_, view) = self.world.validators[who].now.period;
        let leader = self.world.leader(view);
        let barrier = self.dice.below(100) < self.mix.barriers;
        !self.world.is_byzantine(leader) && self.world.propose(leader, barrier).is_some()
    }

    /// A header in a view of a Byzantine leader: on a tip that the view starts on, on a block of
    /// the view, or anywhere, whether the view ever starts or not.
    fn forge(&mut self) -> bool {
        let led: Vec<Start> = self
            .world
            .starts()
            .iter()
            .filter(|start| self.world.is_byzantine(self.world.leader(start.period.1)))
            .copied()
            .collect();
        let (period, parent) = if led.is_empty() || self.dice.below(8) == 0 {
            let view = 1 + self.dice.below(self.world.scope.views);
            ((1 + self.dice.below(EPOCHS), view), self.any_block())
        } else {
            let Start { period, tip, .. } = *self.dice.pick(&led);
            let parent = match self.dice.below(8) {
                0..4 => tip,
                4..7 => self.block_of(period).unwrap_or(tip),
                _ => self.any_block(),
            };
            (period, parent)
        };
        let percent = self.dice.below(100);
        let kind = match percent {
            _ if self.mix.barriers == 0 => Kind::Plain,
            _ if percent < self.mix.barriers => Kind::Barrier,
            _ if percent.is_multiple_of(3) => Kind::Seal,
            _ => Kind::Plain,
        };
        let valid = self.dice.below(8) != 0;
        self.world.forge(period, parent, kind, valid).is_some()
    }

    /// To the next view, or to where someone else already is.
    fn give_up(&mut self, who: usize) -> bool {
        let (_, view) = self.world.validators[who].now.period;
        let other = self.someone();
        let (_, theirs) = self.world.validators[other].now.period;
        let target = if theirs > view && self.dice.below(4) != 0 {
            theirs
        } else {
            view + 1 + self.dice.below(4) / 3
        };
        self.world.give_up(who, target)
    }

    /// A set of reports for the view that `who` waits for: the honest ones that were sent, and
    /// Byzantine ones made up.
    fn new_view(&mut self, who: usize) -> bool {
        let period = self.world.validators[who].now.period;
        let mut reports: Vec<Report> = Vec::new();
        for report in self.world.reports(period) {
            let known = reports.iter().position(|other| other.sender == report.sender);
            match known {
                // Only a broken rule makes a validator report twice.
                Some(place) if self.dice.below(2) == 0 => reports[place] = report.clone(),
                Some(_) => {}
                None => reports.push(report.clone()),
            }
        }
        let enough = self.world.quorums.view_change_quorum;
        if reports.len() + self.world.scope.byzantine < enough {
            return false;
        }
        for liar in 0..self.world.scope.byzantine {
            if reports.len() < enough || self.dice.below(2) == 0 {
                let report = self.lie(liar, period);
                reports.push(report);
            }
        }
        while reports.len() > enough && self.dice.below(4) != 0 {
            let place = self.dice.index(reports.len());
            reports.swap_remove(place);
        }
        self.world.new_view(period, reports)
    }

    fn lie(&mut self, liar: usize, period: Period) -> Report {
        for _ in 0..4 {
            let vote = (self.dice.below(4) != 0).then(|| self.any_block());
            let certificate = (self.dice.below(2) != 0).then(|| self.any_block());
            let report = self.world.byzantine_report(liar, period, vote, certificate);
            if let Some(report) = report {
                return report;
            }
        }
        self.world.byzantine_report(liar, period, None, None).expect("an empty report is valid")
    }

    fn acknowledge(&mut self, who: usize) -> bool {
        let (epoch, view) = self.world.validators[who].now.period;
        let waiting = |view: &u64| self.world.new_views((epoch, *view)) > 0;
        let views: Vec<u64> = (view..=self.world.scope.views).filter(waiting).collect();
        if views.is_empty() {
            return false;
        }
        let period = (epoch, *self.dice.pick(&views));
        let set = self.dice.index(self.world.new_views(period));
        self.world.acknowledge(who, period, set)
    }
}
