//! Rules of the whole repository that no compiler checks.

mod workspace;

use std::path::{Path, PathBuf};

use self::workspace::{files, files_with, packages, read, root};

/// Words of unfinished work, in two parts so that this file does not hold them.
const UNFINISHED: [&str; 5] = [
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
    concat!("db", "g!("),
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
];

/// Endings of files that people write.
const WRITTEN: [&str; 5] = ["rs", "toml", "md", "sh", "svg"];

fn code() -> Vec<PathBuf> {
    files_with("", "rs")
}

/// Lines of all files that hold a word, as `file:line: text`.
fn lines_with(paths: &[PathBuf], wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let of_file = |path: &PathBuf| {
        let text = read(path);
        let found = (1..).zip(text.lines()).filter(|(_, line)| wrong(line));
        found.map(|(number, line)| format!("{}:{number}: {line}", path.display())).collect()
    };
    paths.iter().flat_map::<Vec<String>, _>(of_file).collect()
}

#[test]
fn nothing_is_left_unfinished() {
    let mut paths = files(Path::new(""));
    paths.retain(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.map_or(path.ends_with("Makefile"), |ending| WRITTEN.contains(&ending))
    });
    let found = lines_with(&paths, |line| UNFINISHED.iter().any(|word| line.contains(word)));
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_lint_that_is_switched_off_says_why() {
    let switches = ["allow(", "expect("].map(|word| [format!("#[{word}"), format!("#![{word}")]);
    for path in code() {
        let text = read(&path);
        for (at, switch) in switches.iter().flatten().flat_map(|word| text.match_indices(word)) {
            let attribute = text[at..].split(")]").next().unwrap_or(switch);
            assert!(attribute.contains("reason = "), "{}: {attribute}", path.display());
        }
    }
}

#[test]
fn every_crate_begins_with_what_it_is() {
    let packages = packages();
    let targets = packages.iter().filter_map(|package| package["targets"].as_array()).flatten();
    let roots: Vec<&str> = targets
        .filter(|target| matches!(target["kind"][0].as_str(), Some("lib" | "bin")))
        .filter_map(|target| target["src_path"].as_str())
        .collect();
    for path in &roots {
        assert!(read(Path::new(path)).starts_with("//! "), "{path} has no module doc");
    }
    println!("{} crates", roots.len());
    assert!(roots.len() >= packages.len(), "{roots:?}");
}

/// Targets of the links and pictures of a page, code aside.
fn links(page: &str) -> Vec<&str> {
    let prose = page.split("```").step_by(2);
    let after = |start: &'static str, end: char| {
        prose
            .clone()
            .flat_map(move |text| text.split(start).skip(1))
            .filter_map(move |rest| rest.split(end).next())
    };
    after("](", ')').chain(after("src=\"", '"')).collect()
}

/// The part of an address that leads to a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    text.replace(' ', "-").chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

#[test]
fn links_of_the_documentation_lead_somewhere() {
    let mut pages = files_with("docs", "md");
    pages.push("README.md".into());
    let mut checked = 0;
    for page in &pages {
        let text = read(page);
        for link in links(&text).into_iter().filter(|link| !link.contains("://")) {
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => page.clone(),
                path => page.parent().expect("a folder").join(path),
            };
            assert!(root().join(&target).exists(), "{}: {link}", page.display());
            let leads = heading.is_empty()
                || read(&target)
                    .lines()
                    .any(|line| line.starts_with('#') && anchor(line) == heading);
            assert!(leads, "{}: no heading for {link}", page.display());
            checked += 1;
        }
    }
    println!("{checked} links on {} pages", pages.len());
    assert!(checked > 5, "only {checked} links were found");
}

#[test]
fn links_and_anchors_are_read_as_they_are_meant() {
    let page = "See [a](b.md#c) and <img src=\"d.svg\">.\n```\n[no](link)\n```\n[e](f)";
    assert_eq!(links(page), ["b.md#c", "f", "d.svg"]);
    assert_eq!(anchor("## Ports, and `health`"), "ports-and-health");
}
