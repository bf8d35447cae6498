//! `testnet-validator`: one validator of a testnet. A node whose faults can be switched on.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Runs one validator of a testnet: the node, with a layer that can be told to misbehave.
#[derive(Debug, Parser)]
#[command(name = "testnet-validator", version)]
struct Arguments {
    /// The validator's home, as `testnet up` makes it
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// End when stdin is closed: with the process that holds the other end
    #[arg(long)]
    lifeline: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match testnet::validator::run(&arguments.home, arguments.lifeline) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
