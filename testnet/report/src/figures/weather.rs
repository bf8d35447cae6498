//! The weather schedule.

use super::canvas::{self, FAINT, GRID, SHADE, SMALL, TEXT, colour};
use super::chart::{Axis, number};
use super::dots::{Dots, Row};
use super::heat::{Field, Heat};
use super::mean_of;
use super::ridge::Ridge;
use crate::contender::Contender;
use crate::data::Data;
use crate::studies::faults::Kind;
use crate::studies::weather::{PhaseRow, Row as Run, Schedule, windows};

const NAMES: i32 = 220;
const TOP: i32 = 90;

/// Throughput over the whole schedule, with a lying leader in it.
pub(super) fn weather(data: &Data) -> anyhow::Result<String> {
    let phases = windows(data.about.profile, Schedule::All);
    let end = phases.last().map_or(1.0, |(_, window)| window.to.as_secs_f64());
    let highest = data.weather_curves.iter().map(|step| step.throughput).fold(1.0, f64::max);
    canvas::draw(560, |area| {
        let (width, height) = area.dim_in_pixel();
        let (right, bottom) = (width as i32 - 24, height as i32 - 40);
        let across =
            |seconds: f64| NAMES + (seconds / end * f64::from(right - NAMES)).round() as i32;
        for (phase, window) in &phases {
            let ends = [window.from, window.to].map(|at| across(at.as_secs_f64()));
            if phase.kind != Kind::Calm {
                canvas::rectangle(area, [(ends[0], TOP - 20), (ends[1], bottom)], SHADE)?;
            }
            let style = canvas::centred(canvas::letters(SMALL, FAINT));
            let label = phase.kind.label(phase.strength);
            let middle = (ends[0] + ends[1]) / 2;
            match label.split_once(' ') {
                Some((first, rest)) => {
                    canvas::write(area, first, &style, (middle, 22))?;
                    canvas::write(area, rest, &style, (middle, 50))?;
                }
                None => canvas::write(area, &label, &style, (middle, 50))?,
            }
        }
        let row = (bottom - TOP) / Contender::ALL.len() as i32;
        for (place, contender) in (0..).zip(Contender::ALL) {
            let (top, low) = (TOP + place * row, TOP + place * row + row - 26);
            let style = canvas::right(canvas::bold(TEXT, colour(contender)));
            canvas::write(area, contender.label(), &style, (NAMES - 18, (top + low) / 2 + 12))?;
            let steps = data
                .weather_curves
                .iter()
                .filter(|step| step.contender == contender && step.schedule == Schedule::All);
            let steps: Vec<f64> = steps.map(|step| step.throughput).collect();
            let ridge = Ridge { colour: colour(contender), steps, highest };
            ridge.draw(area, [(NAMES, top), (right, low)])?;
            if let Some(broken) = first_fork(data, contender) {
                let style = canvas::bold(SMALL, canvas::ALARM);
                let at = (across(broken as f64 / 1e3) + 14, (top + low) / 2);
                canvas::write(area, "forked: the run ends", &style, at)?;
            }
        }
        for second in 0..=end as u32 {
            let at = across(f64::from(second));
            canvas::line(area, vec![(at, bottom), (at, bottom + 8)], GRID, 2)?;
            let style = canvas::centred(canvas::letters(SMALL, FAINT));
            canvas::write(area, &format!("{second} s"), &style, (at, bottom + 24))?;
        }
        Ok(())
    })
}

/// When most runs of a contender had broken a property, if any did.
fn first_fork(data: &Data, contender: Contender) -> Option<u64> {
    let runs = data
        .weather
        .iter()
        .filter(|row| row.contender == contender && row.schedule == Schedule::All);
    let mut broken: Vec<u64> = runs.filter_map(|row| row.broken_ms).collect();
    broken.sort_unstable();
    broken.get(broken.len() / 2).copied()
}

/// The area under the curves, and how sure it is.
pub(super) fn gain(data: &Data) -> anyhow::Result<String> {
    let panel = |title: &str, schedule: Schedule| {
        let row = |contender: Contender| {
            let runs: Vec<&Run> = data
                .weather
                .iter()
                .filter(|row| row.contender == contender && row.schedule == schedule)
                .collect();
            let broken = runs.iter().filter(|row| row.broken_ms.is_some()).count();
            let values: Vec<f64> = runs.iter().map(|row| row.throughput).collect();
            let note = match broken {
                0 => number(crate::statistics::mean(&values)),
                _ => format!("{broken}/{} fork", runs.len()),
            };
            Row { name: contender.label().to_owned(), colour: colour(contender), values, note }
        };
        let rows: Vec<Row> = Contender::ALL.map(row).into();
        let most = rows.iter().flat_map(|row| &row.values).copied().fold(1.0, f64::max);
        let axis = Axis::up_to("final transactions per second", most);
        Dots { title: title.to_owned(), axis, rows, intervals: true }
    };
    let panels =
        [panel("a leader lies", Schedule::All), panel("nobody lies", Schedule::NobodyLies)];
    canvas::draw(380, |area| {
        let areas = area.split_evenly((1, 2));
        panels[0].draw(&areas[0])?;
        panels[1].draw(&areas[1])
    })
}

/// Throughput in each phase, as a share of the best.
pub(super) fn phases(data: &Data) -> anyhow::Result<String> {
    let phases = windows(data.about.profile, Schedule::All);
    let rate = |contender: Contender, place: usize| {
        let counts = |row: &PhaseRow| {
            row.contender == contender && row.schedule == Schedule::All && row.place == place
        };
        mean_of(&data.weather_phases, counts, |row| row.throughput)
    };
    let best = |place: usize| {
        Contender::ALL.map(|contender| rate(contender, place)).into_iter().fold(1.0, f64::max)
    };
    let field = |contender: Contender, place: usize| {
        let rate = rate(contender, place);
        Field { share: rate / best(place), text: number(rate), is_broken: false }
    };
    let heat = Heat {
        title: "transactions per second in each phase".into(),
        columns: phases.iter().map(|(phase, _)| phase.kind.label(phase.strength)).collect(),
        rows: Contender::ALL
            .map(|contender| {
                let fields = (0..phases.len()).map(|place| field(contender, place)).collect();
                (contender.label().to_owned(), colour(contender), fields)
            })
            .into(),
    };
    canvas::draw(380, |area| heat.draw(area, 230))
}
