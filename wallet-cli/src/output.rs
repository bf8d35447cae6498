//! What commands print.

use comfy_table::{ContentArrangement, Table, presets};
use node_api::block::Finality;
use serde::Serialize;

/// Prints results as text or as JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// The result of a command: an object, or the text that says the same.
    pub(crate) fn result<T: Serialize>(self, value: &T, text: impl FnOnce() -> String) {
        if self.json {
            line(&serde_json::to_string(value).expect("results are plain data"));
        } else {
            line(&text());
        }
    }

    /// A result that is a file, byte for byte where it ends with one line feed.
    pub(crate) fn file(self, text: &str) {
        line(text.strip_suffix('\n').unwrap_or(text));
    }

    /// Something to know before the result: on stdout for people, out of the way for programs.
    ///
    /// # Errors
    /// Where nobody reads it any more.
    pub(crate) fn early(self, text: &str) -> std::io::Result<()> {
        if self.json {
            write(&mut std::io::stderr(), text)
        } else {
            write(&mut std::io::stdout(), text)
        }
    }
}

fn write(to: &mut impl std::io::Write, text: &str) -> std::io::Result<()> {
    writeln!(to, "{text}").and_then(|()| to.flush())
}

fn line(text: &str) {
    if write(&mut std::io::stdout(), text).is_err() {
        // Whoever read our output has gone, as in `wallet-cli watch | head`: nothing left to do.
        std::process::exit(0);
    }
}

/// What a finality is worth, in words.
pub(crate) const fn worth(finality: Finality) -> &'static str {
    match finality {
        Finality::Certified => "proven by the votes of a quorum, even if some validators lie",
        Finality::CrashFinal => "a majority has it; holds through crashes, not against liars",
    }
}

/// Two columns: what, and its value.
pub(crate) fn facts<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let mut table = Table::new();
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    plain(table)
}

/// A table with a line of titles.
pub(crate) fn table(titles: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.set_header(titles.iter().map(|title| title.to_uppercase()));
    for row in rows {
        table.add_row(row);
    }
    plain(table)
}

/// Aligned columns without lines, never broken: hashes must stay whole to be copied.
fn plain(mut table: Table) -> String {
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// `yes` or `no`.
pub(crate) fn yes_no(value: bool) -> String {
    if value { "yes".to_owned() } else { "no".to_owned() }
}

/// Characters that steer a terminal, escaped: what others put on chain must not.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let steers = c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if steers { c.escape_unicode().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}

/// Bytes as text where they are text, else in hexadecimal.
pub(crate) fn text_or_hex(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => printable(text),
        _ => format!("0x{}", hex::encode(bytes)),
    }
}
