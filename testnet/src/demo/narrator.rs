//! Tells the story to a person, line by line.

use std::io::{IsTerminal, Write};
use std::time::Instant;

/// Writes to stdout, or to stderr where stdout is for JSON.
#[derive(Debug)]
pub(super) struct Narrator {
    to_stderr: bool,
    colour: bool,
    started: Instant,
}

impl Narrator {
    pub(super) fn new(to_stderr: bool) -> Self {
        let terminal = if to_stderr {
            std::io::stderr().is_terminal()
        } else {
            std::io::stdout().is_terminal()
        };
        let colour = terminal && std::env::var_os("NO_COLOR").is_none();
        Self { to_stderr, colour, started: Instant::now() }
    }

    fn line(&self, text: &str) {
        // A reader that went away does not end the story: the exit code still tells.
        let _ = if self.to_stderr {
            writeln!(std::io::stderr(), "{text}")
        } else {
            writeln!(std::io::stdout(), "{text}")
        };
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// A chapter begins.
    pub(super) fn chapter(&self, title: &str) {
        self.line("");
        self.line(&self.paint("1", title));
    }

    /// Something happens.
    pub(super) fn say(&self, text: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        self.line(&format!("  {} {text}", self.paint("2", &format!("{seconds:6.2} s"))));
    }

    /// A check was made.
    pub(super) fn check(&self, ok: bool, name: &str, detail: &str) {
        let mark = if ok { self.paint("32", "held  ") } else { self.paint("31", "FAILED") };
        self.line(&format!("  {mark}   {name}: {detail}"));
    }

    /// Text as it is.
    pub(super) fn text(&self, text: &str) {
        for line in text.lines() {
            self.line(&format!("  {line}"));
        }
    }
}
