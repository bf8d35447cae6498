//! Curves over time as filled shapes, one beside or below the other, all on one scale.

use plotters::prelude::*;

use super::canvas::{self, Area, wrong};

/// A curve of equal steps from nothing to `highest`.
#[derive(Clone, Debug)]
pub(super) struct Ridge {
    pub(super) colour: RGBColor,
    pub(super) steps: Vec<f64>,
    pub(super) highest: f64,
}

impl Ridge {
    /// Fills the box between two corners.
    pub(super) fn draw(
        &self,
        area: &Area<'_>,
        [(left, top), (right, bottom)]: [(i32, i32); 2],
    ) -> anyhow::Result<()> {
        let (width, height) = (f64::from(right - left), f64::from(bottom - top));
        let count = self.steps.len().max(1) as f64;
        let across = |place: usize| left + (place as f64 / count * width).round() as i32;
        let mut outline = Vec::new();
        for (place, value) in self.steps.iter().enumerate() {
            let up = bottom - (value / self.highest.max(1.0) * height).round() as i32;
            outline.extend([(across(place), up), (across(place + 1), up)]);
        }
        let mut shape = outline.clone();
        shape.extend([(right, bottom), (left, bottom)]);
        let fill = self.colour.mix(0.35).filled();
        area.draw(&Polygon::new(shape, fill)).map_err(wrong)?;
        canvas::line(area, outline, self.colour, 3)?;
        canvas::line(area, vec![(left, bottom), (right, bottom)], canvas::FAINT, 1)
    }
}
