//! `testnet liars`: validators misbehave under load, in every way or every pair of ways, and what the
//! network still makes final is compared with what it made final before anybody lied.
//!
//! The liars are the leader and those who lead after it: a liar does most harm there.

mod report;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chain::governance::KeyKind;
use consensus::engine::FaultModel;
use consensus::registry::EngineName;
use node_api::chain::EvidenceRecord;
use node_api::{ChainApiClient, ConsensusApiClient};

use crate::audit::audit;
use crate::byzantine::control::{Behaviour, Request};
use crate::cluster::{Cluster, DEFAULT_ACCOUNTS, Spec};
use crate::live::{self, until};
use crate::load::background::Background;
use crate::membership::{self, govern};
use crate::{faults, rpc};
pub use report::{Phase, Report};

const SENDERS: usize = 1000;
/// A network that does not get well within this time is dead.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long evidence may take to be on chain once the liar is honest again.
const TRIAL: Duration = Duration::from_secs(30);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: EngineName,
    /// How many lie at once: one, or two in every pair of behaviours.
    pub liars: usize,
    /// Plants a fault that the checks must find: one liar more than the set bears.
    pub one_too_many: bool,
    pub behaviours: Vec<Behaviour>,
    /// How long each phase lasts.
    pub lasts: Duration,
    /// Transactions per second.
    pub rate: f64,
    pub dir: Option<PathBuf>,
}

impl Options {
    /// As many as it takes to bear the liars.
    fn validators(&self) -> u16 {
        // At most two: see the command line.
        3 * self.liars as u16 + 1
    }

    /// What is done at once, phase by phase.
    fn phases(&self) -> Vec<Vec<Behaviour>> {
        let liars = self.liars + usize::from(self.one_too_many);
        if liars == 1 || self.one_too_many {
            return self.behaviours.iter().map(|behaviour| vec![*behaviour; liars]).collect();
        }
        let pairs = self.behaviours.iter().enumerate().flat_map(|(place, first)| {
            self.behaviours[place..].iter().map(move |second| vec![*first, *second])
        });
        pairs.collect()
    }
}

/// Plays all phases on a network of their own. `tell` hears how it goes.
///
/// # Errors
/// Where the engine tolerates no liar, or the network cannot be started or dies.
pub async fn run(options: Options, mut tell: impl FnMut(String)) -> anyhow::Result<Report> {
    if options.engine.fault_model() == FaultModel::Crash {
        bail!("{} tolerates no liar: choose hybrid or pbft", options.engine);
    }
    let spec = Spec {
        engine: options.engine,
        validators: options.validators(),
        accounts: DEFAULT_ACCOUNTS,
    };
    live::on_its_own(options.dir.clone(), "liars", spec, async |cluster| {
        all(&options, &cluster, &mut tell).await
    })
    .await
}

async fn all(
    options: &Options,
    cluster: &Cluster,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Report> {
    let load = Background::start(cluster, options.rate, SENDERS).await?;
    let mut stage =
        Stage { cluster, load: &load, lasts: options.lasts, evidence: 0, lied_before: Vec::new() };
    stage.calm(options.rate).await?;
    let honest = stage.play(&[]).await?;
    tell(format!("everybody honest: {}", honest.line()));
    let (behaviours, mut phases) = (options.phases(), Vec::new());
    for (number, behaviours) in behaviours.iter().enumerate() {
        let phase = stage.play(behaviours).await.with_context(|| format!("{behaviours:?}"))?;
        tell(format!("{} of {}: {}", number + 1, options.phases().len(), phase.line()));
        phases.push(phase);
        stage.calm(options.rate).await.with_context(|| format!("after {behaviours:?}"))?;
    }
    let seen = load.seen().clone();
    let outcome = load.finish().await?;
    let audit = audit(cluster, &seen).await?;
    Ok(Report::new(options, honest, phases, &outcome, &audit))
}

struct Stage<'a> {
    cluster: &'a Cluster,
    load: &'a Background,
    lasts: Duration,
    /// Records on chain that earlier phases account for.
    evidence: usize,
    /// The liars of the phase before: evidence that was not due may come late.
    lied_before: Vec<usize>,
}

