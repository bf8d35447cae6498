//! Throughput and latency against load.

use serde::Serialize;

use super::mean_of;
use crate::contender::Contender;
use crate::data::Data;
use crate::studies::{cost, load};

#[derive(Clone, Debug, Serialize)]
pub(super) struct Load {
    who: &'static str,
    /// The most that became final per second.
    most: f64,
    /// Latency at the lowest rate.
    p50_idle_ms: f64,
    p99_idle_ms: f64,
    /// The highest rate of which at least 95 % became final in time.
    sustained: u32,
}

pub(super) fn rows(data: &Data) -> Vec<Load> {
    let one = |contender: Contender| {
        let at = |rate: u32, value: fn(&load::Row) -> f64| {
            let counts = |row: &&load::Row| row.contender == contender && row.rate == rate;
            mean_of(&data.load, counts, value)
        };
        let finals = load::RATES.map(|rate| (rate, at(rate, |row| row.throughput)));
        let sustained = finals.iter().filter(|(rate, tps)| *tps >= 0.95 * f64::from(*rate));
        let idle = load::RATES[0];
        Load {
            who: contender.label(),
            most: finals.iter().map(|(_, tps)| *tps).fold(0.0, f64::max),
            p50_idle_ms: at(idle, |row| row.latency_p50_ms),
            p99_idle_ms: at(idle, |row| row.latency_p99_ms),
            sustained: sustained.map(|(rate, _)| *rate).max().unwrap_or_default(),
        }
    };
    cost::CONTENDERS.map(one).into()
}
