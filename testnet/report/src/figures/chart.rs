//! Charts with an axis either way: lines with their names at their ends.

use std::ops::Range;

use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint};
use plotters::prelude::*;

use super::canvas::{self, Area, FAINT, GRID, INK, SMALL, TEXT, wrong};

/// One direction of a chart.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) name: String,
    pub(super) from: f64,
    pub(super) to: f64,
    /// Equal factors are equally far apart.
    pub(super) is_log: bool,
    pub(super) ticks: Vec<f64>,
    pub(super) format: fn(f64) -> String,
}

impl Axis {
    pub(super) fn linear(name: &str, from: f64, to: f64, ticks: &[f64]) -> Self {
        let (name, ticks) = (name.to_owned(), ticks.to_vec());
        Self { name, from, to, is_log: false, ticks, format: number }
    }

    pub(super) fn log(name: &str, from: f64, to: f64, ticks: &[f64]) -> Self {
        Self { is_log: true, ..Self::linear(name, from, to, ticks) }
    }

    /// From nothing to a little above the highest value, with a few round ticks.
    pub(super) fn up_to(name: &str, highest: f64) -> Self {
        let step = round_step(highest / 4.0);
        let count = (highest / step).ceil().max(1.0) as u32;
        let ticks: Vec<f64> = (0..=count).map(|tick| f64::from(tick) * step).collect();
        Self::linear(name, 0.0, f64::from(count) * step, &ticks)
    }

    /// Powers of ten around the values.
    pub(super) fn decades(name: &str, lowest: f64, highest: f64) -> Self {
        let (first, last) = (lowest.log10().floor() as i32, highest.log10().ceil() as i32);
        let ticks: Vec<f64> = (first..=last).map(|power| 10_f64.powi(power)).collect();
        Self::log(name, 10_f64.powi(first), 10_f64.powi(last), &ticks)
    }

    /// Where a value lies.
    fn place(&self, value: f64) -> f64 {
        if self.is_log { value.max(f64::MIN_POSITIVE).log10() } else { value }
    }

    /// How far along the axis a value lies: 0 at its begin, 1 at its end.
    pub(super) fn part(&self, value: f64) -> f64 {
        let (from, to) = (self.place(self.from), self.place(self.to));
        (self.place(value) - from) / (to - from)
    }
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (self.part(*value) * f64::from(to - from)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

/// 1, 2 or 5 times a power of ten.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1e-9).log10().floor());
    let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|digit| digit * power >= least * 0.999);
    digit.unwrap_or(10.0) * power
}

/// As short as it can be said.
pub(super) fn number(value: f64) -> String {
    let tidy = |value: f64, unit: &str| {
        let text = format!("{value:.1}");
        format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
    };
    match value.abs() {
        1e6.. => tidy(value / 1e6, "M"),
        1e3.. => tidy(value / 1e3, "k"),
        _ if value.fract().abs() < 1e-9 => format!("{value:.0}"),
        _ => tidy(value, ""),
    }
}

pub(super) fn percent(value: f64) -> String {
    format!("{:.0} %", value * 100.0)
}

/// A line with its name.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) colour: RGBColor,
    pub(super) points: Vec<(f64, f64)>,
    /// Whether a dot marks each point.
    pub(super) dots: bool,
}

/// A chart of lines.
#[derive(Clone, Debug)]
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) series: Vec<Series>,
    /// Room for names at the right.
    pub(super) names: i32,
}

/// Least distance between the names of two lines.
const NAME_HEIGHT: i32 = 27;

