//! Hunting for planted bugs: how many seeds it takes until a property no longer holds, and the table
//! of it in docs/planted-bugs.md.
//!
//! Each engine's test writes the section of its own name, between two comments; `REWRITE_DOCS=1`
//! lets it, without that the section must be what the test found.

use std::path::Path;

use consensus::engine::Engine;

use crate::model::table::markdown;
use crate::plan::Plan;
use crate::runner;
use crate::world::World;

/// One bug, and what became of it.
#[derive(Clone, Debug)]
pub struct Row {
    pub bug: String,
    /// How many seeds were run, the last of which showed it.
    pub seeds: u64,
    /// The property that did not hold.
    pub property: Option<String>,
}

/// The first property that a run breaks; "recovery" where it ends unfinished.
pub fn broken<E: Engine>(world: &mut World<E>) -> Option<String> {
    let report = runner::run_in(world, "planted");
    match report.violations.first() {
        Some(violation) => Some(violation.property.clone()),
        None => (!report.liveness.recovered).then(|| "recovery".to_owned()),
    }
}

/// Runs seed after seed until something breaks.
pub fn hunt(
    bug: &str,
    seeds: u64,
    plan: impl Fn(u64) -> Plan,
    run: impl Fn(Plan) -> Option<String>,
) -> Row {
    let found = (0..seeds).find_map(|seed| Some((seed + 1, run(plan(seed))?)));
    let (seeds, property) = found.map_or((seeds, None), |(seeds, name)| (seeds, Some(name)));
    println!("{bug}: {seeds} seeds, {}", property.as_deref().unwrap_or("nothing"));
    Row { bug: bug.to_owned(), seeds, property }
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

/// Compares a table with the section of this name in a document, or writes it there.
///
/// # Panics
/// Where the section is missing or differs, and nobody asked to write it.
pub fn check_section(document: &Path, name: &str, table: &str) {
    let text = std::fs::read_to_string(document)
        .unwrap_or_else(|error| panic!("{}: {error}", document.display()));
    let (before, rest) = split(&text, &format!("<!-- {name} -->\n"));
    let (written, after) = split(rest, &format!("<!-- end of {name} -->\n"));
    if std::env::var_os("REWRITE_DOCS").is_some() {
        let text = format!("{before}{table}{after}");
        std::fs::write(document, text).expect("the document can be written");
    } else {
        let place = document.display();
        assert_eq!(written, table, "section {name} of {place}: REWRITE_DOCS=1 writes it anew");
    }
}

/// What stands before a mark's end, and what after. An end mark stays with what follows it.
fn split<'a>(text: &'a str, mark: &str) -> (&'a str, &'a str) {
    let place = text.find(mark).unwrap_or_else(|| panic!("no {mark:?} in the document"));
    let keep_mark = if mark.starts_with("<!-- end") { 0 } else { mark.len() };
    text.split_at(place + keep_mark)
}
