//! Everything that was ever sent, and what it proves.
//!
//! The network is the worst one: a message that was sent can reach anyone at any later time, in
//! any order, or never. So the world is a growing pool, and an action of a validator reads from it
//! what suits the schedule. Byzantine validators sign every vote and acknowledgement that could
//! help anyone, silently: every threshold counts them all.

use chain::quorum::Quorums;
use chain::types::{ValidatorIndex, View};
use consensus::hybrid::select_tip::{Report, Selection, select_tip};

use super::blocks::{BlockId, Blocks, GENESIS, Kind, MAX_BLOCKS};
use super::invariants::Violation;
use super::rules::Rules;
use super::validator::{Period, Validator};

/// The size of a model.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub n: usize,
    /// Faults tolerated: `max_faulty`.
    pub f: usize,
    /// Validators 0 to `byzantine` - 1 are Byzantine; at most `f`.
    pub byzantine: usize,
    /// The leader of view 1; the others follow round robin.
    pub first_leader: usize,
    /// The highest view of an epoch.
    pub views: u64,
    /// The most blocks, genesis not counted.
    pub blocks: usize,
}

/// How many epochs there are: a barrier in the last one is like any block.
pub const EPOCHS: u64 = 2;

/// Votes for one block, as bit sets of honest validators.
#[derive(Clone, Copy, Debug, Default)]
struct Votes {
    prepare: u32,
    commit: u32,
}

/// What was sent about one view.
#[derive(Clone, Debug, Default)]
pub(super) struct ViewPool {
    /// Honest view changes to this view.
    pub(super) changes: Vec<Report>,
    /// Report sets that a leader chose.
    pub(super) new_views: Vec<Vec<Report>>,
    /// Acknowledged tips with bit sets of honest validators.
    acknowledged: Vec<(BlockId, u32)>,
}

/// A view that starts on a tip, by its certificate or as the first of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub period: Period,
    pub tip: BlockId,
    /// Not so in an epoch's first view, which needs none.
    pub by_certificate: bool,
}

#[derive(Clone, Debug)]
pub struct World {
    pub scope: Scope,
    pub rules: Rules,
    pub quorums: Quorums,
    pub blocks: Blocks,
    pub validators: Vec<Validator>,
    votes: Vec<Votes>,
    pools: Vec<ViewPool>,
    starts: Vec<Start>,
    /// Blocks with a final certificate of their own.
    finals: Vec<BlockId>,
    /// Blocks with a prepare certificate.
    certified: u64,
    pub(super) violation: Option<Violation>,
    /// Report sets that the rule refused.
    pub rejected: u64,
    /// What happened, in words, where someone wants to read it.
    pub log: Option<Vec<String>>,
}

impl World {
    /// # Panics
    /// Where the scope cannot be: too many faults, too many blocks.
    pub fn new(scope: Scope, rules: Rules, salt: u8) -> Self {
        let quorums = Quorums::new(scope.n, scope.f).expect("a scope that tolerates its faults");
        Self::with_quorums(scope, rules, quorums, salt)
    }

    /// The same with thresholds of its own.
    pub fn with_quorums(scope: Scope, rules: Rules, quorums: Quorums, salt: u8) -> Self {
        assert!(scope.byzantine <= scope.f && scope.blocks < MAX_BLOCKS && scope.n <= 32);
        let views = usize::try_from(scope.views * EPOCHS).expect("a few views");
        Self {
            scope,
            rules,
            quorums,
            blocks: Blocks::new(salt),
            validators: vec![Validator::new(); scope.n],
            votes: vec![Votes::default()],
            pools: vec![ViewPool::default(); views],
            starts: vec![Start { period: (1, 1), tip: GENESIS, by_certificate: false }],
            finals: Vec::new(),
            certified: 0,
            violation: None,
            rejected: 0,
            log: None,
        }
    }

    pub(super) fn note(&mut self, event: impl FnOnce() -> String) {
        if let Some(log) = &mut self.log {
            log.push(event());
        }
    }

    pub fn is_byzantine(&self, validator: usize) -> bool {
        validator < self.scope.byzantine
    }

    /// Honest validators.
    pub fn honest(&self) -> std::ops::Range<usize> {
        self.scope.byzantine..self.scope.n
    }

    /// Who leads a view of any epoch.
    pub fn leader(&self, view: u64) -> usize {
        let turn = usize::try_from(view.saturating_sub(1)).expect("a few views");
        (turn + self.scope.first_leader) % self.scope.n
    }

