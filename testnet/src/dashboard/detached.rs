//! A server that goes on when the command that started it returns, and ends with its testnet.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::Port;
use crate::cluster::Cluster;
use crate::cluster::manifest::DashboardEntry;
use crate::cluster::process::ProcessId;
use crate::live;

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// Takes a port for a testnet's server: that of the last time where it is free, so that a page that
/// is open goes on.
///
/// # Errors
/// Where a server runs already, or the port that is wanted is taken.
pub async fn take_port(cluster: &Cluster, wanted: Option<u16>) -> anyhow::Result<Port> {
    let before = cluster.manifest()?.dashboard;
    if let Some(running) = before.as_ref().filter(|entry| entry.process.is_alive()) {
        bail!("a dashboard of this testnet runs already: open {}", running.url());
    }
    match (wanted, before) {
        (None, Some(before)) => match Port::take(Some(before.port)).await {
            Ok(port) => Ok(port),
            Err(_) => Port::take(None).await,
        },
        (wanted, _) => Port::take(wanted).await,
    }
}

/// Notes in a testnet's directory that this process serves on a port. The note stays: whoever reads
/// it looks whether the process lives.
///
/// # Errors
/// Where the directory cannot be written.
pub fn note(cluster: &Cluster, port: u16, detached: bool) -> anyhow::Result<()> {
    let process = ProcessId::own()?;
    cluster.record_dashboard(DashboardEntry { port, process, detached })
}

/// Starts a server of a testnet as a process of its own. Returns where the page is.
///
/// # Errors
/// Where it does not start to listen.
pub async fn start_detached(cluster: &Cluster) -> anyhow::Result<String> {
    let log = cluster.dir().join("dashboard.log");
    let program = std::env::current_exe()?.with_file_name("testnet");
    let output = OpenOptions::new().create(true).append(true).open(&log)?;
    // Whoever looks on lets the nodes go first.
    let mut child = Command::new("nice")
        .arg(&program)
        .args(["dashboard", "--detached", "--dir"])
        .arg(cluster.dir())
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let entry = cluster.manifest()?.dashboard;
        let own = |entry: &DashboardEntry| {
            u32::try_from(entry.process.pid) == Ok(child.id()) && entry.process.is_alive()
        };
        if let Some(entry) = entry.filter(own) {
            return Ok(entry.url());
        }
        if child.try_wait()?.is_some() || Instant::now() >= deadline {
            let _ = child.kill();
            bail!("the dashboard does not start: {}", live::last_line(&log));
        }
        tokio::time::sleep(POLL).await;
    }
}
