//! A split network.

use serde::Serialize;

use super::median;
use crate::contender::Contender;
use crate::data::Data;
use crate::statistics::mean;
use crate::studies::partition;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Partition {
    who: &'static str,
    smaller: usize,
    larger: usize,
    kept: f64,
    larger_blocks: f64,
    smaller_blocks: f64,
    resumed_ms: f64,
}

pub(super) fn rows(data: &Data) -> Vec<Partition> {
    let mut all = Vec::new();
    for contender in Contender::ENGINES {
        for smaller in partition::SMALLER {
            let rows: Vec<&partition::Row> = data
                .partition
                .iter()
                .filter(|row| row.contender == contender && row.smaller == smaller)
                .collect();
            let of = |value: fn(&partition::Row) -> f64| {
                mean(&rows.iter().map(|row| value(row)).collect::<Vec<_>>())
            };
            all.push(Partition {
                who: contender.label(),
                smaller,
                larger: partition::VALIDATORS - smaller,
                kept: of(|row| row.kept),
                larger_blocks: of(|row| row.larger_blocks),
                smaller_blocks: of(|row| row.smaller_blocks),
                resumed_ms: median(rows.iter().filter_map(|row| row.resumed_ms).collect()),
            });
        }
    }
    all
}
