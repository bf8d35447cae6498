//! Three servers of etcd on this machine, in a directory of their own.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use etcd_client::Client;
use testnet::cluster::ports;
use testnet::cluster::process::ProcessId;

const PROGRAM: &str = "etcd";
const SERVERS: usize = 3;
/// How long they may take to elect a leader.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whether the program is there.
pub(super) fn is_installed() -> bool {
    let version = Command::new(PROGRAM).arg("--version").stdout(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}

/// The servers. They end with this value.
pub(super) struct Servers {
    processes: Vec<Child>,
    /// Where clients reach them.
    endpoints: Vec<String>,
    _directory: tempfile::TempDir,
}

impl Servers {
    /// Starts them and waits for a leader.
    pub(super) async fn start() -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let ports = ports::free(2 * SERVERS)?;
        let url = |port: &u16| format!("http://127.0.0.1:{port}");
        let endpoints: Vec<String> = ports[..SERVERS].iter().map(url).collect();
        let peers: Vec<String> = ports[SERVERS..].iter().map(url).collect();
        let members = peers.iter().enumerate().map(|(id, peer)| format!("s{id}={peer}"));
        let cluster = members.collect::<Vec<_>>().join(",");
        let mut servers = Self { processes: Vec::new(), endpoints, _directory: directory };
        for (id, peer) in peers.iter().enumerate() {
            let process = servers.spawn(id, peer, &cluster).context("cannot start etcd")?;
            servers.processes.push(process);
        }
        servers.leader().await?;
        Ok(servers)
    }

    fn spawn(&self, id: usize, peer: &str, cluster: &str) -> anyhow::Result<Child> {
        let (name, client) = (format!("s{id}"), &self.endpoints[id]);
        let data = self._directory.path().join(&name);
        let mut command = Command::new(PROGRAM);
        command
            .args(["--name", &name, "--initial-cluster-state", "new", "--log-level", "error"])
            .args(["--initial-cluster", cluster])
            .args(["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer])
            .args(["--listen-client-urls", client, "--advertise-client-urls", client])
            .arg("--data-dir")
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(command.spawn()?)
    }

    /// A connection to the server that leads: a put through another one would take a hop more.
    pub(super) async fn leader(&self) -> anyhow::Result<Client> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            for endpoint in &self.endpoints {
                if let Ok(mut client) = Client::connect([endpoint], None).await
                    && let Ok(status) = client.status().await
                    && let Some(header) = status.header()
                    && status.leader() != 0
                    && status.leader() == header.member_id()
                {
                    return Ok(client);
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("etcd elects no leader in {} s", PATIENCE.as_secs())
    }

    /// Processor time of all servers so far.
    pub(super) fn cpu(&self) -> Duration {
        let spent = |process| ProcessId::of(process).ok()?.cpu_time();
        self.processes.iter().filter_map(spent).sum()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // One that ended by itself is only collected.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
