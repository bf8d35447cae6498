//! Samples of processes by `perf`.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use inferno::collapse::Collapse;
use inferno::collapse::perf::Folder;

/// Samples per second of processor time: of several processes, and of one thread.
pub(super) const SELDOM: &str = "99";
pub(super) const OFTEN: &str = "499";

/// `perf` at work. It ends with this.
pub(super) struct Recorder(Child);

/// Begins to sample processes; what it sees goes to a file.
///
/// # Errors
/// Where there is no `perf`.
pub(super) fn record(
    processes: &[i32],
    frequency: &str,
    sampling: Duration,
    data: &Path,
) -> anyhow::Result<Recorder> {
    let processes: Vec<String> = processes.iter().map(ToString::to_string).collect();
    let child = Command::new("perf")
        // Stacks as the unwind tables tell them: nothing is built with frame pointers.
        .args(["record", "-q", "-F", frequency, "--call-graph", "dwarf,16384", "-p"])
        .arg(processes.join(","))
        .arg("-o")
        .arg(data)
        .args(["--", "sleep", &sampling.as_secs().to_string()])
        .stdout(Stdio::null())
        .spawn()
        .context("cannot start perf: install linux-perf (Debian)")?;
    Ok(Recorder(child))
}

impl Recorder {
    /// Whether it still samples.
    ///
    /// # Errors
    /// Where the system does not tell.
    pub(super) fn is_at_work(&mut self) -> anyhow::Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// Where it may not watch.
    pub(super) fn finish(&mut self) -> anyhow::Result<()> {
        ensure!(
            self.0.wait()?.success(),
            "perf may not watch: run as root, or lower kernel.perf_event_paranoid"
        );
        Ok(())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Stacks with their counts, a line each: thread, outermost frame, and so on.
pub(super) fn fold(data: &Path) -> anyhow::Result<String> {
    let script = Command::new("perf")
        .args(["script", "--no-inline", "-F", "comm,pid,tid,time,event,ip,sym,dso", "-i"])
        .arg(data)
        .stderr(Stdio::null())
        .output()
        .context("cannot start perf")?;
    ensure!(script.status.success(), "perf cannot read what it recorded");
    let mut folded = Vec::new();
    Folder::default().collapse(script.stdout.as_slice(), &mut folded)?;
    Ok(String::from_utf8(folded)?)
}
