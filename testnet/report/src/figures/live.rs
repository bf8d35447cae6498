//! Simulator and real processes, side by side.

use super::canvas::{self, colour};
use super::chart::percent;
use super::heat::{Field, Heat};
use crate::data::Data;
use crate::live::SCENARIOS;
use crate::page::compare::{self, World};

/// Who keeps how much in either world.
pub(super) fn live(data: &Data) -> anyhow::Result<String> {
    let heat = |title: &str, world: World| {
        let rows = compare::contenders(data).into_iter().map(|contender| {
            let field = |scenario| {
                let cell = compare::cell(data, world, contender, scenario);
                let text = if cell.is_broken { "forks".into() } else { percent(cell.share) };
                Field { share: cell.share, text, is_broken: cell.is_broken }
            };
            (contender.label().to_owned(), colour(contender), SCENARIOS.map(field).into())
        });
        Heat {
            title: title.to_owned(),
            columns: SCENARIOS.map(|scenario| scenario.label(0)).into(),
            rows: rows.collect(),
        }
    };
    let worlds = [heat("simulator", World::Simulated), heat("real processes", World::Real)];
    canvas::draw(360, |area| {
        let areas = area.split_evenly((1, 2));
        worlds[0].draw(&areas[0], 230)?;
        worlds[1].draw(&areas[1], 230)
    })
}
