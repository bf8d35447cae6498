//! Hostile inputs of each form, kept in `corpus/`: what decoders of other projects stumbled over, and
//! every input that ever failed here.

/// What kind of text or bytes a target reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The canonical encoding: fixed-width numbers, lengths before lists.
    Codec,
    Json,
    Toml,
}

impl Form {
    /// Pieces that mean something in it.
    pub(crate) const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Codec => &["\0\0\0\0", "\u{1}\0\0\0", "\0\0\0\0\0\0\0\0", "\u{1}\0\0\0\0\0\0\0"],
            Self::Json => &[
                "{}",
                "[]",
                "null",
                "true",
                "\"\"",
                "0",
                "-1",
                "1e999",
                "0.5",
                ":",
                ",",
                "[[[[",
                "18446744073709551616",
                "\"\\ud800\"",
                "\"0x\"",
                "{\"\":",
                "]",
                "}",
            ],
            Self::Toml => &[
                "[",
                "]",
                "=",
                "\"",
                "'''",
                "\n",
                "[[a]]\n",
                "a.b.c = 1\n",
                "inf",
                "nan",
                "0x",
                "9223372036854775808",
                "1979-05-27",
                "\\u0000",
                "#",
            ],
        }
    }
}

/// All of a form: hexadecimal for bytes, one line each, and Rust's escapes are not needed for text:
/// `⏎` stands for the end of a line.
pub(crate) fn of(form: Form) -> Vec<Vec<u8>> {
    let file = match form {
        Form::Codec => include_str!("../corpus/codec.txt"),
        Form::Json => include_str!("../corpus/json.txt"),
        Form::Toml => include_str!("../corpus/toml.txt"),
    };
    let lines = file.lines().filter(|line| !line.starts_with("# "));
    lines
        .map(|line| match form {
            Form::Codec => hex::decode(line).expect("a line of the corpus is hexadecimal"),
            Form::Json | Form::Toml => line.replace('⏎', "\n").into_bytes(),
        })
        .chain(deep(form))
        .collect()
}

/// Nested far deeper than anybody means: too long for a file.
fn deep(form: Form) -> Vec<Vec<u8>> {
    const DEPTH: usize = 10_000;
    match form {
        Form::Codec => vec![vec![0xff; DEPTH], vec![0; DEPTH], vec![1; DEPTH]],
        Form::Json => ["[", "{\"a\":", "[{\"params\":"].map(|it| it.repeat(DEPTH).into()).into(),
        Form::Toml => {
            vec![
                format!("a = {}", "[".repeat(DEPTH)).into_bytes(),
                format!("a = {}", "{ a = ".repeat(DEPTH)).into_bytes(),
                format!("{} = 1", "a.".repeat(DEPTH)).into_bytes(),
            ]
        }
    }
}
