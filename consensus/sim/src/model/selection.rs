//! One application of `select_tip`, every case of a bounded scope.
//!
//! A view `u` starts on a certified tip. Its leader signs a tree of blocks: any tree if it is
//! Byzantine, a chain if it is honest. Every honest validator votes for a place in the tree or for
//! nothing. Any certificate that these votes allow may be the highest one reported. Any set of
//! enough senders reports, the Byzantine ones whatever they like. Then every block that can be
//! final (or ordered) must lie under the tip, whatever else is true.
//!
//! Votes count for all ancestors in the view, which allows more certificates than votes on one and
//! the same block do. All `f` faulty validators vote for everything.

use std::iter::repeat_n;
use std::ops::ControlFlow;

use chain::quorum::Quorums;
use chain::types::ValidatorIndex;
use consensus::hybrid::select_tip::{Anchor, Report, Voted, select_tip};
use consensus::tree::BlockRef;

use super::blocks::{BlockId, Blocks, GENESIS, Kind};
use super::enumerate::{chain, draws, trees};
use super::mutants::Mutant;

/// What must hold of the tip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// `f` validators are Byzantine: the tip extends every block that can be final.
    Final,
    /// Nobody lies: the tip extends every block with a prepare certificate, whoever is away.
    Ordered,
    /// `f` validators are Byzantine: an honest validator voted for the tip.
    Voted,
}

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub struct Scope {
    pub n: usize,
    pub f: usize,
    /// Blocks of the view.
    pub blocks: usize,
    pub property: Property,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Applications of the rule in which there was something to lose.
    pub cases: u64,
    /// Of these, sets that the rule refused.
    pub rejected: u64,
    /// The first case that breaks the property; the search ends there.
    pub broken: Option<String>,
}

/// View 2 of epoch 1 is the one voted in; it starts on a block of view 1.
const VIEW: u64 = 2;
/// The tip of the view's certificate.
const START: BlockId = 1;

/// How the highest certificate reaches the leader: as someone's `high_qc`, or only as the anchors
/// of the votes above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    HighQc,
    Anchors,
}

/// Searches the whole scope with the real rule, or with a mutant of it.
///
/// # Panics
/// Where `n` validators cannot tolerate `f`.
pub fn search(scope: Scope, mutant: Option<Mutant>) -> Outcome {
    let real = Quorums::new(scope.n, scope.f).expect("a scope that tolerates its faults");
    let liars = if scope.property == Property::Ordered { 0 } else { scope.f };
    let mut outcome = Outcome::default();
    let shapes = if liars == 0 { vec![chain(scope.blocks)] } else { trees(scope.blocks) };
    for shape in shapes {
        let mut blocks = Blocks::new(0);
        blocks.push(GENESIS, (1, 1), Kind::Plain, true);
        for parent in &shape {
            blocks.push(START + parent, (1, VIEW), Kind::Plain, true);
        }
        let forged = blocks.push(GENESIS, (1, VIEW + 1), Kind::Plain, true);
        let mut search = Search {
            scope,
            mutant,
            quorums: mutant.map_or(real, |mutant| mutant.quorums(real)),
            liars,
            voted: (START + 1..=START + scope.blocks).collect(),
            forged,
            blocks,
            reports: Vec::with_capacity(scope.n),
            outcome: &mut outcome,
        };
        if search.votes().is_break() {
            break;
        }
    }
    outcome
}

struct Search<'a> {
    scope: Scope,
    mutant: Option<Mutant>,
    quorums: Quorums,
    liars: usize,
    blocks: Blocks,
    /// The blocks of the view.
    voted: Vec<BlockId>,
    /// A header of a later view that never got a certificate.
    forged: BlockId,
    reports: Vec<Report>,
    outcome: &'a mut Outcome,
}

/// What one split of the honest votes allows.
struct Allowed {
    /// Honest votes by block: for none, then for each of the view's blocks.
    split: Vec<usize>,
    /// Blocks that can have a fast certificate.
    fast: Vec<BlockId>,
    /// Blocks that can have a prepare certificate.
    certified: Vec<BlockId>,
}

