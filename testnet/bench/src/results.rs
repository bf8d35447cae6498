//! What a benchmark found: tables for people, the same as JSON for programs and for the chapter.

use std::path::Path;

use anyhow::Context;
use comfy_table::{ContentArrangement, presets};
use serde::{Deserialize, Serialize};

use crate::machine::{Machine, Weather};
use crate::method::{Spread, short};

/// One benchmark's account.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    pub benchmark: String,
    /// The command that made it.
    pub command: String,
    pub machine: Machine,
    /// `None` where the machine makes no difference.
    pub weather: Option<Weather>,
    pub tables: Vec<Table>,
    pub goals: Vec<Goal>,
    pub notes: Vec<String>,
}

/// Figures under a heading.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table {
    pub title: String,
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    Number(f64),
    Spread(Spread),
    Text(String),
}

/// Something to be reached.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Goal {
    pub what: String,
    pub measured: Spread,
    pub floor: Bound,
    pub want: Bound,
}

/// On which side of a number a figure should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Bound {
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

impl Goal {
    pub fn new(what: &str, measured: Spread, floor: Bound, want: Bound) -> Self {
        Self { what: what.to_owned(), measured, floor, want }
    }

    /// Judged by the median.
    pub fn verdict(&self) -> &'static str {
        let median = self.measured.median;
        match (self.floor.holds(median), self.want.holds(median)) {
            (_, true) => "better than wanted",
            (true, false) => "met",
            (false, false) => "not met",
        }
    }
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self::Number(value as f64)
    }
}

impl From<usize> for Cell {
    fn from(value: usize) -> Self {
        Self::Number(value as f64)
    }
}

impl From<Spread> for Cell {
    fn from(value: Spread) -> Self {
        Self::Spread(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(whole) if whole.fract() == 0.0 => write!(f, "{whole:.0}"),
            Self::Number(value) => f.write_str(&short(*value)),
            Self::Spread(spread) => spread.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl Table {
    pub fn new(title: &str, columns: &[&str]) -> Self {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Self { title: title.to_owned(), columns, rows: Vec::new() }
    }

    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        assert_eq!(N, self.columns.len(), "a row of {:?} has a cell per column", self.title);
        self.rows.push(cells.into());
    }

    /// As a table of Markdown.
    pub fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let rule = self.columns.iter().map(|_| "---".to_owned()).collect();
        let mut text = line(self.columns.clone()) + &line(rule);
        for row in &self.rows {
            text += &line(row.iter().map(Cell::to_string).collect());
        }
        text
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_header(&self.columns);
        for row in &self.rows {
            table.add_row(row.iter().map(Cell::to_string));
        }
        write!(f, "{}\n{table}", self.title)
    }
}

impl Results {
    /// Prints everything, and writes it as JSON where asked for.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn publish(&self, json: Option<&Path>) -> anyhow::Result<()> {
        for table in &self.tables {
            println!("{table}\n");
        }
        for goal in &self.goals {
            let Goal { what, measured, floor, want } = goal;
            println!("{what}: {measured}; floor {floor}, want {want}: {}", goal.verdict());
        }
        for note in &self.notes {
            println!("{note}");
        }
        if let Some(disturbance) = self.disturbance() {
            println!("measured on a machine that was not quiet: {disturbance}");
        }
        let Some(path) = json else { return Ok(()) };
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    /// What disturbed it before it began, for people; `None` where nothing did.
    pub fn disturbance(&self) -> Option<String> {
        let Weather { busy, stolen, .. } = self.weather.filter(|weather| !weather.quiet)?;
        Some(format!("others used {:.0} % of it, {:.0} % was stolen", 100.0 * busy, 100.0 * stolen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_survive_their_file() {
        let mut table = Table::new("t", &["a", "b", "c"]);
        table.row([1_u64.into(), Spread::of(&[1.0, 2.0]).into(), "x".into()]);
        assert_eq!(
            table.markdown(),
            "| a | b | c |\n| --- | --- | --- |\n| 1 | 1.50 [1.00..2.00] | x |\n"
        );
        let text = serde_json::to_string(&table).unwrap();
        let back: Table = serde_json::from_str(&text).unwrap();
        assert_eq!(back.rows, table.rows);
    }

    #[test]
    fn goals_are_judged_by_the_median() {
        let goal = |value: f64| {
            let measured = Spread::of(&[value]);
            Goal::new("g", measured, Bound::AtMost(2.0), Bound::AtMost(1.3)).verdict()
        };
        assert_eq!([2.1, 2.0, 1.3].map(goal), ["not met", "met", "better than wanted"]);
    }
}