impl Stage<'_> {
    /// Waits until next to nothing waits to become final, and nobody shuts anybody out any more: who is
    /// shut out takes no part, and would be one liar more in the next phase.
    async fn calm(&self, rate: f64) -> anyhow::Result<()> {
        until("what was submitted to become final", PATIENCE, async || {
            let so_far = self.load.progress().so_far();
            Ok((((so_far.submitted - so_far.finalized) as f64) < rate).then_some(()))
        })
        .await?;
        live::caught_up(self.cluster, self.load.seen().highest()).await?;
        until("all links to be there again", PATIENCE, async || {
            let nodes = self.cluster.manifest()?.nodes;
            for node in &nodes {
                let status = live::chain_status(node).await;
                if status.is_none_or(|status| status.peers as usize + 1 != nodes.len()) {
                    return Ok(None);
                }
            }
            Ok(Some(()))
        })
        .await?;
        // What was slow before this phase is not its doing.
        let _ = self.load.progress().take_latencies();
        Ok(())
    }

    /// Has the leader and those after it behave like this for a while, and be honest again.
    async fn play(&mut self, behaviours: &[Behaviour]) -> anyhow::Result<Phase> {
        let liars = self.choose(behaviours.len()).await?;
        let mode = self.mode().await?;
        let view_timeout = live::view_timeout(self.cluster).await?;
        let orders = || liars.iter().copied().zip(behaviours.iter().copied());
        for (id, behaviour) in orders() {
            faults::order(self.cluster, id, Request::Behave { behaviour })?;
        }
        let (began, before) = (Instant::now(), self.load.progress().so_far());
        tokio::time::sleep(self.lasts).await;
        let (took, after) = (began.elapsed(), self.load.progress().so_far());
        let latency_ms = self.load.progress().take_latencies().unwrap_or_default();
        let (mut acts, mut due, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
        for (id, behaviour) in orders() {
            let done = faults::reform(self.cluster, id).await?;
            acts.push(done.unwrap_or_default());
            due.extend((behaviour.leaves_evidence() && done > Some(0)).then_some(id));
            stopped.extend(done.is_none().then_some(id));
        }
        let mut phase = Phase {
            behaviours: behaviours.iter().map(|behaviour| behaviour.name()).collect(),
            liars,
            mode,
            view_timeout_ms: view_timeout.as_secs_f64() * 1e3,
            acts,
            stopped,
            goodput_tps: (after.finalized - before.finalized) as f64 / took.as_secs_f64(),
            share: 0.0,
            floor: behaviours.iter().map(|behaviour| behaviour.floor()).fold(1.0, f64::min),
            latency_ms,
            convicted: Vec::new(),
            missing_evidence: Vec::new(),
            wrongly_convicted: Vec::new(),
        };
        self.try_liars(&mut phase, &due).await?;
        self.pardon().await?;
        Ok(phase)
    }

    /// The leader, and those whose turn comes next.
    async fn choose(&self, count: usize) -> anyhow::Result<Vec<usize>> {
        let leader =
            until("a leader", PATIENCE, async || faults::leader(self.cluster).await).await?;
        let seats: Vec<usize> =
            faults::seats(self.cluster).await?.into_iter().map(|(_, id)| id).collect();
        let first = seats.iter().position(|id| *id == leader).context("the leader has a seat")?;
        Ok(seats.iter().cycle().skip(first).take(count).copied().collect())
    }

    async fn mode(&self) -> anyhow::Result<String> {
        let state = rpc::http(&self.cluster.node(0)?, rpc::PATIENCE)?.state().await?;
        Ok(state.mode.map_or("-".into(), |mode| format!("{mode:?}").to_lowercase()))
    }

    /// What the chain holds against whom. Waits for what is due.
    async fn try_liars(&mut self, phase: &mut Phase, due: &[usize]) -> anyhow::Result<()> {
        let deadline = Instant::now() + TRIAL;
        loop {
            let new = self.new_evidence().await?;
            phase.convicted = self.accused(&new)?;
            let is_missing = |id: &&usize| !phase.convicted.contains(&Some(**id));
            phase.missing_evidence = due.iter().filter(is_missing).copied().collect();
            if phase.missing_evidence.is_empty() || Instant::now() >= deadline {
                self.evidence += new.len();
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let lied = |id| phase.liars.contains(&id) || self.lied_before.contains(&id);
        let is_liar = |id: &&Option<usize>| id.is_some_and(lied);
        phase.wrongly_convicted =
            phase.convicted.iter().filter(|id| !is_liar(id)).copied().collect();
        self.lied_before.clone_from(&phase.liars);
        Ok(())
    }

    /// Whom evidence is against, each once; `None`: nobody of this network.
    fn accused(&self, evidence: &[EvidenceRecord]) -> anyhow::Result<Vec<Option<usize>>> {
        let mut accused = Vec::new();
        let nodes = self.cluster.manifest()?.nodes;
        for record in evidence {
            let mut found = None;
            for node in &nodes {
                let key = self.cluster.key(node, KeyKind::Consensus)?.public();
                found = found.or((record.consensus_key == Some(key)).then_some(node.id));
            }
            if !accused.contains(&found) {
                accused.push(found);
            }
        }
        Ok(accused)
    }

    async fn new_evidence(&self) -> anyhow::Result<Vec<EvidenceRecord>> {
        let mut all = rpc::http(&self.cluster.node(0)?, rpc::PATIENCE)?.evidence(None).await?;
        Ok(all.split_off(self.evidence.min(all.len())))
    }

    /// Lets everybody lead again, and be accused again.
    async fn pardon(&self) -> anyhow::Result<()> {
        let seats = faults::seats(self.cluster).await?;
        for validator in govern::validators(self.cluster).await? {
            let seat = seats.iter().find(|(index, _)| *index == validator.index);
            if let Some((_, id)) = seat.filter(|_| validator.jailed || validator.accused) {
                membership::pardon(self.cluster, *id, &mut |_| {}).await?;
            }
        }
        Ok(())
    }
}
