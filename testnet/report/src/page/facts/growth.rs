//! What grows with the number of validators.

use serde::Serialize;

use super::mean_of;
use crate::contender::Contender;
use crate::data::Data;
use crate::studies::{cost, view_change};

const FROM: usize = 31;

const TO: usize = 100;

/// How something grows from 31 to 100 validators.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Growth {
    who: &'static str,
    messages: f64,
    checked: f64,
    busiest_bytes: f64,
    latency_ms: f64,
    /// Exponents: 1 is in proportion to the validators, 2 to their square.
    messages_exponent: f64,
    busiest_exponent: f64,
    /// Of replacing a dead leader; zeros where that is not measured.
    view_change_bytes: f64,
    view_change_exponent: f64,
    view_change_ms: f64,
}

/// The power of the number of validators that takes one value to the other.
fn exponent(small: f64, large: f64) -> f64 {
    if small > 0.0 && large > 0.0 {
        (large / small).ln() / (TO as f64 / FROM as f64).ln()
    } else {
        0.0
    }
}

pub(super) fn rows(data: &Data) -> Vec<Growth> {
    let growth = |contender: Contender| {
        let at = |validators: usize, value: fn(&cost::Row) -> f64| {
            let counts =
                |row: &&cost::Row| row.contender == contender && row.validators == validators;
            mean_of(&data.cost, counts, value)
        };
        let change = |validators: usize, value: fn(&view_change::Row) -> f64| {
            let counts = |row: &&view_change::Row| {
                row.contender == contender && row.validators == validators
            };
            mean_of(&data.view_change, counts, value)
        };
        let grown = |value: fn(&cost::Row) -> f64| exponent(at(FROM, value), at(TO, value));
        let bytes: fn(&view_change::Row) -> f64 = |row| row.bytes as f64;
        Growth {
            who: contender.label(),
            messages: at(TO, |row| row.messages),
            checked: at(TO, |row| row.checked),
            busiest_bytes: at(TO, |row| row.busiest_bytes),
            latency_ms: at(TO, |row| row.latency_p50_ms),
            messages_exponent: grown(|row| row.messages),
            busiest_exponent: grown(|row| row.busiest_bytes),
            view_change_bytes: change(TO, bytes),
            view_change_exponent: exponent(change(FROM, bytes), change(TO, bytes)),
            view_change_ms: change(TO, |row| row.took_ms.unwrap_or_default()),
        }
    };
    cost::CONTENDERS.map(growth).into()
}
