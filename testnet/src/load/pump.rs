//! Hands transactions in at a rate, or as fast as they become final, and follows each until it is.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chain::types::Digest;
use jsonrpsee::ws_client::WsClient;
use node_api::{ApiError, ErrorCode, HexBytes, TxApiClient, tx::SubmitResult};
use tokio::sync::{mpsc, watch};

use super::pool::Pool;
use super::progress::Progress;
use super::sample::Latencies;
use super::seen::Seen;
use super::watch::{SeenBlock, follow_all};
use super::window::Window;
use crate::cluster::manifest::NodeEntry;
use crate::rpc;

/// Most transactions that wait for finality, whatever the rate.
const MAX_IN_FLIGHT: usize = 40_000;
/// Most transactions in one call.
const MAX_BATCH: usize = 256;
/// Up to this rate every transaction is a call of its own.
const SINGLE_TPS: f64 = 100.0;
/// A transaction that is not final by then is handed in again elsewhere: the validator that took
/// it may have died with it.
const STALE: Duration = Duration::from_secs(3);
/// How long the rest may take to become final at the end.
const DRAIN: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(1);

/// How fast to hand in.
#[derive(Clone, Debug)]
pub enum Pace {
    /// Transactions per second, come what may.
    Steady(f64),
    /// Transactions per second, as they are asked for meanwhile.
    Steered(watch::Receiver<f64>),
    /// As many at a time as become final soon enough.
    Closed,
    /// So many wait for finality at any time.
    InFlight(usize),
}

/// For how long.
#[derive(Clone, Debug)]
pub enum Until {
    /// Measures for `measured` after `warm_up`.
    Elapsed { warm_up: Duration, measured: Duration },
    /// Until told.
    Told(watch::Receiver<bool>),
    /// Until so many were handed in.
    Submitted(usize),
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Of all, warm-up included.
    pub submitted: u64,
    pub finalized: u64,
    /// In final blocks, refused by execution.
    pub failed: u64,
    /// Calls and transactions that nodes refused, by reason; handed in again where that helps.
    pub refusals: BTreeMap<String, u64>,
    /// Of those submitted after the warm-up.
    pub latencies: Latencies,
    /// Became final during the measured time.
    pub measured_final: u64,
    /// Final blocks during the measured time.
    pub measured_blocks: u64,
    pub measured: Duration,
    /// In flight at the end of the measured time.
    pub window: usize,
}

/// Answer to one call: which transactions it was about, and what the node said of each.
struct Answer {
    numbers: Vec<usize>,
    node: usize,
    verdict: Verdict,
}

enum Verdict {
    Each(Vec<Option<ErrorCode>>),
    /// Nobody answered.
    Unreachable,
}

/// One transaction on its way.
#[derive(Clone, Copy)]
struct Flight {
    submitted: Instant,
    is_final: bool,
}

/// Submits and follows.
pub struct Pump<'a> {
    nodes: Vec<NodeEntry>,
    pool: &'a mut Pool,
    pace: Pace,
    seen: Seen,
    progress: Progress,
    clients: Vec<Option<Arc<WsClient>>>,
    answers: mpsc::Receiver<Answer>,
    answer: mpsc::Sender<Answer>,
    flights: Vec<Flight>,
    /// No more than so many are handed in.
    most: usize,
    in_flight: usize,
    /// Sent, oldest first, to find those that got lost.
    watched: VecDeque<(Instant, usize)>,
    /// To be handed in again.
    again: VecDeque<usize>,
    window: Window,
    started: Instant,
    /// What a steered pace allows and was not used yet, and when that was looked at.
    credit: (f64, Instant),
    /// When the measured time begins and ends.
    measure: (Instant, Instant),
    outcome: Outcome,
    turn: usize,
}

impl std::fmt::Debug for Pump<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pump").field("in_flight", &self.in_flight).finish_non_exhaustive()
    }
}

