//! `node doctor`.

use clap::Args;
use node::doctor;

use super::{Failure, HomeArg, Report};

const EXAMPLES: &str = "\
Examples:
  node doctor --home ~/node           why the node, or its chain, stands still
  node doctor --home ~/node --json    the same for a program

Run it as the owner of the home, on the machine of the node, whether the node runs or not. It looks
at settings, keys, disk and store; asks the node for its validators, their views and clocks; and dials
the peers that are missing. Nothing is changed. Exit code 1: something is broken.";

/// Explain why the node, or its chain, stands still
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Doctor {
    #[command(flatten)]
    home: HomeArg,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

impl Doctor {
    pub(super) fn execute(self) -> Result<Report, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Failure::failed)?;
        let diagnosis = runtime.block_on(doctor::examine(&self.home.home()));
        let report = Report::new(&diagnosis, diagnosis.text());
        Ok(if diagnosis.ok { report } else { report.of_a_failure() })
    }
}
