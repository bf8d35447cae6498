//! The weather schedule.

use serde::Serialize;

use crate::contender::Contender;
use crate::data::Data;
use crate::statistics::{Estimate, mean};
use crate::studies::weather::{Row, Schedule, windows};

#[derive(Clone, Debug, Serialize)]
pub(super) struct Weather {
    who: &'static str,
    throughput: Estimate,
    transactions: f64,
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    messages_per_transaction: f64,
    switches: f64,
    runs: usize,
    broken: usize,
}

pub(super) fn rows(data: &Data, schedule: Schedule) -> Vec<Weather> {
    let one = |contender: Contender| {
        let rows: Vec<_> = data
            .weather
            .iter()
            .filter(|row| row.contender == contender && row.schedule == schedule)
            .collect();
        let of = |value: fn(&Row) -> f64| rows.iter().map(|row| value(row)).collect::<Vec<_>>();
        Weather {
            who: contender.label(),
            throughput: Estimate::of(&of(|row| row.throughput)),
            transactions: mean(&of(|row| row.transactions as f64)),
            p50_ms: mean(&of(|row| row.latency_p50_ms)),
            p95_ms: mean(&of(|row| row.latency_p95_ms)),
            p99_ms: mean(&of(|row| row.latency_p99_ms)),
            messages_per_transaction: mean(&of(|row| row.messages_per_transaction)),
            switches: mean(&of(|row| row.mode_changes as f64)),
            runs: rows.len(),
            broken: rows.iter().filter(|row| row.broken_ms.is_some()).count(),
        }
    };
    Contender::ALL.map(one).into()
}

pub(super) fn phases(data: &Data) -> Vec<String> {
    let phases = windows(data.about.profile, Schedule::All).into_iter();
    phases
        .map(|(phase, window)| {
            format!("{} ({} s)", phase.kind.label(phase.strength), window.seconds())
        })
        .collect()
}
