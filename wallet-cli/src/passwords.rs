//! Where passwords and words come from: never from arguments.

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::failure::{Failure, Outcome};

/// The variable that may hold the password of the key.
const VARIABLE: &str = "WALLET_PASSWORD";
/// Longest password, and longest text of words, in bytes.
const MAX_BYTES: usize = 4096;

/// The password of an existing key: from the file, the variable, or the terminal.
pub(crate) fn existing(file: Option<&Path>, key: &str) -> Outcome<Zeroizing<String>> {
    match given(file)? {
        Some(password) => Ok(password),
        None => ask(&format!("Password of {key}: ")),
    }
}

/// A password for a new key. Asked twice on a terminal.
pub(crate) fn new(file: Option<&Path>, key: &str) -> Outcome<Zeroizing<String>> {
    let password = match given(file)? {
        Some(password) => password,
        None => {
            let first = ask(&format!("New password for {key}: "))?;
            if first != ask("The same again: ")? {
                return Err(Failure::bad_arguments("the two passwords differ"));
            }
            first
        }
    };
    if password.is_empty() {
        return Err(Failure::bad_arguments("an empty password protects nothing"));
    }
    Ok(password)
}

fn given(file: Option<&Path>) -> Outcome<Option<Zeroizing<String>>> {
    if let Some(path) = file {
        return from_file(path, "password file").map(Some);
    }
    match std::env::var(VARIABLE) {
        Ok(password) => Ok(Some(Zeroizing::new(password))),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::bad_arguments(format!("{VARIABLE} is not text")))
        }
    }
}

/// The first line of a file, or of a pipe, which holds a secret.
pub(crate) fn from_file(path: &Path, what: &str) -> Outcome<Zeroizing<String>> {
    let at = |error: std::io::Error| {
        Failure::bad_arguments(format!("{what} {}: {error}", path.display()))
    };
    let file = std::fs::File::open(path).map_err(at)?;
    let metadata = file.metadata().map_err(at)?;
    if metadata.is_file() && metadata.mode() & 0o077 != 0 {
        eprintln!("warning: {} may be read by others: run chmod 600 on it", path.display());
    }
    first_line(file).map_err(at)
}

fn first_line(source: impl std::io::Read) -> std::io::Result<Zeroizing<String>> {
    // Room from the start: growing would leave copies of the secret behind.
    let mut line = Zeroizing::new(String::with_capacity(MAX_BYTES + 1));
    std::io::BufReader::new(source.take(MAX_BYTES as u64 + 1)).read_line(&mut line)?;
    if line.len() > MAX_BYTES {
        let problem = format!("the first line has more than {MAX_BYTES} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, problem));
    }
    while line.ends_with(['\n', '\r']) {
        line.pop();
    }
    Ok(line)
}

fn ask(prompt: &str) -> Outcome<Zeroizing<String>> {
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|_| {
        Failure::bad_arguments(format!(
            "no terminal to ask for the password: give --password-file or set {VARIABLE}"
        ))
    })
}

/// The words of a key: hidden on a terminal, else all of stdin.
pub(crate) fn words() -> Outcome<Zeroizing<String>> {
    if std::io::stdin().is_terminal() {
        return ask("Words that restore the key: ");
    }
    let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES + 1));
    std::io::stdin()
        .lock()
        .take(MAX_BYTES as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|error| Failure::bad_arguments(format!("words on stdin: {error}")))?;
    if text.len() > MAX_BYTES {
        return Err(Failure::bad_arguments("the text on stdin is too long for 24 words"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_counts_and_is_bounded() {
        let read = |text: &str| first_line(text.as_bytes()).map(|line| line.to_string());
        assert_eq!(read("secret\r\nmore\n").unwrap(), "secret");
        assert_eq!(read("with spaces ").unwrap(), "with spaces ");
        assert_eq!(read("").unwrap(), "");
        assert!(read(&"x".repeat(MAX_BYTES)).is_ok());
        assert!(read(&"x".repeat(MAX_BYTES + 1)).is_err());
    }
}
