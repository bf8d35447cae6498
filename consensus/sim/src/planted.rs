//! Hunting for planted bugs: how many seeds it takes until a property no longer holds, and the table
//! of it in docs/planted-bugs.md.
//!
//! Each engine's test writes the section of its own name, between two comments; `REWRITE_DOCS=1`
//! lets it, without that the section must be what the test found.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use consensus::engine::Engine;

use crate::model::table::markdown;
use crate::runner;
use crate::soak;
use crate::world::World;

/// Seeds within which every bug must show.
pub const SEEDS: u64 = 400;

/// Engines are tested side by side and write to one document.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// One bug, and what became of it.
#[derive(Clone, Debug)]
pub struct Row {
    pub bug: String,
    /// How many seeds were run, the last of which showed it.
    pub seeds: u64,
    /// The property that did not hold.
    pub property: Option<String>,
}

/// Runs a world to its end and says what broke.
pub fn broken<E: Engine>(world: &mut World<E>) -> Option<String> {
    let report = runner::run_in(world, "planted");
    verdict(world, report.liveness.recovered)
}

/// The first property that a run broke; "recovery" where it ended unfinished.
pub fn verdict<E: Engine>(world: &World<E>, recovered: bool) -> Option<String> {
    match world.violations().first() {
        Some(violation) => Some(violation.property.clone()),
        None => (!recovered).then(|| "recovery".to_owned()),
    }
}

/// Runs seed after seed, [`SEEDS`] at most, until something breaks.
pub fn hunt(bug: &str, run: impl Fn(u64) -> Option<String>) -> Row {
    hunt_in(bug, SEEDS, run)
}

/// Runs so many seeds of a world without a bug, times `SIM_SEEDS` for a soak.
///
/// # Panics
/// Where something breaks all the same.
pub fn control(world: &str, seeds: u64, run: impl Fn(u64) -> Option<String>) {
    let row = hunt_in(&format!("no bug, {world}"), seeds * soak::factor(), run);
    assert_eq!(row.property, None, "{world}, seed {}", row.seeds - 1);
}

fn hunt_in(bug: &str, seeds: u64, run: impl Fn(u64) -> Option<String>) -> Row {
    let started = Instant::now();
    let found = (0..seeds).find_map(|seed| Some((seed + 1, run(seed)?)));
    let (seeds, property) = found.map_or((seeds, None), |(seeds, name)| (seeds, Some(name)));
    let seconds = started.elapsed().as_secs_f64();
    println!("{bug}: {seeds} seeds, {}, {seconds:.1} s", property.as_deref().unwrap_or("nothing"));
    Row { bug: bug.to_owned(), seeds, property }
}

/// Every bug of an engine must have been caught, and as the document says.
///
/// # Panics
/// Where one was not, or the document says something else.
pub fn check(document: &Path, engine: &str, rows: &[Row]) {
    let missed: Vec<&str> =
        rows.iter().filter(|row| row.property.is_none()).map(|row| row.bug.as_str()).collect();
    assert!(missed.is_empty(), "not caught within {SEEDS} seeds: {missed:?}");
    check_section(document, engine, &table(rows));
}

/// The table of some bugs.
pub fn table(rows: &[Row]) -> String {
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| {
            let property = row.property.clone().unwrap_or_else(|| "nothing".to_owned());
            vec![row.bug.clone(), row.seeds.to_string(), property]
        })
        .collect();
    markdown(&["planted bug", "seeds", "property broken"], &cells)
}

/// How many bugs the tables of a document have.
pub fn count(text: &str) -> usize {
    let rows = text.lines().filter(|line| line.starts_with("| "));
    rows.filter(|line| !line.starts_with("| planted bug") && !line.starts_with("| --")).count()
}

/// Compares a table with the section of this name in a document, or writes it there; and the same
/// with the number of bugs in all tables.
///
/// # Panics
/// Where the section is missing or differs, and nobody asked to write it.
pub fn check_section(document: &Path, name: &str, table: &str) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let place = document.display();
    let written =
        std::fs::read_to_string(document).unwrap_or_else(|error| panic!("{place}: {error}"));
    let text = with_section(&written, name, table);
    let total =
        format!("{} bugs, each of which must be caught within {SEEDS} seeds.\n", count(&text));
    let text = with_section(&text, "total", &total);
    if std::env::var_os("REWRITE_DOCS").is_some() {
        std::fs::write(document, text).expect("the document can be written");
    } else {
        assert_eq!(written, text, "section {name} of {place}: REWRITE_DOCS=1 writes it anew");
    }
}

/// The document with this in the section of that name.
fn with_section(text: &str, name: &str, content: &str) -> String {
    let (before, rest) = split(text, &format!("<!-- {name} -->\n"));
    let (_, after) = split(rest, &format!("<!-- end of {name} -->\n"));
    format!("{before}{content}{after}")
}

/// What stands before a mark's end, and what after. An end mark stays with what follows it.
fn split<'a>(text: &'a str, mark: &str) -> (&'a str, &'a str) {
    let place = text.find(mark).unwrap_or_else(|| panic!("no {mark:?} in the document"));
    let keep_mark = if mark.starts_with("<!-- end") { 0 } else { mark.len() };
    text.split_at(place + keep_mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a\n<!-- one -->\nold\n<!-- end of one -->\nb\n";

    #[test]
    fn a_section_is_replaced_and_nothing_else() {
        let new = "a\n<!-- one -->\nnew\n<!-- end of one -->\nb\n";
        assert_eq!(with_section(TEXT, "one", "new\n"), new);
        assert_eq!(with_section(new, "one", "old\n"), TEXT);
    }

    #[test]
    fn only_bugs_are_counted() {
        let row = Row { bug: "a bug".to_owned(), seeds: 1, property: None };
        assert_eq!(count(&table(&[row.clone(), row])), 2);
    }
}
