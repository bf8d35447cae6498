//! Whether views meet: the rules of timers and view changes alone.
//!
//! One honest validator is some views ahead of the others, as one that a leader starves can be. The
//! Byzantine validators second its suspicions at once, and say nothing else. All timers are at
//! their cap, messages take a fixed time. The honest validators have met once all of them stay in
//! one view with an honest leader for the six delays of a view change with one finality.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use chain::quorum::Quorums;

use crate::dice::{Dice, Purpose};

const DELAY_MS: u64 = 10;
const TIMEOUT_MS: u64 = 1_000;
/// A view change is sent again this often until it is superseded.
const REPEAT_MS: u64 = 200;
/// View change, new view, acknowledgement, header, vote, certificate.
const FINALITY_MS: u64 = 6 * DELAY_MS;

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub n: usize,
    /// Views that one validator is ahead.
    pub ahead: u64,
    /// The timer of a view starts only with `view_change_quorum` view changes to it or above.
    pub timer_needs_quorum: bool,
    pub limit_ms: u64,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// When the honest validators had met, in milliseconds.
    pub met_ms: Option<u64>,
    /// Views that honest validators gave up on the way.
    pub given_up: u64,
}

/// One run; the seed shifts the timers against each other.
///
/// # Panics
/// Where `n` tolerates no fault.
pub fn run(setting: Setting, seed: u64) -> Outcome {
    let quorums = Quorums::new(setting.n, Quorums::default_max_faulty(setting.n));
    let quorums = quorums.expect("a set that tolerates its faults");
    assert!(quorums.f >= 1, "somebody must be able to stay ahead");
    Pacemaker::new(setting, quorums, seed).run()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Suspect { to: usize, from: usize, view: u64 },
    ViewChange { to: usize, from: usize, view: u64 },
    Timer { who: usize, view: u64 },
    Repeat { who: usize },
}

#[derive(Clone, Debug, Default)]
struct Validator {
    view: u64,
    timer_runs: bool,
    /// The highest view change of each validator, its own included.
    changes: BTreeMap<usize, u64>,
    /// Who suspects the current view.
    suspects: BTreeSet<usize>,
}

struct Pacemaker {
    setting: Setting,
    quorums: Quorums,
    /// Honest validators are those from `f` on.
    validators: Vec<Validator>,
    queue: BinaryHeap<std::cmp::Reverse<(u64, Event)>>,
    now: u64,
    /// Since when all honest validators are in one view with an honest leader.
    together_since: Option<u64>,
    given_up: u64,
}

impl Pacemaker {
    fn new(setting: Setting, quorums: Quorums, seed: u64) -> Self {
        let mut dice = Dice::new(seed, Purpose::Plan);
        let mut pacemaker = Self {
            setting,
            quorums,
            validators: vec![Validator::default(); setting.n],
            queue: BinaryHeap::new(),
            now: 0,
            together_since: None,
            given_up: 0,
        };
        let loner = pacemaker.loner();
        for who in pacemaker.honest() {
            let view = if who == loner { 1 + setting.ahead } else { 1 };
            let validator = &mut pacemaker.validators[who];
            validator.view = view;
            validator.changes.insert(who, view);
            // The others hold the certificate of their view; the loner has only its own word.
            if who != loner || !setting.timer_needs_quorum {
                validator.timer_runs = true;
                pacemaker.push(dice.below(TIMEOUT_MS), Event::Timer { who, view });
            }
            pacemaker.push(dice.below(REPEAT_MS), Event::Repeat { who });
        }
        pacemaker
    }

    fn honest(&self) -> std::ops::Range<usize> {
        self.quorums.f..self.setting.n
    }

    /// The validator ahead of all.
    fn loner(&self) -> usize {
        self.setting.n - 1
    }

    fn push(&mut self, after: u64, event: Event) {
        self.queue.push(std::cmp::Reverse((self.now + after, event)));
    }

    fn run(mut self) -> Outcome {
        while let Some(std::cmp::Reverse((at, event))) = self.queue.pop() {
            let met = self.together_since.map(|since| since + FINALITY_MS).filter(|met| *met <= at);
            if met.is_some() || at > self.setting.limit_ms {
                return Outcome { met_ms: met, given_up: self.given_up };
            }
            self.now = at;
            self.handle(event);
            self.watch();
        }
        Outcome { met_ms: None, given_up: self.given_up }
    }

    fn watch(&mut self) {
        let view = self.validators[self.loner()].view;
        let leader = usize::try_from(view).expect("a few views") % self.setting.n;
        let honest_leader = self.honest().contains(&leader);
        if honest_leader && self.honest().all(|who| self.validators[who].view == view) {
            self.together_since.get_or_insert(self.now);
        } else {
            self.together_since = None;
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Timer { who, view } => {
                if self.validators[who].view == view {
                    self.suspect(who, view);
                    self.push(TIMEOUT_MS, Event::Timer { who, view });
                }
            }
            Event::Repeat { who } => {
                self.broadcast_change(who);
                self.push(REPEAT_MS, Event::Repeat { who });
            }
            Event::Suspect { to, from, view } => {
                if self.validators[to].view == view {
                    self.validators[to].suspects.insert(from);
                    if self.validators[to].suspects.len() > self.quorums.f {
                        self.move_to(to, view + 1);
                    }
                }
            }
            Event::ViewChange { to, from, view } => {
                let known = self.validators[to].changes.entry(from).or_default();
                *known = view.max(*known);
                self.join(to);
                self.try_timer(to);
            }
        }
    }

    fn suspect(&mut self, who: usize, view: u64) {
        for to in self.honest() {
            let delay = if to == who { 0 } else { DELAY_MS };
            self.push(delay, Event::Suspect { to, from: who, view });
        }
        if who == self.loner() {
            for liar in 0..self.quorums.f {
                self.push(0, Event::Suspect { to: who, from: liar, view });
            }
        }
    }

    /// To the (f+1)-th highest view that anyone changes to, if that is above the own one.
    fn join(&mut self, who: usize) {
        let mut views: Vec<u64> = self.validators[who].changes.values().copied().collect();
        views.sort_unstable_by(|a, b| b.cmp(a));
        if let Some(view) = views.get(self.quorums.f).copied()
            && view > self.validators[who].view
        {
            self.move_to(who, view);
        }
    }

    fn move_to(&mut self, who: usize, view: u64) {
        self.given_up += 1;
        let validator = &mut self.validators[who];
        validator.view = view;
        validator.timer_runs = false;
        validator.suspects.clear();
        validator.changes.insert(who, view);
        self.broadcast_change(who);
        self.try_timer(who);
    }

    fn broadcast_change(&mut self, who: usize) {
        let view = self.validators[who].view;
        for to in self.honest().filter(|to| *to != who) {
            self.push(DELAY_MS, Event::ViewChange { to, from: who, view });
        }
    }

    fn try_timer(&mut self, who: usize) {
        let validator = &self.validators[who];
        let view = validator.view;
        let with = validator.changes.values().filter(|change| **change >= view).count();
        let may_start = !self.setting.timer_needs_quorum || with >= self.quorums.view_change_quorum;
        if may_start && !validator.timer_runs {
            self.validators[who].timer_runs = true;
            self.push(TIMEOUT_MS, Event::Timer { who, view });
        }
    }
}
