//! Simulator and real processes by the same measure, and whether they order engines alike.

use serde::Serialize;

use crate::contender::Contender;
use crate::data::Data;
use crate::live::SCENARIOS;
use crate::statistics::mean;
use crate::studies::faults::Kind;
use crate::studies::share;

/// Where something was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    Simulated,
    Real,
}

/// What is compared: in calm weather the throughput as a share of the best, under a fault the share
/// of its own throughput that a contender keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cell {
    pub share: f64,
    /// Transactions per second while it lasts.
    pub throughput: f64,
    pub is_broken: bool,
}

/// A difference below this is none: two engines are equal.
pub const TIE: f64 = 0.1;

/// Those that were run in both worlds.
pub fn contenders(data: &Data) -> Vec<Contender> {
    let is_live =
        |contender: &Contender| data.live_runs.iter().any(|row| row.contender == *contender);
    Contender::ALL.into_iter().filter(is_live).collect()
}

/// Before, during, kept, and whether the chain forked, of every run.
fn runs(data: &Data, world: World, of: Contender, scenario: Kind) -> Vec<(f64, f64, f64, bool)> {
    match world {
        World::Simulated => {
            let rows = data.faults.iter();
            let rows = rows.filter(|row| row.contender == of && row.fault == scenario);
            rows.map(|row| {
                let is_broken = row.violations > 0 || row.lost_transactions > 0;
                (row.before, row.during, row.kept, is_broken)
            })
            .collect()
        }
        World::Real => {
            let rows = data.live_runs.iter();
            let rows = rows.filter(|row| row.contender == of && row.scenario == scenario);
            rows.map(|row| (row.before, row.during, row.kept, row.conflicts > 0)).collect()
        }
    }
}

fn throughput(data: &Data, world: World, of: Contender, scenario: Kind) -> f64 {
    let rates: Vec<f64> = runs(data, world, of, scenario).iter().map(|run| run.1).collect();
    mean(&rates)
}

/// One field of the comparison.
pub fn cell(data: &Data, world: World, of: Contender, scenario: Kind) -> Cell {
    let runs = runs(data, world, of, scenario);
    let throughput = throughput(data, world, of, scenario);
    let kept: Vec<f64> = runs.iter().map(|run| run.2).collect();
    let best = || {
        let rates = contenders(data).into_iter();
        let rates = rates.map(|other| self::throughput(data, world, other, Kind::Calm));
        rates.fold(0.0, f64::max)
    };
    let share = if scenario == Kind::Calm { share(throughput, best()) } else { mean(&kept) };
    Cell { share, throughput, is_broken: runs.iter().any(|run| run.3) }
}

/// How the two worlds order the contenders in one scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Order {
    pub scenario: String,
    /// Pairs of contenders.
    pub pairs: usize,
    /// Pairs that both worlds tell apart.
    pub told_apart: usize,
    /// Of those, the ones with the same order.
    pub same: usize,
    /// The others, in words.
    pub different: Vec<String>,
}

/// Compares the orders, scenario by scenario.
pub fn orders(data: &Data) -> Vec<Order> {
    SCENARIOS.map(|scenario| order(data, scenario)).into()
}

fn order(data: &Data, scenario: Kind) -> Order {
    let all = contenders(data);
    let mut order = Order { scenario: scenario.label(0), ..Order::default() };
    for (place, one) in all.iter().enumerate() {
        for other in &all[place + 1..] {
            let difference = |world| {
                let value = |of| match cell(data, world, of, scenario) {
                    // Whoever forks keeps nothing that is worth anything.
                    Cell { is_broken: true, .. } => 0.0,
                    Cell { share, .. } => share,
                };
                value(*one) - value(*other)
            };
            let (simulated, real) = (difference(World::Simulated), difference(World::Real));
            order.pairs += 1;
            if simulated.abs() < TIE || real.abs() < TIE {
                continue;
            }
            order.told_apart += 1;
            if simulated.signum() == real.signum() {
                order.same += 1;
            } else {
                order.different.push(format!("{} and {}", one.label(), other.label()));
            }
        }
    }
    order
}
