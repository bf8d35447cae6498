//! Changes of who votes.

use serde::Serialize;

use super::median;
use crate::data::Data;
use crate::studies::{cost, membership};

#[derive(Clone, Debug, Serialize)]
pub(super) struct Membership {
    who: &'static str,
    change: &'static str,
    took_ms: f64,
    silence_ms: f64,
    silence_before_ms: f64,
    kept: f64,
}

pub(super) fn rows(data: &Data) -> Vec<Membership> {
    let mut all = Vec::new();
    for contender in cost::CONTENDERS {
        for (change, name) in
            [(membership::Change::Leave, "one leaves"), (membership::Change::Join, "one joins")]
        {
            let rows: Vec<&membership::Row> = data
                .membership
                .iter()
                .filter(|row| row.contender == contender && row.change == change)
                .collect();
            let of = |value: fn(&membership::Row) -> f64| {
                median(rows.iter().map(|row| value(row)).collect())
            };
            all.push(Membership {
                who: contender.label(),
                change: name,
                took_ms: median(rows.iter().filter_map(|row| row.took_ms).collect()),
                silence_ms: of(|row| row.silence_ms),
                silence_before_ms: of(|row| row.silence_before_ms),
                kept: of(|row| row.kept),
            });
        }
    }
    all
}
