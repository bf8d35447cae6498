//! One fault at a time.

use serde::Serialize;

use super::median;
use crate::contender::Contender;
use crate::data::Data;
use crate::statistics::mean;
use crate::studies::faults::{self, NAMED};

#[derive(Clone, Debug, Serialize)]
pub(super) struct Fault {
    who: &'static str,
    kept: Vec<String>,
    crash_silence_ms: f64,
    cut_off_silence_ms: f64,
    lying_silence_ms: f64,
    halves_resumed_ms: f64,
    loss_10_kept: f64,
    loss_30_kept: f64,
    delay_100: f64,
    lying_broken: usize,
    runs: usize,
}

impl Fault {
    pub(super) fn of(data: &Data, contender: Contender) -> Self {
        let rows = |kind: faults::Kind, strength: u32| {
            data.faults.iter().filter(move |row| {
                row.contender == contender && (row.fault, row.strength) == (kind, strength)
            })
        };
        let kept =
            |kind, strength| mean(&rows(kind, strength).map(|row| row.kept).collect::<Vec<_>>());
        let is_broken = |row: &&faults::Row| row.violations > 0 || row.lost_transactions > 0;
        let shown = |(kind, strength): faults::Condition| match rows(kind, strength)
            .filter(is_broken)
            .count()
        {
            0 => format!("{:.0} %", kept(kind, strength) * 100.0),
            broken => format!("forks in {broken} of {}", rows(kind, strength).count()),
        };
        let silence = |kind| median(rows(kind, 0).map(|row| row.silence_ms).collect());
        Self {
            who: contender.label(),
            kept: NAMED.map(shown).into(),
            crash_silence_ms: silence(faults::Kind::LeaderCrash),
            cut_off_silence_ms: silence(faults::Kind::LeaderCutOff),
            lying_silence_ms: silence(faults::Kind::LyingLeader),
            halves_resumed_ms: median(
                rows(faults::Kind::Halves, 0).filter_map(|row| row.resumed_ms).collect(),
            ),
            loss_10_kept: kept(faults::Kind::Loss, 10),
            loss_30_kept: kept(faults::Kind::Loss, 30),
            delay_100: mean(
                &rows(faults::Kind::Delay, 100).map(|row| row.during).collect::<Vec<_>>(),
            ),
            lying_broken: rows(faults::Kind::LyingLeader, 0).filter(is_broken).count(),
            runs: rows(faults::Kind::LyingLeader, 0).count(),
        }
    }
}
