//! What the weather schedule says of adaptive switching, run by run: every seed is the same weather
//! for everybody, so differences are taken seed by seed.

use serde::Serialize;

use crate::contender::Contender;
use crate::data::Data;
use crate::statistics::Estimate;
use crate::studies::weather::{Schedule, windows};

/// Adaptive less another choice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Difference {
    pub other: &'static str,
    /// Transactions per second.
    pub difference: Estimate,
    /// The same as a share of what the other reaches.
    pub share: f64,
    /// Whether the other kept every promise in every run.
    pub is_safe: bool,
    /// `more`, `less` or `equal` where the interval holds zero.
    pub verdict: &'static str,
}

/// A phase in which another static choice of the hybrid is better.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Loss {
    pub phase: usize,
    pub weather: String,
    pub other: &'static str,
    pub adaptive: f64,
    pub better: f64,
}

fn runs(data: &Data, contender: Contender, schedule: Schedule) -> Vec<(u64, f64, bool)> {
    let rows = data.weather.iter();
    let rows = rows.filter(|row| row.contender == contender && row.schedule == schedule);
    let is_broken = |violations: usize, lost: u64| violations > 0 || lost > 0;
    rows.map(|row| (row.seed, row.throughput, is_broken(row.violations, row.lost_transactions)))
        .collect()
}

/// Adaptive against everybody else over a whole schedule.
pub(super) fn differences(data: &Data, schedule: Schedule) -> Vec<Difference> {
    let adaptive = runs(data, Contender::Hybrid, schedule);
    let others = Contender::ALL.into_iter().filter(|other| *other != Contender::Hybrid);
    others
        .map(|other| {
            let theirs = runs(data, other, schedule);
            let pairs = adaptive.iter().filter_map(|(seed, rate, _)| {
                let (_, their, _) = theirs.iter().find(|(other, ..)| other == seed)?;
                Some((*rate, *their))
            });
            let pairs: Vec<(f64, f64)> = pairs.collect();
            let gaps: Vec<f64> = pairs.iter().map(|(ours, theirs)| ours - theirs).collect();
            let theirs_mean =
                Estimate::of(&pairs.iter().map(|(_, theirs)| *theirs).collect::<Vec<_>>()).mean;
            let difference = Estimate::of(&gaps);
            Difference {
                other: other.label(),
                difference,
                share: if theirs_mean > 0.0 { difference.mean / theirs_mean } else { 0.0 },
                is_safe: theirs.iter().all(|(_, _, is_broken)| !is_broken),
                verdict: verdict(&difference),
            }
        })
        .collect()
}

fn verdict(difference: &Estimate) -> &'static str {
    match difference {
        Estimate { low, .. } if *low > 0.0 => "more",
        Estimate { high, .. } if *high < 0.0 => "less",
        _ => "equal",
    }
}

/// The phases in which one of the static choices is better, by more than chance explains.
pub(super) fn losses(data: &Data) -> Vec<Loss> {
    let mut losses = Vec::new();
    for (place, (phase, _)) in windows(data.about.profile, Schedule::All).iter().enumerate() {
        let rates = |contender: Contender| -> Vec<f64> {
            let rows = data.weather_phases.iter().filter(|row| {
                row.contender == contender && row.schedule == Schedule::All && row.place == place
            });
            rows.map(|row| row.throughput).collect()
        };
        let ours = rates(Contender::Hybrid);
        for other in [Contender::StaticFast, Contender::StaticPbft] {
            let theirs = rates(other);
            let gaps: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a - b).collect();
            if verdict(&Estimate::of(&gaps)) == "less" {
                losses.push(Loss {
                    phase: place + 1,
                    weather: phase.kind.label(phase.strength),
                    other: other.label(),
                    adaptive: Estimate::of(&ours).mean,
                    better: Estimate::of(&theirs).mean,
                });
            }
        }
    }
    losses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_no_verdict() {
        assert_eq!(verdict(&Estimate::of(&[5.0, 6.0, 7.0])), "more");
        assert_eq!(verdict(&Estimate::of(&[-5.0, -6.0, -7.0])), "less");
        assert_eq!(verdict(&Estimate::of(&[-5.0, 1.0, 5.0])), "equal");
    }
}
