//! A diagnosis for people.

use std::fmt::Write as _;

use super::{Diagnosis, Finding, Level, Seen};

/// Width of a line.
const WIDTH: usize = 96;

pub(super) fn render(diagnosis: &Diagnosis) -> String {
    let Diagnosis { summary, validators, findings, .. } = diagnosis;
    let mut text = format!("{summary}\n");
    if !validators.is_empty() {
        text.push('\n');
        table(&mut text, validators);
    }
    if findings.is_empty() {
        text.push_str("\nNothing is wrong.\n");
    }
    for Finding { level, says, advice, .. } in findings {
        let mark = match level {
            Level::Broken => "BROKEN",
            Level::Warning => "NOTE",
        };
        text.push('\n');
        paragraph(&mut text, mark, says);
        paragraph(&mut text, "", &format!("→ {advice}"));
    }
    text
}

fn table(text: &mut String, validators: &[Seen]) {
    let width = |part: fn(&Seen) -> usize| validators.iter().map(part).max().unwrap_or(0);
    let name = width(|seen| seen.name.chars().count()).max("validator".len());
    let state = width(|seen| seen.state.chars().count()).max("seen from here".len());
    let _ = writeln!(
        text,
        "  {:name$}  {:state$}  {:>5}  {:>6}  {:>8}  {:>7}",
        "validator", "seen from here", "epoch", "view", "height", "heard"
    );
    for seen in validators {
        let number = |value: Option<u64>| value.map_or("-".into(), |value| value.to_string());
        let heard = seen.heard_ms_ago.map_or("-".into(), |ms| format!("{:.1} s", ms as f64 / 1e3));
        let _ = writeln!(
            text,
            "  {:name$}  {:state$}  {:>5}  {:>6}  {:>8}  {heard:>7}",
            seen.name,
            seen.state,
            number(seen.epoch),
            number(seen.view),
            number(seen.height),
        );
    }
}

/// A paragraph with a mark in front, its lines broken at words.
fn paragraph(text: &mut String, mark: &str, words: &str) {
    const INDENT: usize = 8;
    let mut line = format!("{mark:INDENT$}");
    let mut used = INDENT;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if used > INDENT && used + 1 + length > WIDTH {
            let _ = writeln!(text, "{line}");
            line = " ".repeat(INDENT);
            used = INDENT;
        }
        if used > INDENT {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    let _ = writeln!(text, "{line}");
}
