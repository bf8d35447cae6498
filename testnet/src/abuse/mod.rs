//! `testnet abuse`: strangers do their worst at the ports of running nodes, while honest clients and
//! validators go on.

mod garbage;
mod honest;
mod malformed;
mod slow;
mod strangers;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use consensus::registry::EngineName;
use serde::Serialize;

use crate::cluster::manifest::NodeEntry;
use crate::cluster::process::ProcessId;
use crate::cluster::{Cluster, DEFAULT_ACCOUNTS, Spec};
use crate::live;
use crate::load::background::Background;
use crate::verdict::Verdict;
use honest::{Calls, Client};

const VALIDATORS: u16 = 4;
const TPS: f64 = 100.0;
const SENDERS: usize = 500;
/// How long honest clients are measured alone.
const CALM: Duration = Duration::from_secs(3);
/// Memory of a node may grow by so much, in MiB: what its documented queues may hold.
const MAX_GROWTH_MIB: u64 = 64;
/// On a machine that both sides share, an honest call may take so much longer whatever the factor.
const GRACE_MS: f64 = 25.0;
/// Attackers come from an address of their own: a node gives no client more than half of its places.
const ATTACKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 66);

/// How much of each.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: EngineName,
    /// Requests that are nearly right.
    pub requests: u64,
    /// Connections that say a byte a second.
    pub sockets: usize,
    /// Identities that nobody asked for.
    pub identities: usize,
    /// Mebibytes of garbage at each port.
    pub megabytes: u64,
    pub seed: u64,
    pub dir: Option<PathBuf>,
}

/// What honest clients noticed of one kind of abuse.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    pub name: &'static str,
    /// What was done, in numbers.
    pub done: serde_json::Value,
    #[serde(flatten)]
    pub honest: Calls,
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub seed: u64,
    pub phases: Vec<Phase>,
    pub submitted: u64,
    #[serde(rename = "final")]
    pub finalized: u64,
    /// Nodes that are not the processes they were at the start.
    pub crashed: usize,
    /// Resident memory of the node that grew most, in MiB, and by how much.
    pub resident_mib: u64,
    pub grown_mib: u64,
}

/// Does it all to a network of its own. `tell` hears how it goes.
///
/// # Errors
/// Where the network cannot be started, or dies.
pub async fn run(options: Options, mut tell: impl FnMut(String)) -> anyhow::Result<Report> {
    let spec = Spec { engine: options.engine, validators: VALIDATORS, accounts: DEFAULT_ACCOUNTS };
    live::on_its_own(options.dir.clone(), "abuse", spec, async |cluster| {
        abuse(&options, &cluster, &mut tell).await
    })
    .await
}

async fn abuse(
    options: &Options,
    cluster: &Cluster,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Report> {
    let nodes = cluster.manifest()?.nodes;
    let (victim, seed) = (&nodes[0], options.seed);
    let load = Background::start(cluster, TPS, SENDERS).await?;
    let mut phases = Phases { victim, tell, list: Vec::new() };

    phases
        .run("calm", async {
            tokio::time::sleep(CALM).await;
            Ok(serde_json::json!({ "seconds": CALM.as_secs() }))
        })
        .await?;
    let before = memory(&nodes);
    let addresses = [victim.rpc_port, victim.p2p_port];
    phases
        .run("malformed requests", malformed::send(victim.rpc_port, options.requests, seed))
        .await?;
    phases.run("slow sockets", slow::hold(victim.rpc_port, options.sockets)).await?;
    phases.run("strangers", strangers::dial(cluster, victim, options.identities, seed)).await?;
    phases.run("garbage", garbage::pour(&addresses, options.megabytes << 20, seed)).await?;
    let phases = phases.list;

    let outcome = load.finish().await?;
    live::caught_up(cluster, None).await?;
    let after = memory(&nodes);
    let grown = before.iter().zip(&after).map(|(before, after)| after.saturating_sub(*before));
    let now = cluster.manifest()?.nodes;
    let same =
        |(before, now): &(&NodeEntry, &NodeEntry)| now.process == before.process && now.is_alive();
    Ok(Report {
        seed,
        phases,
        submitted: outcome.submitted,
        finalized: outcome.finalized,
        crashed: nodes.len() - nodes.iter().zip(&now).filter(same).count(),
        resident_mib: after.iter().max().copied().unwrap_or_default(),
        grown_mib: grown.max().unwrap_or_default(),
    })
}

/// Resident memory of each node, in MiB.
fn memory(nodes: &[NodeEntry]) -> Vec<u64> {
    let resident = |process: ProcessId| process.resident().unwrap_or_default() >> 20;
    nodes.iter().filter_map(|node| node.process).map(resident).collect()
}

/// One after the other, each while an honest client calls.
struct Phases<'a, T> {
    victim: &'a NodeEntry,
    tell: &'a mut T,
    list: Vec<Phase>,
}

impl<T: FnMut(String)> Phases<'_, T> {
    async fn run(
        &mut self,
        name: &'static str,
        work: impl Future<Output = anyhow::Result<serde_json::Value>>,
    ) -> anyhow::Result<()> {
        let client = Client::start(self.victim)?;
        let done = work.await?;
        let honest = client.finish().await?;
        (self.tell)(format!(
            "{name}: {done}; {} honest calls, {} failed, p50 {:.1} ms, p99 {:.1} ms",
            honest.calls, honest.failed, honest.p50_ms, honest.p99_ms
        ));
        self.list.push(Phase { name, done, honest });
        Ok(())
    }
}

impl Verdict for Report {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, problem: String| {
            if !holds {
                problems.push(problem);
            }
        };
        check(self.crashed == 0, format!("{} nodes crashed", self.crashed));
        check(
            self.grown_mib <= MAX_GROWTH_MIB,
            format!("a node grew by {} MiB, over {MAX_GROWTH_MIB}", self.grown_mib),
        );
        let missing = self.submitted - self.finalized;
        check(missing == 0, format!("{missing} honest transactions did not become final"));
        for phase in &self.phases {
            let Calls { calls, failed, .. } = phase.honest;
            let name = phase.name;
            check(
                calls > 0 && failed == 0,
                format!("{name}: {failed} honest calls of {calls} failed"),
            );
        }
        let p99 = |name| {
            let phase = self.phases.iter().find(|phase| phase.name == name);
            phase.map_or(0.0, |phase| phase.honest.p99_ms)
        };
        let (calm, slow) = (p99("calm"), p99("slow sockets"));
        check(
            slow <= (2.0 * calm).max(calm + GRACE_MS),
            format!("slow sockets: p99 of honest calls {slow:.1} ms, {calm:.1} ms when calm"),
        );
        problems
    }

    fn summary(&self) -> String {
        format!(
            "{} honest transactions of {} final, {} crashes, memory {} MiB (grown by {})",
            self.finalized, self.submitted, self.crashed, self.resident_mib, self.grown_mib
        )
    }
}
