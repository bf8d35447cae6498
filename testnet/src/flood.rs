//! `testnet flood`: clients hand in ten times what the network can take, half of it with signatures that
//! do not match. What it makes final must hardly drop, consensus must not notice, and clients that ask
//! for little must get it.
//!
//! Validators are made a continent apart, and blocks small, by their decision: so the limit is the
//! chain's, and not what this machine's processors have left beside the clients.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use chain::codec;
use chain::governance::{Change, Parameter};
use chain::transaction::Body;
use chain::types::{Amount, Height, View};
use consensus::registry::EngineName;
use node_api::tx::SubmitResult;
use node_api::{AccountApiClient, ChainApiClient, ConsensusApiClient, HexBytes, TxApiClient};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::audit::audit;
use crate::byzantine::control::Request;
use crate::cluster::{Cluster, DEFAULT_ACCOUNTS, Spec};
use crate::load::background::Background;
use crate::load::pump::Pace;
use crate::load::sample::Percentiles;
use crate::membership::govern;
use crate::rpc;
use crate::transfer::{LIFETIME, Slot};
use crate::verdict::Verdict;
use crate::{faults, live};

const VALIDATORS: u16 = 4;
/// How long each message takes from one validator to another.
const DELAY: Duration = Duration::from_millis(50);
/// Most transactions of a block.
const BLOCK: u32 = 2;
/// Accounts that ask for little, and how much all of them ask for per second.
const MODEST: u32 = 100;
const MODEST_TPS: f64 = 50.0;
/// Accounts that ask for everything.
const GREEDY: std::ops::Range<u32> = 1_000..1_100;
/// In flight from the greedy when saturation is measured.
const SATURATING: usize = 1_000;
/// The flood in saturations, half of it valid.
const TIMES: f64 = 10.0;
/// How far the nonces of forgeries are ahead.
const NONCES: u64 = 256;
/// Transactions in one call of the flood.
const BATCH: usize = 100;
/// Before anything is measured.
const WARM_UP: Duration = Duration::from_secs(2);
/// Least share of saturation that is left, and least share of what the modest ask for.
const FLOOR: f64 = 0.8;
const MODEST_FLOOR: f64 = 0.95;

/// What to do.
#[derive(Clone, Debug)]
pub struct Options {
    pub engine: EngineName,
    /// How long each part lasts.
    pub lasts: Duration,
    pub dir: Option<PathBuf>,
}

/// A stretch of time.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Part {
    /// Final transactions per second, of all senders.
    pub tps: f64,
    /// Share of what the modest handed in that became final within the part, and how soon.
    pub modest_share: f64,
    pub modest_latency_ms: Percentiles,
    /// View at its beginning and end: how often leaders were replaced.
    pub views: [u64; 2],
}

/// The result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub engine: String,
    pub seconds: f64,
    /// As much as the network takes, all of it valid.
    pub saturation: Part,
    pub flood: Part,
    /// Flood over saturation.
    pub goodput_share: f64,
    /// Handed in during the flood, in saturations.
    pub offered_times: f64,
    pub offered_valid: u64,
    pub forged: u64,
    /// Of the forged, refused by a node.
    pub forged_refused: u64,
    /// Calls of the flood that failed as a whole, like those that a node has no room for.
    pub failed_calls: u64,
    /// Modest transactions that are not final in the end.
    pub modest_missing: u64,
    /// What the chains of the nodes show that must never be.
    pub chain: Vec<String>,
}

/// Floods a network of its own. `tell` hears how it goes.
///
/// # Errors
/// Where the network cannot be started, or dies.
pub async fn run(options: Options, mut tell: impl FnMut(String)) -> anyhow::Result<Report> {
    let spec = Spec { engine: options.engine, validators: VALIDATORS, accounts: DEFAULT_ACCOUNTS };
    live::on_its_own(options.dir.clone(), "flood", spec, async |cluster| {
        all(&options, &cluster, &mut tell).await
    })
    .await
}

