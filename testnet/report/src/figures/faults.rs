//! What faults do.

use super::canvas::{self, Area, FAINT, INK, SHADE, SMALL, TEXT, colour};
use super::chart::{Axis, Panel, Series, percent};
use super::dots::{Dots, Row};
use super::heat::{Field, Heat};
use super::mean_of;
use super::ridge::Ridge;
use crate::contender::Contender;
use crate::data::Data;
use crate::studies::faults::{Condition, DELAYS, Kind, LOSSES, NAMED, PERIOD, Row as Run};
use crate::studies::partition::{SMALLER, VALIDATORS};

/// The faults whose course is shown.
const COURSES: [Condition; 6] = [
    (Kind::LeaderCrash, 0),
    (Kind::LeaderCutOff, 0),
    (Kind::SlowLeader, 0),
    (Kind::LyingLeader, 0),
    (Kind::Halves, 0),
    (Kind::Loss, 10),
];

fn is_of(contender: Contender, condition: Condition) -> impl Fn(&Run) -> bool {
    move |row| row.contender == contender && (row.fault, row.strength) == condition
}

/// Throughput before, while a fault lasts, and after, of everybody.
pub(super) fn timeline(data: &Data) -> anyhow::Result<String> {
    const NAMES: i32 = 170;
    const TOP: i32 = 96;
    const ROW: i32 = 178;
    let highest = data.fault_curves.iter().map(|step| step.throughput).fold(1.0, f64::max);
    canvas::draw(590, |area| {
        let (width, _) = area.dim_in_pixel();
        let cell = (width as i32 - NAMES - 16) / Contender::ALL.len() as i32;
        for (column, contender) in (0..).zip(Contender::ALL) {
            let style = canvas::centred(canvas::bold(TEXT, colour(contender)));
            let middle = NAMES + column * cell + cell / 2;
            canvas::write(area, contender.label(), &style, (middle, 40))?;
        }
        for (line, condition) in (0..).zip(COURSES) {
            let (kind, strength) = condition;
            let (top, bottom) = (TOP + line * ROW, TOP + line * ROW + ROW - 38);
            let style = canvas::right(canvas::letters(SMALL, INK));
            canvas::write(area, &kind.label(strength), &style, (NAMES - 16, (top + bottom) / 2))?;
            for (column, contender) in (0..).zip(Contender::ALL) {
                let left = NAMES + column * cell;
                let corners = [(left, top), (left + cell - 24, bottom)];
                course(area, data, contender, condition, corners, highest)?;
            }
        }
        Ok(())
    })
}

fn course(
    area: &Area<'_>,
    data: &Data,
    contender: Contender,
    condition: Condition,
    corners: [(i32, i32); 2],
    highest: f64,
) -> anyhow::Result<()> {
    let rows = data
        .fault_curves
        .iter()
        .filter(|step| step.contender == contender && (step.fault, step.strength) == condition);
    let steps: Vec<f64> = rows.map(|step| step.throughput).collect();
    let [(left, top), (right, bottom)] = corners;
    let third = (right - left) / 3;
    let during = [(left + third, top), (left + 2 * third, bottom)];
    canvas::rectangle(area, during, SHADE)?;
    Ridge { colour: colour(contender), steps, highest }.draw(area, corners)?;
    if is_broken(data, contender, condition) {
        let style = canvas::centred(canvas::bold(SMALL, canvas::ALARM));
        canvas::write(area, "forked", &style, ((left + right) / 2, (top + bottom) / 2))?;
    }
    Ok(())
}

/// Whether a run of this broke what clients were promised.
fn is_broken(data: &Data, contender: Contender, condition: Condition) -> bool {
    let of = is_of(contender, condition);
    data.faults.iter().any(|row| of(row) && (row.violations > 0 || row.lost_transactions > 0))
}

/// Who keeps how much under which fault.
pub(super) fn impact(data: &Data) -> anyhow::Result<String> {
    let field = |contender: Contender, condition: Condition| {
        let share = mean_of(&data.faults, is_of(contender, condition), |row| row.kept);
        let is_broken = is_broken(data, contender, condition);
        let text = if is_broken { "forks".into() } else { percent(share) };
        Field { share, text, is_broken }
    };
    let heat = Heat {
        title: "share of the throughput that is left while the fault lasts".into(),
        columns: NAMED.iter().map(|(kind, strength)| kind.label(*strength)).collect(),
        rows: Contender::ALL
            .map(|contender| {
                let fields = NAMED.map(|condition| field(contender, condition)).into();
                (contender.label().to_owned(), colour(contender), fields)
            })
            .into(),
    };
    canvas::draw(400, |area| heat.draw(area, 230))
}

