//! Values in rows: a faint dot per run, a strong one for the mean, a bar for how sure it is.

use plotters::prelude::*;

use super::canvas::{self, Area, FAINT, GRID, INK, SMALL, TEXT, wrong};
use super::chart::Axis;
use crate::statistics::Estimate;

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) colour: RGBColor,
    pub(super) values: Vec<f64>,
    /// Stands behind the row.
    pub(super) note: String,
}

/// Rows over one axis.
#[derive(Clone, Debug)]
pub(super) struct Dots {
    pub(super) title: String,
    pub(super) axis: Axis,
    pub(super) rows: Vec<Row>,
    /// Whether to show the interval of the mean, and not every run.
    pub(super) intervals: bool,
}

const NAMES: i32 = 210;
const NOTES: i32 = 150;
const TOP: i32 = 66;
const BOTTOM: i32 = 82;

impl Dots {
    pub(super) fn draw(&self, area: &Area<'_>) -> anyhow::Result<()> {
        let (width, height) = area.dim_in_pixel();
        let (right, bottom) = (width as i32 - NOTES, height as i32 - BOTTOM);
        canvas::write(area, &self.title, &canvas::bold(TEXT, INK), (24, 28))?;
        let across = |value: f64| {
            let part = self.axis.part(value).clamp(0.0, 1.0);
            NAMES + (part * f64::from(right - NAMES)).round() as i32
        };
        let style = canvas::centred(canvas::letters(SMALL, FAINT));
        for tick in &self.axis.ticks {
            let at = across(*tick);
            canvas::line(area, vec![(at, TOP), (at, bottom)], GRID, 2)?;
            canvas::write(area, &(self.axis.format)(*tick), &style, (at, bottom + 22))?;
        }
        canvas::write(area, &self.axis.name, &style, ((NAMES + right) / 2, bottom + 56))?;
        let step = (bottom - TOP) / i32::try_from(self.rows.len().max(1))?;
        for (place, row) in (0..).zip(&self.rows) {
            let middle = TOP + place * step + step / 2;
            let style = canvas::right(canvas::bold(SMALL, row.colour));
            canvas::write(area, &row.name, &style, (NAMES - 18, middle))?;
            let style = canvas::letters(SMALL, INK);
            canvas::write(area, &row.note, &style, (right + 14, middle))?;
            if row.values.is_empty() {
                continue;
            }
            let estimate = Estimate::of(&row.values);
            if self.intervals {
                let ends = [estimate.low, estimate.high].map(across);
                canvas::line(area, vec![(ends[0], middle), (ends[1], middle)], row.colour, 6)?;
            } else {
                let faint = row.colour.mix(0.35).filled();
                for value in &row.values {
                    let dot = Circle::new((across(*value), middle), 7, faint);
                    area.draw(&dot).map_err(wrong)?;
                }
            }
            let dot = Circle::new((across(estimate.mean), middle), 10, row.colour.filled());
            area.draw(&dot).map_err(wrong)?;
        }
        Ok(())
    }
}