impl Panel {
    pub(super) fn draw(&self, area: &Area<'_>) -> anyhow::Result<()> {
        let (left, top) = area.get_base_pixel();
        let style = canvas::bold(TEXT, INK);
        canvas::write(area, &self.title, &style, (24, 28))?;
        let (x, y) = (&self.x, &self.y);
        let mut chart = ChartBuilder::on(area)
            .margin_top(62)
            .margin_right(self.names)
            .margin_bottom(12)
            .margin_left(8)
            .x_label_area_size(72)
            .y_label_area_size(86)
            .build_cartesian_2d(x.clone(), y.clone())
            .map_err(wrong)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(2))
            .axis_style(GRID.stroke_width(2))
            .x_labels(x.ticks.len())
            .y_labels(y.ticks.len())
            .x_label_formatter(&|value| (x.format)(*value))
            .y_label_formatter(&|value| (y.format)(*value))
            .x_label_style(canvas::letters(SMALL, FAINT))
            .y_label_style(canvas::letters(SMALL, FAINT))
            .x_desc(&x.name)
            .axis_desc_style(canvas::letters(SMALL, FAINT))
            .set_all_tick_mark_size(6)
            .draw()
            .map_err(wrong)?;
        let mut ends = Vec::new();
        for series in &self.series {
            let points = series.points.clone();
            let style = series.colour.stroke_width(5);
            chart.draw_series(LineSeries::new(points.clone(), style)).map_err(wrong)?;
            if series.dots {
                let dots = points.iter().map(|at| Circle::new(*at, 7, series.colour.filled()));
                chart.draw_series(dots).map_err(wrong)?;
            }
            if let Some(last) = points.last() {
                let (across, up) = chart.backend_coord(last);
                ends.push((up - top, across - left, series));
            }
        }
        self.draw_names(area, ends)
    }

    /// Names at the ends of the lines, pushed apart where they would overlap.
    fn draw_names(
        &self,
        area: &Area<'_>,
        mut ends: Vec<(i32, i32, &Series)>,
    ) -> anyhow::Result<()> {
        ends.sort_by_key(|(up, ..)| *up);
        let heights: Vec<i32> = ends.iter().map(|(up, ..)| *up).collect();
        let across = ends.iter().map(|(_, across, _)| *across).max().unwrap_or_default();
        for ((.., series), up) in ends.iter().zip(apart(&heights, NAME_HEIGHT)) {
            let style = canvas::bold(SMALL, series.colour);
            canvas::write(area, &series.name, &style, (across + 16, up))?;
        }
        Ok(())
    }
}

/// Ascending places, moved as little as it takes to be so far apart.
fn apart(wanted: &[i32], distance: i32) -> Vec<i32> {
    // Groups that touch, each around the mean of what its members want.
    let mut groups: Vec<(Vec<i32>, i32)> = Vec::new();
    for place in wanted {
        groups.push((vec![*place], *place));
        while let [.., (before, first), (members, next)] = groups.as_mut_slice() {
            let end = *first + distance * before.len() as i32;
            if *next >= end {
                break;
            }
            before.append(members);
            let offsets = (0..before.len() as i32).map(|place| place * distance);
            let sum: i32 = before.iter().zip(offsets).map(|(wanted, offset)| wanted - offset).sum();
            *first = sum / before.len() as i32;
            groups.pop();
        }
    }
    let spread = |(members, first): &(Vec<i32>, i32)| {
        let first = *first;
        (0..members.len() as i32).map(move |place| first + place * distance).collect::<Vec<_>>()
    };
    groups.iter().flat_map(spread).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_distance_and_their_order() {
        assert_eq!(apart(&[10, 100, 200], 20), [10, 100, 200]);
        assert_eq!(apart(&[100, 100], 20), [90, 110]);
        let places = apart(&[0, 50, 55, 60, 65, 300], 20);
        assert!(places.windows(2).all(|pair| pair[1] - pair[0] >= 20), "{places:?}");
        assert_eq!(places[5], 300);
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 2.5, 950.0, 1_000.0, 12_500.0, 2_000_000.0].map(number);
        assert_eq!(shown, ["0", "2.5", "950", "1k", "12.5k", "2M"]);
    }

    #[test]
    fn axes_end_at_round_numbers_above_the_values() {
        let axis = Axis::up_to("", 8_700.0);
        assert_eq!((axis.to, axis.ticks.len()), (10_000.0, 3));
        let axis = Axis::decades("", 12.0, 4_500.0);
        assert_eq!(axis.ticks, [10.0, 100.0, 1_000.0, 10_000.0]);
    }
}