impl Search<'_> {
    fn votes(&mut self) -> ControlFlow<()> {
        let honest = self.scope.n - self.liars;
        let bounds = vec![honest; self.voted.len() + 1];
        draws(&bounds, honest..=honest, &mut |split| {
            let reached = |quorum: usize| -> Vec<BlockId> {
                let votes = |block: BlockId| self.honest_votes(split, block) + self.liars;
                self.voted.iter().copied().filter(|block| votes(*block) >= quorum).collect()
            };
            let allowed = Allowed {
                split: split.to_vec(),
                fast: reached(self.quorums.fast_quorum),
                certified: reached(self.quorums.quorum),
            };
            let nothing_to_lose = allowed.fast.is_empty() && allowed.certified.is_empty();
            if nothing_to_lose && self.scope.property != Property::Voted {
                return ControlFlow::Continue(());
            }
            self.certificates(&allowed)
        })
    }

    /// Honest votes for a block or its descendants.
    fn honest_votes(&self, split: &[usize], block: BlockId) -> usize {
        let votes = self.voted.iter().zip(&split[1..]);
        votes.filter(|(vote, _)| self.blocks.descends(**vote, block)).map(|(_, n)| n).sum()
    }

    fn certificates(&mut self, allowed: &Allowed) -> ControlFlow<()> {
        self.senders(allowed, None)?;
        for highest in &allowed.certified {
            self.senders(allowed, Some((*highest, Carrier::HighQc)))?;
            self.senders(allowed, Some((*highest, Carrier::Anchors)))?;
        }
        ControlFlow::Continue(())
    }

    fn senders(
        &mut self,
        allowed: &Allowed,
        highest: Option<(BlockId, Carrier)>,
    ) -> ControlFlow<()> {
        let honest = self.scope.n - self.liars;
        let enough = self.quorums.view_change_quorum;
        draws(&allowed.split, enough.saturating_sub(self.liars)..=honest, &mut |drawn| {
            let senders: usize = drawn.iter().sum();
            let must_survive = self.must_survive(allowed, highest, honest - senders);
            if must_survive.is_empty() && self.scope.property != Property::Voted {
                return ControlFlow::Continue(());
            }
            for liars in enough.saturating_sub(senders)..=self.liars {
                self.lies(allowed, highest, drawn, liars, &must_survive)?;
            }
            ControlFlow::Continue(())
        })
    }

    /// The blocks that the tip must extend, with `away` honest validators not among the senders.
    fn must_survive(
        &self,
        allowed: &Allowed,
        highest: Option<(BlockId, Carrier)>,
        away: usize,
    ) -> Vec<BlockId> {
        let height = |block: BlockId| self.blocks.get(block).position.height;
        match self.scope.property {
            Property::Ordered => allowed.certified.clone(),
            Property::Voted => Vec::new(),
            Property::Final => {
                // A commit vote comes from a holder of the prepare certificate. Where one is among
                // the senders, no lower certificate can be the highest.
                let committers = self.quorums.quorum.saturating_sub(self.scope.f);
                let committed = allowed.certified.iter().filter(|block| {
                    committers <= away
                        || highest.is_some_and(|(highest, _)| height(highest) >= height(**block))
                });
                allowed.fast.iter().chain(committed).copied().collect()
            }
        }
    }

    /// Every report of `liars` Byzantine senders, the view's leader among them or not.
    fn lies(
        &mut self,
        allowed: &Allowed,
        highest: Option<(BlockId, Carrier)>,
        drawn: &[usize],
        liars: usize,
        must_survive: &[BlockId],
    ) -> ControlFlow<()> {
        let mut choices: Vec<Option<BlockId>> = vec![None];
        choices.extend(self.voted.iter().copied().map(Some));
        if self.mutant == Some(Mutant::UnanchoredVote) {
            choices.push(Some(self.forged));
        }
        let leader_reports: &[bool] = match liars {
            0 => &[false],
            all if all == self.liars => &[true],
            _ => &[false, true],
        };
        // The honest senders have the highest numbers, and their reports stay for all lies.
        self.reports.clear();
        let honest = drawn.iter().zip(&choices).flat_map(|(n, vote)| repeat_n(*vote, *n));
        for (sender, vote) in (self.liars..).zip(honest) {
            let report = self.report(sender, vote, highest);
            self.reports.push(report);
        }
        let honest = self.reports.len();
        for with_leader in leader_reports {
            draws(&vec![liars; choices.len()], liars..=liars, &mut |lies| {
                self.reports.truncate(honest);
                let lying = lies.iter().zip(&choices).flat_map(|(n, vote)| repeat_n(*vote, *n));
                for (sender, vote) in (usize::from(!with_leader)..).zip(lying) {
                    let report = self.report(sender, vote, highest);
                    self.reports.push(report);
                }
                self.apply(allowed, highest, must_survive)
            })?;
        }
        ControlFlow::Continue(())
    }

    fn report(
        &self,
        sender: usize,
        vote: Option<BlockId>,
        highest: Option<(BlockId, Carrier)>,
    ) -> Report {
        let reference = |block: BlockId| self.blocks.reference(block);
        let anchor = |vote: BlockId| match highest {
            _ if vote == self.forged => Anchor::ViewStart(reference(GENESIS)),
            Some((highest, Carrier::Anchors)) if self.blocks.descends(vote, highest) => {
                Anchor::Certified(reference(highest))
            }
            _ => Anchor::ViewStart(reference(START)),
        };
        Report {
            sender: index(sender),
            high_qc: highest
                .filter(|(_, carrier)| *carrier == Carrier::HighQc)
                .map(|(highest, _)| reference(highest)),
            last_vote: vote.map(|vote| Voted { block: reference(vote), anchor: anchor(vote) }),
        }
    }

    fn apply(
        &mut self,
        allowed: &Allowed,
        highest: Option<(BlockId, Carrier)>,
        must_survive: &[BlockId],
    ) -> ControlFlow<()> {
        if let Some((highest, Carrier::Anchors)) = highest
            && !self.is_anchored(highest)
        {
            // The same as no certificate at all, which has its own turn.
            return ControlFlow::Continue(());
        }
        // The leader of the view is the first Byzantine validator; a mutant does not know it.
        let leader = if self.mutant == Some(Mutant::KeepEquivocator) { self.scope.n } else { 0 };
        self.outcome.cases += 1;
        let opening = self.blocks.reference(GENESIS);
        let selected =
            select_tip(&self.reports, opening, &self.quorums, |_| index(leader), &self.blocks);
        let Ok(selection) = selected else {
            self.outcome.rejected += 1;
            return ControlFlow::Continue(());
        };
        match self.objection(allowed, must_survive, selection.tip) {
            None => ControlFlow::Continue(()),
            Some(objection) => {
                let tree: Vec<Option<BlockId>> =
                    self.voted.iter().map(|block| self.blocks.get(*block).parent).collect();
                self.outcome.broken = Some(format!(
                    "{objection}; parents from block {}: {tree:?}, honest votes for none and each: \
                     {:?}, highest certificate: {highest:?}, reports: {:?}",
                    START + 1,
                    allowed.split,
                    self.reports
                ));
                ControlFlow::Break(())
            }
        }
    }

    fn is_anchored(&self, highest: BlockId) -> bool {
        let highest = Anchor::Certified(self.blocks.reference(highest));
        self.reports
            .iter()
            .filter_map(|report| report.last_vote.as_ref())
            .any(|vote| vote.anchor == highest)
    }

    fn objection(
        &self,
        allowed: &Allowed,
        must_survive: &[BlockId],
        tip: BlockRef,
    ) -> Option<String> {
        let tip = self.blocks.find(&tip.hash)?;
        if self.scope.property == Property::Voted {
            let unvoted = self.voted.contains(&tip) && self.honest_votes(&allowed.split, tip) == 0;
            return unvoted.then(|| format!("no honest validator voted for tip {tip}"));
        }
        let lost = must_survive.iter().find(|block| !self.blocks.descends(tip, **block))?;
        Some(format!("block {lost} is lost, the tip is {tip}"))
    }
}

fn index(validator: usize) -> ValidatorIndex {
    ValidatorIndex::new(u16::try_from(validator).expect("a small set"))
}