    /// What broke, if anything did.
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_ref()
    }

    pub fn starts(&self) -> &[Start] {
        &self.starts
    }

    pub fn finals(&self) -> &[BlockId] {
        &self.finals
    }

    /// Whether a prepare certificate for the block can be made of what was sent.
    pub fn is_certified(&self, block: BlockId) -> bool {
        self.certified & (1 << block) != 0
    }

    pub fn is_final(&self, block: BlockId) -> bool {
        self.finals.contains(&block)
    }

    /// The honest view changes that were sent to a view.
    pub fn reports(&self, period: Period) -> &[Report] {
        self.pool(period).map_or(&[], |pool| &pool.changes)
    }

    /// How many report sets the leader of a view sent out.
    pub fn new_views(&self, period: Period) -> usize {
        self.pool(period).map_or(0, |pool| pool.new_views.len())
    }

    pub(super) fn pool(&self, (epoch, view): Period) -> Option<&ViewPool> {
        self.pools.get(self.place((epoch, view))?)
    }

    pub(super) fn pool_mut(&mut self, period: Period) -> Option<&mut ViewPool> {
        let place = self.place(period)?;
        self.pools.get_mut(place)
    }

    fn place(&self, (epoch, view): Period) -> Option<usize> {
        let known = (1..=EPOCHS).contains(&epoch) && (1..=self.scope.views).contains(&view);
        known.then(|| usize::try_from((epoch - 1) * self.scope.views + view - 1).ok())?
    }

    /// Room for one more block.
    pub fn has_room(&self) -> bool {
        self.blocks.len() <= self.scope.blocks
    }

    /// Publishes a signed header. A seal stands above a barrier of its epoch, nothing else does, and
    /// no block stands above one of a later epoch.
    pub(super) fn publish(
        &mut self,
        parent: BlockId,
        period: Period,
        kind: Kind,
        valid: bool,
    ) -> BlockId {
        let block = self.blocks.len();
        self.note(|| format!("block {block} ({kind:?}) on {parent} in {period:?}"));
        let barrier = self.blocks.barrier_of(parent);
        let closed = barrier.is_some_and(|below| self.blocks.get(below).epoch() == period.0);
        let misplaced = match kind {
            Kind::Seal => !closed,
            _ => closed && period.0 < EPOCHS && self.rules.invalid_above_barriers,
        };
        let misplaced = misplaced || self.blocks.get(parent).epoch() > period.0;
        self.votes.push(Votes::default());
        self.blocks.push(parent, period, kind, valid && !misplaced)
    }

    /// Counts a prepare vote of an honest validator for a block and its ancestors in the view.
    pub(super) fn count_prepare(&mut self, validator: usize, block: BlockId) {
        let chain: Vec<BlockId> = self.blocks.chain_in_view(block).collect();
        for below in chain.into_iter().rev() {
            self.votes[below].prepare |= 1 << validator;
            let votes = self.signers(self.votes[below].prepare);
            if votes >= self.quorums.quorum && !self.is_certified(below) {
                self.certified |= 1 << below;
                self.check_certified(below);
            }
            if votes >= self.quorums.fast_quorum {
                self.record_final(below);
            }
        }
    }

    /// Counts a commit vote of an honest validator for a block and its ancestors in the view.
    pub(super) fn count_commit(&mut self, validator: usize, block: BlockId) {
        let chain: Vec<BlockId> = self.blocks.chain_in_view(block).collect();
        for below in chain.into_iter().rev() {
            self.votes[below].commit |= 1 << validator;
            if self.signers(self.votes[below].commit) >= self.quorums.quorum {
                self.record_final(below);
            }
        }
    }

    /// Counts an acknowledgement of an honest validator for a view's tip.
    pub(super) fn count_acknowledgement(&mut self, validator: usize, period: Period, tip: BlockId) {
        let byzantine = self.scope.byzantine;
        let quorum = self.quorums.quorum;
        let Some(pool) = self.pool_mut(period) else { return };
        let place = pool.acknowledged.iter().position(|(known, _)| *known == tip);
        let place = place.unwrap_or_else(|| {
            pool.acknowledged.push((tip, 0));
            pool.acknowledged.len() - 1
        });
        pool.acknowledged[place].1 |= 1 << validator;
        let signers = pool.acknowledged[place].1.count_ones() as usize + byzantine;
        if signers >= quorum {
            self.record_start(Start { period, tip, by_certificate: true });
        }
    }

    /// Honest signers, and every Byzantine one.
    fn signers(&self, honest: u32) -> usize {
        honest.count_ones() as usize + self.scope.byzantine
    }

    fn record_final(&mut self, block: BlockId) {
        if !self.is_final(block) {
            self.note(|| format!("block {block} is final"));
            self.finals.push(block);
            self.check_final(block);
        }
    }

    pub(super) fn record_start(&mut self, start: Start) {
        if !self.starts.contains(&start) {
            self.note(|| format!("{start:?}"));
            self.starts.push(start);
            self.check_start(start);
        }
    }

    /// The production rule on a set of reports, as a validator of an epoch opened by `opening`
    /// applies it.
    pub(super) fn select(&mut self, reports: &[Report], opening: BlockId) -> Option<BlockId> {
        let opening = self.blocks.reference(opening);
        let leader = |view: View| index(self.leader(view.get()));
        match select_tip(reports, opening, &self.quorums, leader, &self.blocks) {
            Ok(Selection { tip, .. }) => self.blocks.find(&tip.hash),
            Err(_) => {
                self.rejected += 1;
                None
            }
        }
    }
}

pub(super) fn index(validator: usize) -> ValidatorIndex {
    ValidatorIndex::new(u16::try_from(validator).expect("a small set"))
}
