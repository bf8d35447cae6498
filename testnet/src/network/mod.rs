//! `testnet network`: cuts and spoils the links between validators in one shape after the other, under
//! load, and checks that a minority never decides anything, that whoever can go on does, and how soon all
//! is well once the network is.

mod report;
mod shape;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use consensus::registry::EngineName;
use node_api::ConsensusApiClient;

use crate::audit::audit;
use crate::byzantine::control::Request;
use crate::cluster::{Cluster, DEFAULT_ACCOUNTS, Spec};
use crate::live::{self, until};
use crate::load::background::{Background, Since};
use crate::{faults, partition, rpc};
pub use report::{Outcome, Report};
pub use shape::Shape;

const VALIDATORS: u16 = 4;
const TPS: f64 = 100.0;
const SENDERS: usize = 500;
/// A network that does not get well within this time is dead.
const PATIENCE: Duration = Duration::from_secs(120);
/// What was decided before a cut may still arrive so long after it.
const ECHO: Duration = Duration::from_secs(1);
/// How long one flap of a link lasts.
const FLAP: Duration = Duration::from_millis(700);

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: EngineName,
    pub shapes: Vec<Shape>,
    /// How long each shape lasts.
    pub lasts: Duration,
    /// Plants a fault that the checks must find: cuts that cut nothing.
    pub leaky: bool,
    pub dir: Option<PathBuf>,
}

/// Plays all shapes on a network of their own. `tell` hears how it goes.
///
/// # Errors
/// Where the network cannot be started, or dies.
pub async fn run(options: Options, mut tell: impl FnMut(String)) -> anyhow::Result<Report> {
    tell("links between processes are cut by the nodes' own peer filters, and made slow or lossy by \
          their fault layers; the kernel's queues are left alone"
        .into());
    let spec = Spec { engine: options.engine, validators: VALIDATORS, accounts: DEFAULT_ACCOUNTS };
    live::on_its_own(options.dir.clone(), "network", spec, async |cluster| {
        all(&options, &cluster, &mut tell).await
    })
    .await
}

async fn all(
    options: &Options,
    cluster: &Cluster,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Report> {
    let load = Background::start(cluster, TPS, SENDERS).await?;
    let stage = Stage { cluster, load: &load, options };
    let mut outcomes = Vec::new();
    for shape in &options.shapes {
        let outcome = stage.play(*shape).await.with_context(|| format!("{shape}"))?;
        tell(outcome.line());
        outcomes.push(outcome);
    }
    let seen = load.seen().clone();
    let outcome = load.finish().await?;
    let audit = audit(cluster, &seen).await?;
    Ok(Report::new(options, outcomes, &outcome, &audit))
}

struct Stage<'a> {
    cluster: &'a Cluster,
    load: &'a Background,
    options: &'a Options,
}

impl Stage<'_> {
    async fn play(&self, shape: Shape) -> anyhow::Result<Outcome> {
        let leader =
            until("a leader", PATIENCE, async || faults::leader(self.cluster).await).await?;
        // The others in the order in which they would lead.
        let seats: Vec<usize> =
            faults::seats(self.cluster).await?.into_iter().map(|(_, id)| id).collect();
        let first = seats.iter().position(|id| *id == leader).context("the leader has a seat")?;
        let order: Vec<usize> = seats.iter().cycle().skip(first).take(4).copied().collect();
        let timeout_before = live::view_timeout(self.cluster).await?;

        let began = Instant::now();
        if !self.options.leaky {
            self.spoil(shape, &order).await?;
        }
        tokio::time::sleep(ECHO).await;
        let (early, heights) = (self.load.progress().so_far(), self.heights().await?);
        let views = self.views().await?;
        match shape {
            Shape::Flapping if !self.options.leaky => self.flap(&order).await?,
            _ => tokio::time::sleep(self.options.lasts).await,
        }
        let (late, ends) = (self.load.progress().so_far(), self.heights().await?);
        let later_views = self.views().await?;
        let lasted = began.elapsed();

        let timeout = live::view_timeout(self.cluster).await?;
        faults::heal(self.cluster)?;
        let healed = self.load.next_block(Since::now()?, PATIENCE).await?;
        live::caught_up(self.cluster, self.load.seen().highest()).await?;
        let grew = |id: &usize| ends[*id] > heights[*id];
        Ok(Outcome {
            shape: shape.name(),
            seconds: lasted.as_secs_f64(),
            finalized: late.finalized - early.finalized,
            must_go_on: shape.must_go_on(),
            minority_grew: shape.minority(&order).into_iter().filter(grew).collect(),
            leader_changes: later_views.saturating_sub(views),
            most_leader_changes: shape.most_leader_changes(),
            heal_ms: healed.as_secs_f64() * 1e3,
            timeout_before_ms: timeout_before.as_secs_f64() * 1e3,
            timeout_ms: timeout.as_secs_f64() * 1e3,
        })
    }

    /// Makes the links as the shape says.
    async fn spoil(&self, shape: Shape, order: &[usize]) -> anyhow::Result<()> {
        if let Some(link) = shape.link() {
            for node in self.cluster.manifest()?.nodes {
                faults::order(self.cluster, node.id, Request::Link { to: Vec::new(), link })?;
            }
        } else if let Some((deaf, link)) = shape.deaf(order) {
            let seats = faults::seats(self.cluster).await?;
            let seat = seats.iter().find(|(_, id)| *id == deaf).context("it has a seat")?.0;
            for node in self.cluster.manifest()?.nodes.iter().filter(|node| node.id != deaf) {
                faults::order(self.cluster, node.id, Request::Link { to: vec![seat.get()], link })?;
            }
        } else {
            partition::connect(self.cluster, |a, b| shape.links(order, a, b))?;
        }
        Ok(())
    }

    /// Cuts one validator after the other off for a moment.
    async fn flap(&self, order: &[usize]) -> anyhow::Result<()> {
        let until = Instant::now() + self.options.lasts;
        for away in order.iter().cycle() {
            if Instant::now() >= until {
                break;
            }
            partition::connect(self.cluster, |a, b| a != *away && b != *away)?;
            tokio::time::sleep(FLAP).await;
            partition::heal(self.cluster)?;
            tokio::time::sleep(FLAP).await;
        }
        Ok(())
    }

    async fn heights(&self) -> anyhow::Result<Vec<u64>> {
        let mut heights = Vec::new();
        for node in self.cluster.manifest()?.nodes {
            heights.push(live::answers(self.cluster, &node).await?.height_final.get());
        }
        Ok(heights)
    }

    /// The highest view that a majority has reached: a validator by itself may be anywhere.
    async fn views(&self) -> anyhow::Result<u64> {
        let mut views = Vec::new();
        for node in self.cluster.manifest()?.nodes {
            views.push(rpc::http(&node, rpc::PATIENCE)?.state().await?.view.get());
        }
        views.sort_unstable();
        Ok(views[(views.len() - 1) / 2])
    }
}
