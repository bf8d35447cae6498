//! `testnet`: a Catamaran network on one machine.

use std::process::ExitCode;

use clap::Parser;
use testnet::cli::Cli;

#[tokio::main]
async fn main() -> ExitCode {
    match testnet::commands::run(Cli::parse().command).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