async fn all(
    options: &Options,
    cluster: &Cluster,
    tell: &mut impl FnMut(String),
) -> anyhow::Result<Report> {
    let parameter = Parameter::BlockTransactions(BLOCK);
    govern::pass(cluster, &Change::SetParameter { parameter }, |_| {}).await?;
    set_apart(cluster).await?;

    let modest = Background::of(cluster, Pace::Steady(MODEST_TPS), 0..MODEST).await?;
    let greedy = Background::of(cluster, Pace::InFlight(SATURATING), GREEDY).await?;
    tokio::time::sleep(WARM_UP).await;
    let saturation = part(cluster, &modest, options.lasts, || {}).await?;
    drop(greedy);
    tell(format!("saturation: {}", saturation.line()));

    let rate = saturation.tps * TIMES / 2.0;
    let greedy = Background::of(cluster, Pace::Steady(rate), GREEDY).await?;
    let forgers = Forgers::start(cluster, rate).await?;
    tokio::time::sleep(WARM_UP).await;
    let before = (greedy.progress().so_far().submitted, forgers.count());
    let mut after = before;
    let flood = part(cluster, &modest, options.lasts, || {
        after = (greedy.progress().so_far().submitted, forgers.count());
    })
    .await?;
    tell(format!("flood: {}", flood.line()));
    let (offered_valid, forged) = (after.0 - before.0, after.1.forged - before.1.forged);
    drop((greedy, forgers));
    // What still waits goes faster without delays.
    faults::heal(cluster)?;

    let seen = modest.seen().clone();
    let outcome = modest.finish().await?;
    let audit = audit(cluster, &seen).await?;
    let offered = (offered_valid + forged) as f64 / options.lasts.as_secs_f64();
    Ok(Report {
        engine: options.engine.to_string(),
        seconds: options.lasts.as_secs_f64(),
        saturation,
        flood,
        goodput_share: flood.tps / saturation.tps.max(f64::EPSILON),
        offered_times: offered / saturation.tps.max(f64::EPSILON),
        offered_valid,
        forged,
        forged_refused: after.1.refused - before.1.refused,
        failed_calls: after.1.failed - before.1.failed,
        modest_missing: outcome.submitted - outcome.finalized,
        chain: audit.problems(),
    })
}

/// Makes all links slow, for a leader who never knew them otherwise: how many blocks one keeps in
/// flight follows the round trips that it measured.
async fn set_apart(cluster: &Cluster) -> anyhow::Result<()> {
    let slow = || -> anyhow::Result<()> {
        for node in cluster.manifest()?.nodes {
            faults::order(cluster, node.id, Request::Delay { ms: DELAY.as_millis().try_into()? })?;
        }
        Ok(())
    };
    slow()?;
    let leader = faults::leader(cluster).await?.context("nobody leads")?;
    faults::restart(cluster, leader).await?;
    slow()
}

/// Measures for a while. `end` is called when it is over.
async fn part(
    cluster: &Cluster,
    modest: &Background,
    lasts: Duration,
    end: impl FnOnce(),
) -> anyhow::Result<Part> {
    let view = async || anyhow::Ok(view(cluster).await?.get());
    let first = view().await?;
    let _ = modest.progress().take_latencies();
    let (before, began) = (modest.progress().so_far(), Instant::now());
    tokio::time::sleep(lasts).await;
    let (after, ended) = (modest.progress().so_far(), Instant::now());
    end();
    let asked = (after.submitted - before.submitted).max(1);
    Ok(Part {
        tps: modest.seen().transactions_between(began, ended) as f64 / lasts.as_secs_f64(),
        modest_share: (after.finalized - before.finalized) as f64 / asked as f64,
        modest_latency_ms: modest.progress().take_latencies().unwrap_or_default(),
        views: [first, view().await?],
    })
}

async fn view(cluster: &Cluster) -> anyhow::Result<View> {
    Ok(rpc::http(&cluster.node(0)?, rpc::PATIENCE)?.state().await?.view)
}

/// Hand in transactions in the name of the modest, with signatures that do not match.
struct Forgers {
    counts: Arc<[AtomicU64; 3]>,
    _tasks: JoinSet<()>,
}

#[derive(Clone, Copy, Default)]
struct Forged {
    forged: u64,
    refused: u64,
    failed: u64,
}

