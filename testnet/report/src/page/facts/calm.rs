//! What calm weather is worth.

use serde::Serialize;

use super::cost::{Cost, cost};
use crate::contender::Contender;
use crate::data::Data;
use crate::studies::cost::{SIZES, predicted};
use crate::studies::share;

/// Adaptive against static pbft where nothing happens.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Calm {
    messages_ratio: f64,
    messages_ratio_predicted: f64,
    throughput_ratio: f64,
    largest: usize,
    messages_ratio_largest: f64,
    throughput_ratio_largest: f64,
}

impl Calm {
    pub(super) fn of(data: &Data) -> Self {
        let largest = SIZES[SIZES.len() - 1];
        let of = |contender, n| cost(data, contender, n);
        let ratio = |n: usize, value: fn(&Cost) -> f64, inverse: bool| {
            let (fast, pbft) =
                (value(&of(Contender::Hybrid, n)), value(&of(Contender::StaticPbft, n)));
            if inverse { share(pbft, fast) } else { share(fast, pbft) }
        };
        let small = SIZES[0];
        let predicted = |contender| predicted(contender, small as u64) as f64;
        Self {
            messages_ratio: ratio(small, |cost| cost.messages, true),
            messages_ratio_predicted: predicted(Contender::StaticPbft)
                / predicted(Contender::Hybrid),
            throughput_ratio: ratio(small, |cost| cost.throughput, false),
            largest,
            messages_ratio_largest: ratio(largest, |cost| cost.messages, true),
            throughput_ratio_largest: ratio(largest, |cost| cost.throughput, false),
        }
    }
}
