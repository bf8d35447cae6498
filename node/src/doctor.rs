//! Why a node, or its chain, stands still: what an operator would look up one by one, in one report.
//!
//! A running node is asked on its admin socket, so this works on the machine of the node and for its
//! owner only. One that does not run is looked at from outside: files, keys, store, ports of its peers.
//! Nothing is changed.

mod home;
mod judge;
mod probe;
mod running;
mod text;

use std::collections::BTreeMap;
use std::path::Path;

use genesis::Genesis;
use genesis::config::NodeConfig;
use serde::Serialize;

use crate::config::Overrides;
use crate::home::Home;

pub use probe::Probe;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing before it hurts.
    Warning,
    /// This is, or will soon be, why something does not work.
    Broken,
}

/// What a finding is about: stable names, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Settings, genesis or key files.
    Home,
    /// The process.
    Process,
    /// Room on the disk of the data.
    Disk,
    /// What the validator promised, against what is in its store.
    SafetyRecord,
    /// A peer is on another chain.
    OtherChain,
    /// A peer speaks another version of the protocol.
    OtherVersion,
    /// A peer cannot be reached, or refuses.
    Peer,
    /// A connected validator says nothing.
    Silent,
    /// Too few validators for a block to become final.
    Quorum,
    /// Validators are in different views.
    Views,
    /// Nothing becomes final although enough validators are there.
    Stall,
    /// This node lacks blocks.
    Behind,
    /// Clocks differ.
    Clock,
    /// A validator was caught.
    Jailed,
}

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub level: Level,
    pub topic: Topic,
    /// What is the matter.
    pub says: String,
    /// What to do about it.
    pub advice: String,
}

impl Finding {
    fn broken(topic: Topic, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Broken, topic, says: says.into(), advice: advice.into() }
    }

    fn warning(topic: Topic, says: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warning, topic, says: says.into(), advice: advice.into() }
    }
}

/// A validator as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    pub index: u32,
    pub name: String,
    /// `this node`, `connected`, or why not.
    pub state: String,
    pub epoch: Option<u64>,
    pub view: Option<u64>,
    pub height: Option<u64>,
    pub heard_ms_ago: Option<u64>,
    pub clock_ahead_ms: Option<i64>,
}

/// All that was found out.
#[derive(Clone, Debug, Serialize)]
pub struct Diagnosis {
    /// Whether nothing is broken.
    pub ok: bool,
    /// One sentence: what this node is and how it does.
    pub summary: String,
    pub validators: Vec<Seen>,
    /// The worst first.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    fn new(summary: String, validators: Vec<Seen>, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.level), finding.topic));
        let ok = findings.iter().all(|finding| finding.level < Level::Broken);
        Self { ok, summary, validators, findings }
    }

    /// For people.
    pub fn text(&self) -> String {
        text::render(self)
    }
}

/// Examines the node of a home.
pub async fn examine(home: &Home) -> Diagnosis {
    let (config, genesis) = match (home.config(&Overrides::default()), home.genesis()) {
        (Ok(config), Ok(genesis)) => (config, genesis),
        (config, genesis) => {
            let problems = [config.err(), genesis.err()];
            let advice = "mend that first: the node cannot start with it";
            let finding = |error| Finding::broken(Topic::Home, format!("{error}"), advice);
            let findings = problems.into_iter().flatten().map(finding).collect();
            let summary = format!("{} is not the home of a node that can run", shown(home));
            return Diagnosis::new(summary, Vec::new(), findings);
        }
    };
    let mut findings = home::check(home, &config);
    match running::ask(home.directory()).await {
        Ok(report) => {
            let absent = judge::absent(&report);
            let probes = probe::all(&config.p2p.peers, |id| absent.contains(id)).await;
            let (validators, more) = judge::judge(&report, &probes, &config);
            findings.extend(more);
            Diagnosis::new(judge::summary(&report), validators, findings)
        }
        Err(running::NoAnswer::Hangs(problem)) => {
            let says = format!("the node runs, but does not answer on its admin socket: {problem}");
            let advice = "look into its log; if it stays like that, end it with SIGTERM, then SIGKILL, \
                          and start it again: nothing that it promised is lost";
            findings.push(Finding::broken(Topic::Process, says, advice));
            Diagnosis::new(named(&config, &genesis), Vec::new(), findings)
        }
        Err(running::NoAnswer::DoesNotRun) => {
            findings.extend(at_rest(home, &config, &genesis).await);
            Diagnosis::new(named(&config, &genesis), Vec::new(), findings)
        }
    }
}

/// A node that does not run: its store, and whether its peers could be reached.
async fn at_rest(home: &Home, config: &NodeConfig, genesis: &Genesis) -> Vec<Finding> {
    let advice = format!("start it: node run --home {}", shown(home));
    let mut findings = vec![Finding::broken(Topic::Process, "the node does not run", advice)];
    findings.extend(home::store(home, genesis));
    let probes: BTreeMap<String, Probe> = probe::all(&config.p2p.peers, |_| true).await;
    for (id, probe) in probes.iter().filter(|(_, probe)| !probe.is_open()) {
        findings.push(Finding::warning(
            Topic::Peer,
            format!("the peer {id} cannot be reached: {probe}"),
            probe.advice(),
        ));
    }
    findings
}

fn named(config: &NodeConfig, genesis: &Genesis) -> String {
    format!(
        "node {} of chain {} ({}, {} validators at its genesis)",
        config.moniker,
        genesis.chain,
        genesis.engine,
        genesis.validators.len()
    )
}

fn shown(home: &Home) -> std::path::Display<'_> {
    Path::display(home.directory())
}
