//! Every example of docs/wallet.md, executed against a real network, and its output compared.
//!
//! The page holds real output of an earlier run. Hashes, keys and addresses differ from run to run:
//! the first one that stands in the place of another is taken for its new value, in the rest of the
//! output and in later commands. Numbers may differ where heights, nonces of heights and durations
//! stand. `…` is any text within a line, and any lines where it stands alone.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::testnet::Testnet;

/// The page.
const PAGE: &str = include_str!("../../../docs/wallet.md");
/// Longer than any of its commands takes.
const LIMIT_SECONDS: &str = "120";

/// A command of the page and what it says there.
#[derive(Debug, Default)]
struct Example {
    command: String,
    output: Vec<String>,
}

/// The commands of the page's blocks that are marked as a console's, in order.
fn examples() -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut inside = false;
    for line in PAGE.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            continue;
        }
        match (inside, line.strip_prefix("$ ")) {
            (false, _) => {}
            (true, Some(command)) => {
                examples.push(Example { command: command.to_owned(), output: Vec::new() });
            }
            (true, None) => {
                let example = examples.last_mut().expect("a block starts with a command");
                example.output.push(line.trim_end().to_owned());
            }
        }
    }
    examples
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// `…`, with what is written right before and after it: any text.
    Any,
    /// Blanks, however many: columns are as wide as what stands in them.
    Blank,
    /// A hash, key or address: the same ones stay the same.
    Name(String),
    Word(String),
    Other(char),
}

/// Longest run of hexadecimal digits that is a number or a word.
const LONGEST_WORD: usize = 32;

fn tokens(line: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = line.trim_end();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = if first == ' ' {
            rest.find(|c| c != ' ').unwrap_or(rest.len())
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (text, after) = rest.split_at(end);
        tokens.push(match first {
            '…' => Token::Any,
            ' ' => Token::Blank,
            first if is_word(first) && text.len() > LONGEST_WORD => Token::Name(text.to_owned()),
            first if is_word(first) => Token::Word(text.to_owned()),
            first => Token::Other(first),
        });
        rest = after;
    }
    let is_cut = |place: usize| {
        let is_text = matches!(tokens[place], Token::Name(_) | Token::Word(_));
        let around = place.saturating_sub(1)..tokens.len().min(place + 2);
        is_text && tokens[around].contains(&Token::Any)
    };
    (0..tokens.len()).filter(|place| !is_cut(*place)).map(|place| tokens[place].clone()).collect()
}

/// Words before numbers, and after them, that differ from run to run.
const BEFORE: [&str; 12] = [
    "after",
    "at",
    "block",
    "elapsed_ms",
    "expires",
    "expires_in",
    "expiry",
    "height",
    "in",
    "proposed_at",
    "settled_at",
    "view",
];
const AFTER: [&str; 4] = ["ms", "s", "bytes", "blocks"];

/// Which name of the page is which one of this run.
type Names = BTreeMap<String, String>;

/// Whether a line is what the page shows, and what its names are.
fn matches(page: &[Token], real: &[Token], word_before: &str, names: &mut Names) -> bool {
    let Some((first, page_rest)) = page.split_first() else {
        return real.is_empty();
    };
    if *first == Token::Any {
        return (0..=real.len()).any(|skipped| {
            let mut guess = names.clone();
            let fits = matches(page_rest, &real[skipped..], "", &mut guess);
            if fits {
                *names = guess;
            }
            fits
        });
    }
    let Some((found, real_rest)) = real.split_first() else {
        return false;
    };
    let mut before = word_before.to_owned();
    let fits = match (first, found) {
        (Token::Name(page), Token::Name(real)) => {
            page.len() == real.len() && names.entry(page.clone()).or_insert(real.clone()) == real
        }
        (Token::Word(page_word), Token::Word(real_word)) => {
            let number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
            let after = page_rest.iter().find_map(|token| match token {
                Token::Word(word) => Some(word.as_str()),
                _ => None,
            });
            let moving =
                BEFORE.contains(&word_before) || after.is_some_and(|after| AFTER.contains(&after));
            let same = page_word == real_word || (number(page_word) && number(real_word) && moving);
            before = page_word.to_lowercase();
            same
        }
        (page, real) => page == real,
    };
    fits && matches(page_rest, real_rest, &before, names)
}

