//! Paper, ink and letters: what every figure is drawn on and with.

use std::sync::{Arc, Once};

use anyhow::{Context, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use resvg::{tiny_skia, usvg};

use crate::contender::Contender;

/// The font of all letters. It comes with the program, so that a figure is the same everywhere.
const FAMILY: &str = "Noto Sans";
/// What a browser takes where it does not have that one.
const FALLBACKS: &str = "Noto Sans, Helvetica, Arial, sans-serif";

/// Figures are drawn twice as large as they are shown: coordinates are whole numbers.
const SCALE: u32 = 2;
/// Width of every figure as it is shown.
const WIDTH: u32 = 960;

/// Sizes of letters.
pub(super) const TEXT: f64 = 25.0;
pub(super) const SMALL: f64 = 22.0;

pub(super) const INK: RGBColor = RGBColor(0x22, 0x2b, 0x36);
pub(super) const FAINT: RGBColor = RGBColor(0x6b, 0x76, 0x85);
pub(super) const GRID: RGBColor = RGBColor(0xe3, 0xe7, 0xec);
pub(super) const SHADE: RGBColor = RGBColor(0xf1, 0xf3, 0xf6);
pub(super) const ALARM: RGBColor = RGBColor(0xb9, 0x1c, 0x1c);

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(super) fn colour(contender: Contender) -> RGBColor {
    let (red, green, blue) = contender.colour();
    RGBColor(red, green, blue)
}

/// Draws a figure of this height, in the coordinates of [`WIDTH`] and itself times [`SCALE`].
pub(super) fn draw(
    height: u32,
    paint: impl FnOnce(&Area<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<String> {
    register();
    let mut svg = String::new();
    {
        let (width, tall) = (WIDTH * SCALE, height * SCALE);
        let root = SVGBackend::with_string(&mut svg, (width, tall)).into_drawing_area();
        root.fill(&WHITE).map_err(wrong)?;
        paint(&root)?;
        root.present().map_err(wrong)?;
    }
    let size = |width: u32, height: u32| format!("width=\"{width}\" height=\"{height}\"");
    let shown = svg.replacen(&size(WIDTH * SCALE, height * SCALE), &size(WIDTH, height), 1);
    Ok(shown.replace(&format!("\"{FAMILY}\""), &format!("\"{FALLBACKS}\"")))
}

/// An error of the drawing library, which borrows from the drawing.
pub(super) fn wrong(error: impl std::fmt::Display) -> anyhow::Error {
    anyhow!("cannot draw: {error}")
}

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (style, bytes) in
            [(FontStyle::Normal, notosans::REGULAR_TTF), (FontStyle::Bold, notosans::BOLD_TTF)]
        {
            assert!(register_font(FAMILY, style, bytes).is_ok(), "the font is one");
        }
    });
}

/// Letters of a size and colour.
pub(super) fn letters(size: f64, colour: RGBColor) -> TextStyle<'static> {
    // The library divides by this when it writes a size.
    (FAMILY, size * 1.24).into_font().color(&colour).pos(Pos::new(HPos::Left, VPos::Center))
}

pub(super) fn bold(size: f64, colour: RGBColor) -> TextStyle<'static> {
    let font = (FAMILY, size * 1.24).into_font().style(FontStyle::Bold);
    font.color(&colour).pos(Pos::new(HPos::Left, VPos::Center))
}

/// The same, ending at its place.
pub(super) fn right(style: TextStyle<'static>) -> TextStyle<'static> {
    style.pos(Pos::new(HPos::Right, VPos::Center))
}

pub(super) fn centred(style: TextStyle<'static>) -> TextStyle<'static> {
    style.pos(Pos::new(HPos::Center, VPos::Center))
}

/// Writes at a place.
pub(super) fn write(
    area: &Area<'_>,
    text: &str,
    style: &TextStyle<'_>,
    at: (i32, i32),
) -> anyhow::Result<()> {
    area.draw(&Text::new(text.to_owned(), at, style.clone())).map_err(wrong)
}

pub(super) fn rectangle(
    area: &Area<'_>,
    corners: [(i32, i32); 2],
    colour: RGBColor,
) -> anyhow::Result<()> {
    area.draw(&Rectangle::new(corners, colour.filled())).map_err(wrong)
}

pub(super) fn line(
    area: &Area<'_>,
    points: Vec<(i32, i32)>,
    colour: RGBColor,
    width: u32,
) -> anyhow::Result<()> {
    area.draw(&PathElement::new(points, colour.stroke_width(width))).map_err(wrong)
}

/// The picture of a figure as PNG, with the same letters.
///
/// # Errors
/// Where the text is no SVG.
pub fn png(svg: &str) -> anyhow::Result<Vec<u8>> {
    let mut fonts = usvg::fontdb::Database::new();
    for bytes in [notosans::REGULAR_TTF, notosans::BOLD_TTF] {
        fonts.load_font_data(bytes.to_vec());
    }
    let options = usvg::Options { fontdb: Arc::new(fonts), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options)?;
    let scale = SCALE as f32;
    let size = tree.size().to_int_size().scale_by(scale).context("a figure has a size")?;
    let mut pixels =
        tiny_skia::Pixmap::new(size.width(), size.height()).context("a figure has a size")?;
    resvg::render(&tree, tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
    Ok(pixels.encode_png()?)
}
