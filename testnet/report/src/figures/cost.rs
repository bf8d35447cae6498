//! What blocks and view changes cost, by the number of validators.

use super::canvas::{self, Area, colour};
use super::chart::{Axis, Panel, Series};
use super::mean_of;
use crate::contender::Contender;
use crate::data::Data;
use crate::studies::cost::{self, CONTENDERS, LARGE, SIZES};
use crate::studies::view_change;

/// The sizes of networks, equal factors equally far apart.
fn sizes() -> Axis {
    let ticks: Vec<f64> = SIZES.into_iter().chain(LARGE).map(|n| n as f64).collect();
    Axis { format: |n| format!("{n:.0}"), ..Axis::log("validators", 4.0, 100.0, &ticks) }
}

fn by_size(
    value: impl Fn(Contender, usize) -> Option<f64>,
    contender: Contender,
) -> Vec<(f64, f64)> {
    let all = SIZES.into_iter().chain(LARGE);
    all.filter_map(|n| Some((n as f64, value(contender, n)?))).collect()
}

fn series(
    contenders: &[Contender],
    value: impl Fn(Contender, usize) -> Option<f64>,
) -> Vec<Series> {
    let one = |contender: &Contender| Series {
        name: contender.label().to_owned(),
        colour: colour(*contender),
        points: by_size(&value, *contender),
        dots: true,
    };
    contenders.iter().map(one).collect()
}

fn extent(series: &[Series]) -> (f64, f64) {
    let values = series.iter().flat_map(|series| &series.points).map(|(_, value)| *value);
    values.fold((f64::MAX, 1.0), |(low, high), value| (low.min(value), high.max(value)))
}

/// Room for names beside a chart.
const NAMES: i32 = 200;

fn log_panel(title: &str, series: Vec<Series>) -> Panel {
    let (low, high) = extent(&series);
    let y = Axis::decades("", low.max(1.0), high);
    Panel { title: title.to_owned(), x: sizes(), y, series, names: NAMES }
}

fn grid(area: &Area<'_>, panels: &[Panel], (down, across): (usize, usize)) -> anyhow::Result<()> {
    for (area, panel) in area.split_evenly((down, across)).iter().zip(panels) {
        panel.draw(area)?;
    }
    Ok(())
}

/// Messages, bytes and signatures of a block.
pub(super) fn cost(data: &Data) -> anyhow::Result<String> {
    let of = |value: fn(&cost::Row) -> f64| {
        series(&CONTENDERS, move |contender, n| {
            let counts = |row: &cost::Row| row.contender == contender && row.validators == n;
            Some(mean_of(&data.cost, counts, value)).filter(|mean| *mean > 0.0)
        })
    };
    let panels = [
        log_panel("messages per block", of(|row| row.messages)),
        log_panel("bytes per transaction", of(|row| row.bytes_per_transaction)),
        log_panel("signatures checked per block", of(|row| row.checked)),
        log_panel("bytes per block from the busiest validator", of(|row| row.busiest_bytes)),
    ];
    canvas::draw(720, |area| grid(area, &panels, (2, 2)))
}

/// How long a block takes.
pub(super) fn time(data: &Data) -> anyhow::Result<String> {
    let of = |value: fn(&cost::Row) -> f64| {
        series(&CONTENDERS, move |contender, n| {
            let counts = |row: &cost::Row| row.contender == contender && row.validators == n;
            Some(mean_of(&data.cost, counts, value)).filter(|mean| *mean > 0.0)
        })
    };
    let rounds = Panel {
        title: "network delays from proposal to finality".into(),
        x: sizes(),
        y: Axis::linear("", 0.0, 4.0, &[0.0, 1.0, 2.0, 3.0, 4.0]),
        series: of(|row| row.rounds),
        names: NAMES,
    };
    let latency = log_panel("median latency of a transaction, ms", of(|row| row.latency_p50_ms));
    canvas::draw(380, |area| grid(area, &[rounds, latency], (1, 2)))
}

/// What the death of a leader costs.
pub(super) fn view_change(data: &Data) -> anyhow::Result<String> {
    let of = |value: fn(&view_change::Row) -> f64| {
        series(&Contender::ENGINES, move |contender, n| {
            let counts = |row: &view_change::Row| row.contender == contender && row.validators == n;
            Some(mean_of(&data.view_change, counts, value)).filter(|mean| *mean > 0.0)
        })
    };
    let took = |row: &view_change::Row| row.took_ms.unwrap_or_default();
    let panels = [
        log_panel("bytes until the next leader's first block", of(|row| row.bytes as f64)),
        log_panel("milliseconds without a final transaction", of(took)),
    ];
    canvas::draw(380, |area| grid(area, &panels, (1, 2)))
}
