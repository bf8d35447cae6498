//! What a block costs.

use serde::Serialize;

use super::mean_of;
use crate::contender::Contender;
use crate::data::Data;
use crate::studies::cost;

#[derive(Clone, Debug, Serialize)]
pub(super) struct Cost {
    validators: usize,
    who: &'static str,
    rounds: f64,
    latency_ms: f64,
    latency_delays: f64,
    pub(super) messages: f64,
    messages_predicted: u64,
    bytes_per_transaction: f64,
    signed: f64,
    checked: f64,
    pub(super) throughput: f64,
}

pub(super) fn rows(data: &Data) -> Vec<Cost> {
    let mut costs = Vec::new();
    for validators in cost::SIZES {
        for contender in cost::CONTENDERS {
            costs.push(cost(data, contender, validators));
        }
    }
    costs
}

pub(super) fn cost(data: &Data, contender: Contender, validators: usize) -> Cost {
    let of = |value: fn(&cost::Row) -> f64| {
        let counts = |row: &&cost::Row| row.contender == contender && row.validators == validators;
        mean_of(&data.cost, counts, value)
    };
    Cost {
        validators,
        who: contender.label(),
        rounds: of(|row| row.rounds),
        latency_ms: of(|row| row.latency_p50_ms),
        latency_delays: of(|row| row.latency_p50_delays),
        messages: of(|row| row.messages),
        messages_predicted: cost::predicted(contender, validators as u64),
        bytes_per_transaction: of(|row| row.bytes_per_transaction),
        signed: of(|row| row.signed),
        checked: of(|row| row.checked),
        throughput: of(|row| row.throughput),
    }
}