/// Whether lines are what the page shows.
fn all_match(page: &[String], real: &[&str], names: &mut Names) -> bool {
    match page.split_first() {
        None => real.is_empty(),
        Some((any, rest)) if any == "…" => {
            // The fewest lines that do.
            (0..=real.len()).any(|skipped| {
                let mut guess = names.clone();
                let fits = all_match(rest, &real[skipped..], &mut guess);
                if fits {
                    *names = guess;
                }
                fits
            })
        }
        Some((line, rest)) => real.split_first().is_some_and(|(found, real_rest)| {
            matches(&tokens(line), &tokens(found), "", names) && all_match(rest, real_rest, names)
        }),
    }
}

impl Testnet {
    /// A line as somebody at a terminal enters it, in the network's directory; all that it prints.
    fn shell(&self, line: &str) -> String {
        let programs = std::path::Path::new(env!("CARGO_BIN_EXE_testnet"));
        let programs = programs.parent().expect("in a folder").display().to_string();
        let mut command = Command::new("timeout");
        command
            .args(["--signal=KILL", LIMIT_SECONDS, "sh", "-c"])
            .arg(format!("exec 2>&1; {line}"));
        let home = self.dir().join("../..").canonicalize().expect("a home");
        command.env_clear().env("HOME", home);
        command.env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin"));
        command.env("WALLET_PASSWORD", "correct horse battery staple");
        command.current_dir(self.dir()).stdin(Stdio::null());
        let output = command.output().expect("it starts");
        assert!(output.status.code().is_some_and(|code| code < 5), "{line}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    }
}

#[test]
fn every_example_of_the_page_says_what_the_page_says() {
    let testnet = Testnet::up();
    let home = testnet.dir().join("../..").canonicalize().expect("a home").display().to_string();
    let mut names = Names::new();
    let examples = examples();
    for Example { command, output } in &examples {
        let command =
            names.iter().fold(command.clone(), |command, (page, real)| command.replace(page, real));
        let real = testnet.shell(&command).replace(&home, "/home/me");
        let lines: Vec<&str> = real.trim_end().lines().map(str::trim_end).collect();
        let expected = output.join("\n");
        let expected: Vec<String> = expected.trim_end().lines().map(str::to_owned).collect();
        assert!(
            all_match(&expected, &lines, &mut names),
            "`{command}` says\n{real}\nwhere the page has\n{}",
            expected.join("\n")
        );
    }
    assert!(examples.len() > 50, "{} examples", examples.len());
    println!("{} examples of docs/wallet.md executed", examples.len());
}

#[test]
fn what_differs_from_run_to_run_matches_and_nothing_else() {
    let fits = |page: &str, real: &str| {
        let page: Vec<String> = page.lines().map(str::to_owned).collect();
        let real: Vec<&str> = real.lines().collect();
        all_match(&page, &real, &mut Names::new())
    };
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    assert!(fits("final in block 2 after 30 ms", "final in block 77 after 5 ms"));
    assert!(!fits("balance  5000 units", "balance  4000 units"));
    assert!(fits("balance  5000 units", "balance    5000 units"));
    assert!(fits(&format!("{one} {one}"), &format!("{two} {two}")));
    assert!(!fits(&format!("{one} {one}"), &format!("{two} {one}")), "the same stay the same");
    assert!(fits("a\n…\nd", "a\nb\nc\nd") && fits("a\n…\nd", "a\nd") && !fits("a\n…\nd", "a\nb"));
    assert!(fits("error: transaction 12…ab failed: no", "error: transaction 9f33 failed: no"));
    assert!(!fits("error: no", "error: yes"));
}
