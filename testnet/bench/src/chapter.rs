//! docs/performance.md: the part between two markers is made from the files of the last runs.

use std::path::Path;

use anyhow::{Context, bail, ensure};

use crate::results::{Goal, Results};

const BEGIN: &str = "<!-- results: begin -->";
const END: &str = "<!-- results: end -->";
/// In the order of the chapter; each from a file of its name.
const BENCHMARKS: [(&str, &str); 8] = [
    ("signed", "S1: signed, end to end"),
    ("budget", "Where the time of a transaction goes"),
    ("ordering", "S2: opaque ordering"),
    ("engines", "S3: engines in process"),
    ("etcd", "S3: beside etcd"),
    ("delays", "S4: network delays"),
    ("counts", "S5: exact counts"),
    ("recovery", "S6: recovery"),
];

/// Puts the results of a folder into the chapter.
///
/// # Errors
/// Where a file cannot be read or written, or the chapter has no place for results.
pub fn write(folder: &Path, chapter: &Path) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for (name, title) in BENCHMARKS {
        let path = folder.join(format!("{name}.json"));
        if !path.exists() {
            println!("{} is missing: that part is left out", path.display());
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let results: Results = serde_json::from_str(&text)
            .with_context(|| format!("{} holds no results", path.display()))?;
        found.push((title, results));
    }
    ensure!(!found.is_empty(), "there are no results in {}", folder.display());
    let page = std::fs::read_to_string(chapter)
        .with_context(|| format!("cannot read {}", chapter.display()))?;
    let page = replaced(&page, &body(&found))?;
    std::fs::write(chapter, page).with_context(|| format!("cannot write {}", chapter.display()))
}

/// The page with another text between the markers.
fn replaced(page: &str, body: &str) -> anyhow::Result<String> {
    let (Some(begin), Some(end)) = (page.find(BEGIN), page.find(END)) else {
        bail!("the chapter has no markers {BEGIN} and {END}");
    };
    ensure!(begin < end, "the markers of the chapter are in the wrong order");
    Ok(format!("{}\n\n{body}\n{}", &page[..begin + BEGIN.len()], &page[end..]))
}

fn body(found: &[(&str, Results)]) -> String {
    let goals: Vec<&Goal> = found.iter().flat_map(|(_, results)| &results.goals).collect();
    let mut text = String::new();
    if !goals.is_empty() {
        text += "### Goals\n\nBy the median; in brackets the range.\n\n";
        text += "| goal | measured | floor | want | |\n| --- | --- | --- | --- | --- |\n";
        for goal in goals {
            let Goal { what, measured, floor, want } = goal;
            text += &format!("| {what} | {measured} | {floor} | {want} | {} |\n", goal.verdict());
        }
    }
    for (title, results) in found {
        text += &section(title, results);
    }
    text
}

fn section(title: &str, results: &Results) -> String {
    let mut text = format!("\n### {title}\n\n");
    for table in &results.tables {
        text += &format!("{}:\n\n{}\n", table.title, table.markdown());
    }
    for note in &results.notes {
        text += &format!("{note}\n\n");
    }
    let machine = &results.machine;
    let day = time::OffsetDateTime::from_unix_timestamp(machine.time)
        .map_or_else(|_| "a day unknown".to_owned(), |time| time.date().to_string());
    text += &format!(
        "`{}` at {} on {day}: {}, {} cores, {} GiB, Linux {}, {}; curve arithmetic: {}.",
        results.command,
        machine.commit,
        machine.hardware.processor,
        machine.hardware.cores,
        machine.hardware.memory_gib,
        machine.kernel,
        machine.rustc,
        machine.curve_backend,
    );
    if let Some(disturbance) = results.disturbance() {
        text += &format!(" **The machine was not quiet**: {disturbance}.");
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let new = replaced(&page, "new\n").unwrap();
        assert_eq!(new, format!("before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"));
        assert_eq!(replaced(&new, "new\n").unwrap(), new);
        assert!(replaced("no markers", "new").is_err());
    }
}
