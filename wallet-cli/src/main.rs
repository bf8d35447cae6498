//! `wallet-cli`: keys and transactions, for people and scripts.
//!
//! Secrets stay on this machine: a node only ever sees signed transactions.

mod args;
mod commands;
mod connection;
mod failure;
mod help;
mod keystore;
mod mnemonic;
mod output;
mod passwords;
mod signing;
mod submission;
mod validators;
mod verification;

use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap::error::ErrorKind;

use crate::args::Arguments;
use crate::failure::{Failure, Outcome};

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(error) => return refuse_arguments(&error),
    };
    let json = arguments.global.json;
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => report(&failure, json),
    }
}

fn arguments() -> Result<Arguments, clap::Error> {
    let mut command = help::command();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Arguments::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

fn run(arguments: Arguments) -> Outcome<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::bad_arguments)?
        .block_on(commands::run(arguments))
}

/// Help and version are no errors; everything else is one line like all our errors.
fn refuse_arguments(error: &clap::Error) -> ExitCode {
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asked_for || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return if asked_for { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    let text = error.to_string();
    let first_paragraph = text.split("\n\n").next().unwrap_or_default();
    let line = first_paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let message = line.strip_prefix("error: ").unwrap_or(&line);
    let json = std::env::args().any(|argument| argument == "--json");
    report(&Failure::bad_arguments(message), json)
}

fn report(failure: &Failure, json: bool) -> ExitCode {
    if json {
        println!("{}", failure.to_json());
    } else {
        eprintln!("error: {}", failure.message);
    }
    ExitCode::from(failure.kind as u8)
}