impl<'a> Pump<'a> {
    pub fn new(nodes: Vec<NodeEntry>, pool: &'a mut Pool, pace: Pace, seen: Seen) -> Self {
        let (answer, answers) = mpsc::channel(4096);
        let now = Instant::now();
        Self {
            clients: vec![None; nodes.len()],
            nodes,
            pool,
            pace,
            seen,
            progress: Progress::default(),
            answers,
            answer,
            flights: Vec::new(),
            most: usize::MAX,
            in_flight: 0,
            watched: VecDeque::new(),
            again: VecDeque::new(),
            window: Window::new(MAX_IN_FLIGHT, now),
            started: now,
            credit: (0.0, now),
            measure: (now, now),
            outcome: Outcome::default(),
            turn: 0,
        }
    }

    /// Lets somebody see how it goes meanwhile.
    #[must_use]
    pub fn showing(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Runs to the end and waits until everything is final. `mark` is called when the measured
    /// time begins (`true`) and ends (`false`).
    ///
    /// # Errors
    /// Where no validator answers, or something does not become final.
    pub async fn run(
        mut self,
        until: Until,
        mut mark: impl FnMut(bool),
    ) -> anyhow::Result<Outcome> {
        let mut watch = follow_all(&self.nodes).await;
        self.started = Instant::now();
        let ages = Duration::from_secs(u32::MAX.into());
        let (mut told, warm_up, measured) = match until {
            Until::Told(told) => (Some(told), Duration::ZERO, ages),
            Until::Submitted(count) => {
                self.most = count;
                (None, Duration::ZERO, ages)
            }
            Until::Elapsed { warm_up, measured } => (None, warm_up, measured),
        };
        self.measure.0 = self.started + warm_up;
        self.measure.1 = self.measure.0 + measured;
        let mut marked = false;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                Some(block) = watch.blocks.recv() => self.on_block(block),
                Some(answer) = self.answers.recv() => self.on_answer(answer),
                _ = ticks.tick() => {
                    let now = Instant::now();
                    if !marked && now >= self.measure.0 {
                        marked = true;
                        mark(true);
                    }
                    let stop = told.as_mut().is_some_and(|told| *told.borrow_and_update())
                        || self.flights.len() >= self.most;
                    if stop || now >= self.measure.1 {
                        self.measure.1 = now;
                        break;
                    }
                    self.submit_due(now).await?;
                }
            }
        }
        mark(false);
        self.outcome.measured = self.measure.1 - self.measure.0;
        self.outcome.window = self.in_flight;
        self.drain(&mut watch.blocks).await?;
        Ok(self.outcome)
    }

    async fn drain(&mut self, blocks: &mut mpsc::Receiver<SeenBlock>) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + DRAIN;
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        while self.in_flight > 0 {
            tokio::select! {
                biased;
                Some(block) = blocks.recv() => self.on_block(block),
                Some(answer) = self.answers.recv() => self.on_answer(answer),
                _ = ticks.tick() => self.submit_lost(Instant::now()).await?,
                () = tokio::time::sleep_until(deadline) => break,
            }
        }
        Ok(())
    }

    /// Hands in what is due now.
    async fn submit_due(&mut self, now: Instant) -> anyhow::Result<()> {
        self.submit_lost(now).await?;
        let room = MAX_IN_FLIGHT.saturating_sub(self.in_flight);
        let due = match &self.pace {
            Pace::Steady(tps) => {
                let target = (now - self.started).as_secs_f64() * tps;
                (target as usize).saturating_sub(self.flights.len()).min(room)
            }
            Pace::Steered(rate) => {
                let (rate, (credit, last)) = (*rate.borrow(), self.credit);
                // What could not be handed in for a second is not made up for.
                let credit = (credit + (now - last).as_secs_f64() * rate).min(rate.max(1.0));
                let due = (credit as usize).min(room);
                self.credit = (credit - due as f64, now);
                due
            }
            Pace::InFlight(wanted) => (*wanted).min(MAX_IN_FLIGHT).saturating_sub(self.in_flight),
            Pace::Closed => {
                self.window.adjust(now);
                let due = self.window.size().min(MAX_IN_FLIGHT).saturating_sub(self.in_flight);
                // A few at a time would cost more calls than they are worth.
                if due < (self.window.size() / 16).min(MAX_BATCH) { 0 } else { due }
            }
        };
        let due = due.min(self.most.saturating_sub(self.flights.len()));
        if due == 0 {
            return Ok(());
        }
        if let Some(height) = self.seen.highest() {
            self.pool.renew(height);
        }
        let first = self.flights.len();
        let flight = Flight { submitted: now, is_final: false };
        self.flights.resize(first + due, flight);
        self.in_flight += due;
        self.outcome.submitted += due as u64;
        self.progress.submitted(due as u64);
        let numbers: Vec<usize> = (first..first + due).collect();
        self.send(numbers, now).await
    }

    /// Hands in again what was refused or got lost.
    async fn submit_lost(&mut self, now: Instant) -> anyhow::Result<()> {
        let mut numbers: Vec<usize> = Vec::new();
        while let Some((sent, number)) = self.watched.front().copied() {
            let is_final = self.flights[number].is_final;
            if !is_final && now.duration_since(sent) < STALE {
                break;
            }
            self.watched.pop_front();
            if !is_final {
                numbers.push(number);
            }
        }
        numbers.extend(self.again.drain(..).filter(|number| !self.flights[*number].is_final));
        if numbers.is_empty() {
            return Ok(());
        }
        // A sender's transactions in the order of their nonces, and at another node than before.
        numbers.sort_unstable();
        numbers.dedup();
        self.turn += 1;
        self.send(numbers, now).await
    }

    /// Hands transactions in: those of one sender all at one node, so that they arrive in order.
    async fn send(&mut self, numbers: Vec<usize>, now: Instant) -> anyhow::Result<()> {
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for number in numbers {
            let sender = number % self.pool.senders();
            groups[(sender + self.turn) % self.nodes.len()].push(number);
            self.watched.push_back((now, number));
        }
        let single = match &self.pace {
            Pace::Steady(tps) => *tps <= SINGLE_TPS,
            Pace::Steered(rate) => *rate.borrow() <= SINGLE_TPS,
            Pace::Closed | Pace::InFlight(_) => false,
        };
        let size = if single { 1 } else { MAX_BATCH };
        for (node, group) in groups.iter().enumerate() {
            for numbers in group.chunks(size) {
                self.call(node, numbers.to_vec()).await?;
            }
        }
        Ok(())
    }

    async fn call(&mut self, preferred: usize, numbers: Vec<usize>) -> anyhow::Result<()> {
        let (node, client) = self.client(preferred).await?;
        let bytes: Vec<HexBytes> =
            numbers.iter().map(|number| HexBytes(self.pool.get(*number).bytes.clone())).collect();
        let answer = self.answer.clone();
        tokio::spawn(async move {
            let verdict = submit(&client, bytes).await;
            // Nobody listens any more once the pump is done.
            let _ = answer.send(Answer { numbers, node, verdict }).await;
        });
        Ok(())
    }

    /// A connection to the preferred node, or to the next one that answers.
    async fn client(&mut self, preferred: usize) -> anyhow::Result<(usize, Arc<WsClient>)> {
        let deadline = Instant::now() + DRAIN;
        loop {
            for step in 0..self.nodes.len() {
                let node = (preferred + step) % self.nodes.len();
                if let Some(client) = &self.clients[node]
                    && client.is_connected()
                {
                    return Ok((node, Arc::clone(client)));
                }
                if let Ok(client) = rpc::websocket(&self.nodes[node]).await {
                    let client = Arc::new(client);
                    self.clients[node] = Some(Arc::clone(&client));
                    return Ok((node, client));
                }
            }
            if Instant::now() >= deadline {
                bail!("no validator answers: see `testnet status`");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn on_answer(&mut self, answer: Answer) {
        match answer.verdict {
            Verdict::Unreachable => {
                self.clients[answer.node] = None;
                self.refuse("unreachable", answer.numbers.len());
                self.again.extend(answer.numbers);
            }
            Verdict::Each(verdicts) => {
                for (number, code) in answer.numbers.into_iter().zip(verdicts) {
                    self.on_verdict(number, code);
                }
            }
        }
    }

    fn on_verdict(&mut self, number: usize, code: Option<ErrorCode>) {
        let Some(code) = code else {
            return;
        };
        // Known there already, or executed already: what was handed in again did arrive before.
        if matches!(code, ErrorCode::Duplicate | ErrorCode::BadNonce) {
            return;
        }
        self.refuse(code.name(), 1);
        // A node that is behind knows neither the nonces before nor how high the chain is.
        let behind = matches!(code, ErrorCode::NonceGap | ErrorCode::ExpiryTooFar);
        if code.is_transient() || behind {
            self.window.refused();
            self.again.push_back(number);
        }
    }

    fn refuse(&mut self, reason: &str, count: usize) {
        *self.outcome.refusals.entry(reason.to_owned()).or_default() += count as u64;
    }

    fn on_block(&mut self, block: SeenBlock) {
        if !self.seen.record(&block) {
            return;
        }
        let measured = block.seen >= self.measure.0 && block.seen < self.measure.1;
        self.outcome.measured_blocks += u64::from(measured);
        for (place, hash) in block.transactions.iter().enumerate() {
            let failed = block.failed.contains(&(place as u32));
            self.on_final(hash, block.seen, failed, measured);
        }
    }

    fn on_final(&mut self, hash: &Digest, seen: Instant, failed: bool, measured: bool) {
        let Some(number) = self.pool.number(hash) else {
            return;
        };
        let Some(flight) = self.flights.get_mut(number).filter(|flight| !flight.is_final) else {
            return;
        };
        flight.is_final = true;
        self.pool.release(number);
        self.in_flight -= 1;
        self.outcome.finalized += 1;
        self.outcome.failed += u64::from(failed);
        self.outcome.measured_final += u64::from(measured);
        let latency = seen - flight.submitted;
        self.window.record(latency);
        self.progress.finalized(latency, failed);
        if flight.submitted >= self.measure.0 {
            self.outcome.latencies.record(latency);
        }
    }
}

async fn submit(client: &WsClient, mut bytes: Vec<HexBytes>) -> Verdict {
    let refusal = |error: &jsonrpsee::core::ClientError| ApiError::from_client(error);
    if bytes.len() == 1
        && let Some(bytes) = bytes.pop()
    {
        return match client.submit(bytes).await {
            Ok(_) => Verdict::Each(vec![None]),
            Err(error) => match refusal(&error) {
                Some(error) => Verdict::Each(vec![Some(error.code)]),
                None => Verdict::Unreachable,
            },
        };
    }
    let count = bytes.len();
    match client.submit_batch(bytes).await {
        Ok(results) => Verdict::Each(
            results
                .into_iter()
                .map(|result| match result {
                    SubmitResult::Accepted { .. } => None,
                    SubmitResult::Refused { error } => Some(error.code),
                })
                .collect(),
        ),
        Err(error) => match refusal(&error) {
            Some(error) => Verdict::Each(vec![Some(error.code); count]),
            None => Verdict::Unreachable,
        },
    }
}

/// The nodes that a pump talks to.
///
/// # Errors
/// Where none runs.
pub fn targets(nodes: Vec<NodeEntry>) -> anyhow::Result<Vec<NodeEntry>> {
    let running: Vec<NodeEntry> = nodes.into_iter().filter(NodeEntry::is_alive).collect();
    running.first().context("no validator runs: start the testnet with `testnet up`")?;
    Ok(running)
}
