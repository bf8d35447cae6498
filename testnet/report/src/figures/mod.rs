//! The figures, each from the data alone.

mod canvas;
mod chart;
mod cost;
mod dots;
mod faults;
mod heat;
mod live;
mod load;
mod ridge;
mod weather;

use std::path::Path;

use anyhow::Context;

pub use canvas::png;

use crate::data::Data;

/// A figure's name, which is that of its files, and how it is drawn.
pub type Figure = (&'static str, fn(&Data) -> anyhow::Result<String>);

/// Every figure of the page.
pub const ALL: [Figure; 14] = [
    ("cost", cost::cost),
    ("time", cost::time),
    ("load", load::load),
    ("latency", load::latency),
    ("timeline", faults::timeline),
    ("impact", faults::impact),
    ("loss-delay", faults::loss_and_delay),
    ("recovery", faults::recovery),
    ("partition", faults::partition),
    ("view-change", cost::view_change),
    ("weather", weather::weather),
    ("gain", weather::gain),
    ("phases", weather::phases),
    ("live", live::live),
];

/// Draws all figures into a folder, as SVG and as PNG.
///
/// # Errors
/// Where something is missing in the data, or a file cannot be written.
pub fn write(data: &Data, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, draw) in ALL {
        let svg = draw(data).with_context(|| format!("figure {name}"))?;
        let path = folder.join(name);
        std::fs::write(path.with_extension("png"), png(&svg)?)?;
        std::fs::write(path.with_extension("svg"), svg)?;
    }
    Ok(())
}

/// The mean of a value over the rows that count.
fn mean_of<R>(rows: &[R], counts: impl Fn(&R) -> bool, value: impl Fn(&R) -> f64) -> f64 {
    let values: Vec<f64> = rows.iter().filter(|row| counts(row)).map(value).collect();
    crate::statistics::mean(&values)
}
