//! The page: prose with the numbers of the data in it. Whatever can be counted in the text comes
//! from [`facts`], which are written beside the data.

pub mod compare;
mod facts;
mod verdicts;

use std::path::Path;

use anyhow::Context;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

use crate::data::{self, Data};

pub use facts::Facts;

/// The prose.
const TEMPLATE: &str = include_str!("page.jinja");

/// The page of some data.
///
/// # Errors
/// Where the prose asks for a number that there is not.
pub fn render(facts: &Facts) -> anyhow::Result<String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .keep_trailing_newline(true)
            .build()?,
    );
    environment.add_filter("n", whole);
    environment.add_filter("d", decimal);
    environment.add_filter("pct", percent);
    environment.add_template("page", TEMPLATE)?;
    environment.get_template("page")?.render(Serde(facts)).context("the page cannot be written")
}

/// Writes the page, and the facts that it is made of.
///
/// # Errors
/// Where a file cannot be written.
pub fn write(data: &Data, folder: &Path) -> anyhow::Result<()> {
    let facts = Facts::of(data);
    data::write_json(&folder.join("data"), "facts.json", &facts)?;
    let path = folder.join("README.md");
    std::fs::write(&path, render(&facts)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A whole number, in groups of three digits.
fn whole(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("-{text}") } else { text }
}

/// One decimal.
fn decimal(value: f64) -> String {
    format!("{value:.1}")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_easily() {
        let shown = [0.4, 12.0, 999.6, 1234567.0, -4321.0].map(whole);
        assert_eq!(shown, ["0", "12", "1,000", "1,234,567", "-4,321"]);
        assert_eq!(percent(0.256), "26 %");
        assert_eq!(decimal(2.04), "2.0");
    }
}
