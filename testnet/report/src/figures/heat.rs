//! Heat maps: the less is left, the darker.

use plotters::prelude::*;

use super::canvas::{self, Area, FAINT, INK, SMALL, TEXT};

/// What one field says.
#[derive(Clone, Debug)]
pub(super) struct Field {
    /// From 0, nothing is left, to 1.
    pub(super) share: f64,
    pub(super) text: String,
    /// A promise was broken: worse than anything on the scale.
    pub(super) is_broken: bool,
}

/// A table whose fields are coloured.
#[derive(Clone, Debug)]
pub(super) struct Heat {
    pub(super) title: String,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<(String, RGBColor, Vec<Field>)>,
}

/// What 0, 1/4, 1/2, 3/4 and 1 look like.
const SCALE: [(u8, u8, u8); 5] = [
    (0x6b, 0x1a, 0x1a),
    (0xc4, 0x4e, 0x30),
    (0xf0, 0x9a, 0x59),
    (0xfb, 0xd9, 0xa6),
    (0xf4, 0xf6, 0xf2),
];

const BROKEN: RGBColor = RGBColor(0x17, 0x17, 0x1c);
const TOP: i32 = 130;
const GAP: i32 = 4;

impl Heat {
    /// Draws into an area, with so much room for the names of rows.
    pub(super) fn draw(&self, area: &Area<'_>, names: i32) -> anyhow::Result<()> {
        let (width, height) = area.dim_in_pixel();
        canvas::write(area, &self.title, &canvas::bold(TEXT, INK), (24, 28))?;
        let count = |many: usize| i32::try_from(many.max(1)).unwrap_or(i32::MAX);
        let across = (width as i32 - names - 24) / count(self.columns.len());
        let down = (height as i32 - TOP - 16) / count(self.rows.len());
        for (place, column) in (0..).zip(&self.columns) {
            let middle = names + place * across + across / 2;
            // A name of two words stands on two lines.
            let style = canvas::centred(canvas::letters(SMALL, FAINT));
            match column.split_once(' ') {
                Some((first, rest)) if across < 170 => {
                    canvas::write(area, first, &style, (middle, TOP - 50))?;
                    canvas::write(area, rest, &style, (middle, TOP - 22))?;
                }
                _ => canvas::write(area, column, &style, (middle, TOP - 22))?,
            }
        }
        for (line, (name, colour, fields)) in (0..).zip(&self.rows) {
            let top = TOP + line * down;
            let style = canvas::right(canvas::bold(TEXT, *colour));
            canvas::write(area, name, &style, (names - 20, top + down / 2))?;
            for (place, field) in (0..).zip(fields) {
                let left = names + place * across;
                let corners = [(left, top), (left + across - GAP, top + down - GAP)];
                canvas::rectangle(area, corners, field.colour())?;
                let style = canvas::centred(canvas::letters(TEXT, field.ink()));
                canvas::write(area, &field.text, &style, (left + across / 2, top + down / 2))?;
            }
        }
        Ok(())
    }
}

impl Field {
    fn colour(&self) -> RGBColor {
        if self.is_broken {
            return BROKEN;
        }
        let steps = SCALE.len() - 1;
        let place = self.share.clamp(0.0, 1.0) * steps as f64;
        let below = (place as usize).min(steps - 1);
        let (from, to, part) = (SCALE[below], SCALE[below + 1], place - below as f64);
        let mix = |from: u8, to: u8| {
            (f64::from(from) + (f64::from(to) - f64::from(from)) * part).round() as u8
        };
        RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
    }

    fn ink(&self) -> RGBColor {
        if self.is_broken || self.share < 0.4 { WHITE } else { INK }
    }
}
