//! `testnet-validator`: one validator of a testnet. A node whose faults can be switched on.

use std::process::ExitCode;

fn main() -> ExitCode {
    testnet::validator::main()
}
