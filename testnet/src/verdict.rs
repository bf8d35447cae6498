//! How a command ends that checks whether something holds.

use std::process::ExitCode;

use anyhow::bail;
use serde::Serialize;

use crate::signals;

/// A report of a check.
pub trait Verdict: Serialize {
    /// What did not hold.
    fn problems(&self) -> Vec<String>;

    /// A few lines for people.
    fn summary(&self) -> String;

    /// Whether everything held.
    fn holds(&self) -> bool {
        self.problems().is_empty()
    }
}

/// A report as scripts get it.
#[derive(Serialize)]
struct Told<'a, R> {
    #[serde(flatten)]
    report: &'a R,
    problems: &'a [String],
    ok: bool,
}

/// Checks to the end, or until a signal, and tells what came of it.
///
/// # Errors
/// Those of the check, and where a signal ended it.
pub(crate) async fn reach<R: Verdict>(
    check: impl Future<Output = anyhow::Result<R>>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let report = tokio::select! {
        done = check => done?,
        signal = signals::ended() => bail!("ended by {}", signal?),
    };
    let problems = report.problems();
    let ok = problems.is_empty();
    if json {
        let told = Told { report: &report, problems: &problems, ok };
        println!("{}", serde_json::to_string(&told)?);
    } else {
        println!("{}", report.summary());
    }
    for problem in &problems {
        eprintln!("did not hold: {problem}");
    }
    Ok(exit_code(ok))
}

pub(crate) fn exit_code(ok: bool) -> ExitCode {
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