impl Forgers {
    /// One per node, so many forgeries per second together.
    async fn start(cluster: &Cluster, rate: f64) -> anyhow::Result<Self> {
        let accounts = cluster.accounts()?;
        let (counts, mut tasks) = (Arc::<[AtomicU64; 3]>::default(), JoinSet::new());
        let nodes = cluster.manifest()?.nodes;
        let pause = Duration::from_secs_f64(BATCH as f64 * nodes.len() as f64 / rate);
        for (place, node) in nodes.iter().enumerate() {
            let client = Arc::new(rpc::websocket(node).await?);
            let status = ChainApiClient::status(&*client).await?;
            let victim = genesis::accounts::derive(&accounts.dev_seed, place as u32);
            let to = victim.public().address();
            let nonce = AccountApiClient::get(&*client, to).await?.next_nonce;
            let slot = Slot {
                chain_id: status.chain_id,
                nonce,
                expiry: Height::new(status.height_final.get() + LIFETIME),
            };
            let mut forgery = slot.transfer(&victim, to);
            let mut number = 0_u64;
            let counts = Arc::clone(&counts);
            tasks.spawn(async move {
                let mut ticks = tokio::time::interval(pause);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
                let mut calls = JoinSet::new();
                loop {
                    ticks.tick().await;
                    let batch = (0..BATCH).map(|_| {
                        // No two are the same, none is what was signed, and each has a nonce that
                        // the pool would take: only the signature tells.
                        number += 1;
                        forgery.payload.nonce = nonce + 1 + number % NONCES;
                        let memo = number.to_le_bytes().to_vec();
                        forgery.payload.body = Body::Transfer { to, amount: Amount::new(1), memo };
                        HexBytes(codec::encode(&forgery))
                    });
                    let (batch, client): (Vec<_>, _) = (batch.collect(), Arc::clone(&client));
                    let counts = Arc::clone(&counts);
                    counts[0].fetch_add(BATCH as u64, Ordering::Relaxed);
                    while calls.len() >= 64 {
                        calls.join_next().await;
                    }
                    calls.spawn(async move {
                        let is_refused =
                            |result: &&SubmitResult| matches!(result, SubmitResult::Refused { .. });
                        match client.submit_batch(batch).await {
                            Ok(results) => {
                                let refused = results.iter().filter(is_refused).count();
                                counts[1].fetch_add(refused as u64, Ordering::Relaxed);
                            }
                            Err(_) => _ = counts[2].fetch_add(1, Ordering::Relaxed),
                        }
                    });
                }
            });
        }
        Ok(Self { counts, _tasks: tasks })
    }

    fn count(&self) -> Forged {
        let [forged, refused, failed] =
            [0, 1, 2].map(|place| self.counts[place].load(Ordering::Relaxed));
        Forged { forged, refused, failed }
    }
}

impl Part {
    fn line(&self) -> String {
        let Percentiles { p50, p99, max, .. } = self.modest_latency_ms;
        format!(
            "{:.0} tx/s final; of the modest {:.1} % final, p50 {p50:.0} ms, p99 {p99:.0} ms, max {max:.0} \
             ms; views {} to {}",
            self.tps,
            100.0 * self.modest_share,
            self.views[0],
            self.views[1]
        )
    }
}

impl Verdict for Report {
    fn problems(&self) -> Vec<String> {
        let checks = [
            (self.saturation.tps == 0.0, "nothing was final before the flood".to_owned()),
            (
                self.goodput_share < FLOOR,
                format!("{:.0} % of saturation were left in the flood", 100.0 * self.goodput_share),
            ),
            (
                self.offered_times < TIMES * FLOOR,
                format!("the flood was only {:.1} saturations", self.offered_times),
            ),
            (
                self.flood.modest_share < MODEST_FLOOR,
                format!(
                    "{:.0} % of what the modest asked for was final in the flood",
                    100.0 * self.flood.modest_share
                ),
            ),
            (
                self.flood.views[0] != self.flood.views[1],
                format!("the leader was replaced in the flood: views {:?}", self.flood.views),
            ),
            (self.forged_refused == 0, "no forgery was refused: nobody looked".into()),
            (
                self.modest_missing > 0,
                format!("{} modest transactions did not become final", self.modest_missing),
            ),
        ];
        let problems = checks.into_iter().filter(|(broken, _)| *broken).map(|(_, problem)| problem);
        problems.chain(self.chain.iter().cloned()).collect()
    }

    fn summary(&self) -> String {
        format!(
            "saturation {}\nflood of {:.1} saturations ({} valid, {} forged of which {} refused): {}\n\
             {:.0} % of saturation left; {} of the modest missing",
            self.saturation.line(),
            self.offered_times,
            self.offered_valid,
            self.forged,
            self.forged_refused,
            self.flood.line(),
            100.0 * self.goodput_share,
            self.modest_missing
        )
    }
}