/// Throughput in worse and worse networks.
pub(super) fn loss_and_delay(data: &Data) -> anyhow::Result<String> {
    let lines = |of: &dyn Fn(Contender) -> Vec<(f64, f64)>| -> Vec<Series> {
        let one = |contender: Contender| {
            let (name, colour) = (contender.label().to_owned(), colour(contender));
            Series { name, colour, points: of(contender), dots: true }
        };
        Contender::ALL.map(one).into()
    };
    let kept =
        |contender, condition| mean_of(&data.faults, is_of(contender, condition), |row| row.kept);
    let losses = lines(&|contender| {
        let calm = [(0.0, kept(contender, (Kind::Calm, 0)))];
        let lossy = LOSSES.map(|loss| (f64::from(loss), kept(contender, (Kind::Loss, loss))));
        calm.into_iter().chain(lossy).collect()
    });
    let rate = |contender, delay| {
        mean_of(&data.faults, is_of(contender, (Kind::Delay, delay)), |row| row.during)
    };
    let delays =
        lines(&|contender| DELAYS.map(|delay| (f64::from(delay), rate(contender, delay))).into());
    let values = delays.iter().flat_map(|series| &series.points).map(|(_, rate)| *rate);
    let (low, high) = values.fold((f64::MAX, 1.0_f64), |(l, h), rate| (l.min(rate), h.max(rate)));
    let ticks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0];
    let names = 200;
    let loss = Panel {
        title: "share of the throughput kept".into(),
        x: Axis::linear("percent of messages lost", 0.0, 30.0, &[0.0, 5.0, 10.0, 20.0, 30.0]),
        y: Axis { format: percent, ..Axis::linear("", 0.0, 1.1, &ticks) },
        series: losses,
        names,
    };
    let delay = Panel {
        title: "transactions per second".into(),
        x: Axis::log("one-way delay of links, ms", 5.0, 100.0, &DELAYS.map(f64::from)),
        y: Axis::decades("", low.max(1.0), high),
        series: delays,
        names,
    };
    canvas::draw(400, |area| {
        let areas = area.split_evenly((1, 2));
        loss.draw(&areas[0])?;
        delay.draw(&areas[1])
    })
}

/// How long it takes to go on.
pub(super) fn recovery(data: &Data) -> anyhow::Result<String> {
    let ticks = [5.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0];
    let panel = |title: &str, kind: Kind, value: fn(&Run) -> Option<f64>| {
        let row = |contender: Contender| {
            let of = is_of(contender, (kind, 0));
            let is_broken = is_broken(data, contender, (kind, 0));
            let runs = data.faults.iter().filter(|row| of(row) && !is_broken);
            let values: Vec<f64> = runs.filter_map(value).collect();
            let note = match is_broken {
                true => "forks".into(),
                false => format!("{:.0} ms", crate::statistics::mean(&values)),
            };
            Row { name: contender.label().to_owned(), colour: colour(contender), values, note }
        };
        Dots {
            title: title.to_owned(),
            axis: Axis::log("ms", 3.0, 2_100.0, &ticks),
            rows: Contender::ALL.map(row).into(),
            intervals: false,
        }
    };
    let silence: fn(&Run) -> Option<f64> = |row| Some(row.silence_ms);
    let panels = [
        panel("leader dies: longest silence", Kind::LeaderCrash, silence),
        panel("leader cut off: longest silence", Kind::LeaderCutOff, silence),
        panel("leader lies: longest silence", Kind::LyingLeader, silence),
        panel("two halves: from healing to finality", Kind::Halves, |row| row.resumed_ms),
    ];
    canvas::draw(700, |area| {
        for (area, panel) in area.split_evenly((2, 2)).iter().zip(&panels) {
            panel.draw(area)?;
        }
        Ok(())
    })
}

/// What is left in a split network.
pub(super) fn partition(data: &Data) -> anyhow::Result<String> {
    let fields = |contender: Contender| -> Vec<Field> {
        let field = |smaller: usize| {
            let counts = |row: &crate::studies::partition::Row| {
                row.contender == contender && row.smaller == smaller
            };
            let share = mean_of(&data.partition, counts, |row| row.kept);
            Field { share, text: percent(share), is_broken: false }
        };
        SMALLER.map(field).into()
    };
    let rows = Contender::ENGINES
        .map(|contender| (contender.label().to_owned(), colour(contender), fields(contender)));
    let column = |smaller: usize| match smaller {
        0 => "whole".to_owned(),
        _ => format!("{} + {smaller}", VALIDATORS - smaller),
    };
    let heat = Heat {
        title: "share of the throughput left of seven validators in two parts".into(),
        columns: SMALLER.map(column).into(),
        rows: rows.into(),
    };
    canvas::draw(320, |area| {
        heat.draw(area, 230)?;
        let note = format!("a second of it, {} s after the split", PERIOD.as_secs());
        let style = canvas::right(canvas::letters(SMALL, FAINT));
        let (width, _) = area.dim_in_pixel();
        canvas::write(area, &note, &style, (width as i32 - 24, 28))
    })
}
