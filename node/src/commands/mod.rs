//! The commands of the program.

mod doctor;
mod init;
mod inspect;
mod keys;
mod reset;
mod run;
mod snapshot;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use node::home::Home;
use serde::Serialize;
use serde_json::json;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  it failed: the node stopped with an error, the store is damaged or in use
  2  it was asked the wrong way: arguments, settings, key files or genesis cannot be used

Environment:
  NODE_HOME and, over config.toml, one variable per setting: NODE_MONIKER, NODE_RPC_LISTEN, …";

/// A node of a Catamaran chain: takes part in consensus, keeps the chain, answers clients.
#[derive(Debug, Parser)]
#[command(name = "node", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a home directory: new keys and a commented config.toml
    Init(init::Init),
    /// Run the node until it is told to stop (SIGINT or SIGTERM)
    Run(run::Run),
    /// Show the public keys of a node
    Keys(keys::Keys),
    /// Delete the chain data of a node that does not run; keys and votes stay
    Reset(reset::Reset),
    /// Look into the store of a node that does not run
    Inspect(inspect::Inspect),
    /// Explain why the node, or its chain, stands still
    Doctor(doctor::Doctor),
    /// Copy the chain at its final height to a file, or begin a node with such a file
    Snapshot(snapshot::SnapshotCommand),
}

/// Where the node lives.
#[derive(Debug, Args)]
struct HomeArg {
    /// Home directory of the node
    #[arg(long, value_name = "DIR", env = "NODE_HOME")]
    home: PathBuf,
}

impl HomeArg {
    fn home(&self) -> Home {
        Home::new(&self.home)
    }
}

/// How a command fails.
#[derive(Debug)]
struct Failure {
    exit: u8,
    message: String,
}

impl Failure {
    /// What the caller gave cannot be used.
    fn usage(error: impl std::fmt::Display) -> Self {
        Self { exit: 2, message: error.to_string() }
    }

    /// It did not work out.
    fn failed(error: impl std::fmt::Display) -> Self {
        Self { exit: 1, message: error.to_string() }
    }
}

/// What a command has to say: an object for programs, text for people.
#[derive(Debug)]
struct Report {
    json: serde_json::Value,
    text: String,
    exit: ExitCode,
}

impl Report {
    fn new(object: &impl Serialize, text: impl Into<String>) -> Self {
        let json = serde_json::to_value(object)
            .unwrap_or_else(|error| unreachable!("reports have text keys only: {error}"));
        Self { json, text: text.into(), exit: ExitCode::SUCCESS }
    }

    /// The same, and the program ends with the exit code of what failed.
    fn of_a_failure(self) -> Self {
        Self { exit: ExitCode::FAILURE, ..self }
    }
}

impl Cli {
    pub(crate) fn execute(self) -> ExitCode {
        let (as_json, result) = match self.command {
            Command::Init(command) => (command.json, command.execute()),
            Command::Keys(command) => (command.json(), command.execute()),
            Command::Reset(command) => (command.json, command.execute()),
            Command::Inspect(command) => (command.json, command.execute()),
            Command::Doctor(command) => (command.json, command.execute()),
            Command::Snapshot(command) => (command.json(), command.execute()),
            Command::Run(command) => {
                return match command.execute() {
                    Ok(()) => ExitCode::SUCCESS,
                    Err(failure) => fail(false, failure),
                };
            }
        };
        match result {
            Ok(Report { json, exit, .. }) if as_json => {
                println!("{json}");
                exit
            }
            Ok(Report { text, exit, .. }) => {
                println!("{}", text.trim_end());
                exit
            }
            Err(failure) => fail(as_json, failure),
        }
    }
}

fn fail(as_json: bool, Failure { exit, message }: Failure) -> ExitCode {
    if as_json {
        println!("{}", json!({ "error": { "code": exit, "message": message } }));
    } else {
        eprintln!("error: {message}");
    }
    ExitCode::from(exit)
}
