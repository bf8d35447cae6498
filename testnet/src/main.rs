//! `testnet`: a Catamaran network on one machine.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use testnet::cli::Cli;
use tokio::runtime::Runtime;

/// How long what still runs at the end may take.
const FAREWELL: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let ended = Runtime::new().map_err(anyhow::Error::from).and_then(|runtime| {
        let ended = runtime.block_on(testnet::commands::run(command));
        // An order of the dashboard may wait for nodes that are gone.
        runtime.shutdown_timeout(FAREWELL);
        ended
    });
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
