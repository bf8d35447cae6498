//! Throughput and latency.

use super::canvas::{self, colour};
use super::chart::{Axis, Panel, Series, number};
use super::mean_of;
use crate::contender::Contender;
use crate::data::Data;
use crate::studies::cost::CONTENDERS;
use crate::studies::faults::Kind;
use crate::studies::load::{RATES, Row};

/// Room for names beside a chart.
const NAMES: i32 = 200;

/// What becomes final of what is asked for, and how late.
pub(super) fn load(data: &Data) -> anyhow::Result<String> {
    let of = |value: fn(&Row) -> f64| -> Vec<Series> {
        let point = |contender: Contender, rate: u32| {
            let counts = |row: &Row| row.contender == contender && row.rate == rate;
            (f64::from(rate), mean_of(&data.load, counts, value))
        };
        let one = |contender: Contender| Series {
            name: contender.label().to_owned(),
            colour: colour(contender),
            points: RATES.map(|rate| point(contender, rate)).into(),
            dots: true,
        };
        CONTENDERS.map(one).into()
    };
    let most = f64::from(RATES[RATES.len() - 1]);
    let ticks = [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| part * most);
    let asked = || Axis::linear("transactions per second asked for", 0.0, most, &ticks);
    let final_ = Panel {
        title: "transactions per second made final".into(),
        x: asked(),
        y: Axis::linear("", 0.0, most, &ticks),
        series: of(|row| row.throughput),
        names: NAMES,
    };
    let latency = of(|row| row.latency_p99_ms);
    let values = latency.iter().flat_map(|series| &series.points).map(|(_, value)| *value);
    let (low, high) =
        values.fold((f64::MAX, 1.0_f64), |(low, high), ms| (low.min(ms), high.max(ms)));
    let late = Panel {
        title: "99th percentile of latency, ms".into(),
        x: asked(),
        y: Axis::decades("", low.max(1.0), high),
        series: latency,
        names: NAMES,
    };
    canvas::draw(400, |area| {
        let areas = area.split_evenly((1, 2));
        final_.draw(&areas[0])?;
        late.draw(&areas[1])
    })
}

/// Percentiles: each tick is ten times as rare as the one before.
fn rarities() -> Axis {
    let ticks = [0.5, 0.9, 0.99, 0.999].map(rarity);
    let format =
        |place: f64| format!("{}", 100.0 - 100.0 * 10_f64.powf(-place)).chars().take(4).collect();
    Axis { format, ..Axis::linear("percentile", rarity(0.01), rarity(0.999), &ticks) }
}

fn rarity(share: f64) -> f64 {
    -(1.0 - share).log10()
}

/// How long transactions take in calm and in lossy weather.
pub(super) fn latency(data: &Data) -> anyhow::Result<String> {
    let panel = |title: &str, condition: (Kind, u32)| {
        let one = |contender: Contender| {
            let rows = data
                .latencies
                .iter()
                .filter(|row| row.contender == contender && (row.fault, row.strength) == condition);
            let points = rows.map(|row| (rarity(row.per_mille as f64 / 1e3), row.latency_ms));
            let (name, colour) = (contender.label().to_owned(), colour(contender));
            Series { name, colour, points: points.collect(), dots: false }
        };
        let y = Axis {
            format: number,
            ..Axis::log(
                "",
                2.0,
                1_000.0,
                &[2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0],
            )
        };
        let title = format!("latency in ms, {title}");
        Panel { title, x: rarities(), y, series: CONTENDERS.map(one).into(), names: NAMES }
    };
    let panels = [panel("calm", (Kind::Calm, 0)), panel("2 % of messages lost", (Kind::Loss, 2))];
    canvas::draw(420, |area| {
        let areas = area.split_evenly((1, 2));
        panels[0].draw(&areas[0])?;
        panels[1].draw(&areas[1])
    })
}
