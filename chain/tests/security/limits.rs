//! docs/security.md names a test for every limit: all of them are there.

use std::collections::BTreeSet;
use std::path::Path;

use crate::workspace::{files_with, read};

/// The names in backticks in the last cell of the rows of tables whose last column is `test`.
fn named(text: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    let mut of_tests = false;
    for line in text.lines() {
        let Some(row) = line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) else {
            of_tests = false;
            continue;
        };
        let last = row.rsplit('|').next().unwrap_or_default().trim();
        if last == "test" {
            of_tests = true;
        } else if of_tests && !last.starts_with('-') {
            names.extend(last.split('`').skip(1).step_by(2));
        }
    }
    names
}

/// Functions that some package runs as tests.
fn tests() -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for path in files_with("", "rs") {
        let mut is_test = false;
        for line in read(&path).lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if is_test && let Some((_, rest)) = line.split_once("fn ") {
                let name = rest.split('(').next().unwrap_or_default();
                tests.insert(name.to_owned());
                is_test = false;
            }
        }
    }
    tests
}

#[test]
fn every_limit_names_a_test_that_exists() {
    let page = read(Path::new("docs/security.md"));
    let (named, tests) = (named(&page), tests());
    assert!(named.len() >= 40 && tests.len() >= 400, "{} of {}", named.len(), tests.len());
    let missing: Vec<_> = named.iter().filter(|name| !tests.contains(**name)).collect();
    assert_eq!(missing, [] as [&&str; 0]);
    println!("{} tests named, {} there are", named.len(), tests.len());
}

#[test]
fn rows_without_a_name_are_no_rows() {
    let page =
        "| limit | test |\n| --- | --- |\n| a | `x` |\n| b | `y`, `z` |\n\n| c | d |\n| e | `f` |";
    assert_eq!(named(page), ["x", "y", "z"].into());
    let rows = read(Path::new("docs/security.md"));
    let mut of_tests = false;
    for line in rows.lines() {
        if line.ends_with("| test |") {
            of_tests = true;
        } else if !line.starts_with('|') {
            of_tests = false;
        } else if of_tests && !line.contains("---") {
            assert!(line.ends_with("` |"), "no test: {line}");
        }
    }
}
