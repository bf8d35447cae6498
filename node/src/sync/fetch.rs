//! The task that catches up: asks several peers at once, checks what they say, and gives it to the
//! engine in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chain::block::BlockKind;
use chain::crypto::Verifier;
use chain::snapshot::Checkpoint;
use chain::types::{Digest, Height};
use chain::validator::ValidatorSet;
use consensus::application::Finals;
use consensus::engine::FaultModel;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::watch;

use super::Counters;
use super::check::{self, Lie};
use super::peers::Peers;
use super::progress::{Meter, SyncProgress};
use super::protocol::{Request, Response, Status};
use super::window::{Run, Wanted, Window};
use super::world::{Failed, Here, World};
use crate::network::PeerId;

/// How long a peer has to serve a run.
const RUN_PATIENCE: Duration = Duration::from_secs(10);
/// How long a peer has to say how far it is.
const STATUS_PATIENCE: Duration = Duration::from_secs(5);
/// How often each peer is asked how far it is.
const STATUS_EVERY: Duration = Duration::from_secs(2);
/// The same until enough of them were heard, and where nobody has what is missing.
const STATUS_SOON: Duration = Duration::from_millis(100);
/// How often what is due is looked for.
const TICK: Duration = Duration::from_millis(50);
/// So far behind a validator's engine may be before it gets help: it catches up by itself, from
/// one peer at a time.
const FAR: u64 = 2 * Finals::MAX_BLOCKS as u64;
/// A node that is behind and does not move for so long gets help, however close it is.
const STUCK: Duration = Duration::from_secs(3);
/// Runs that the engine has and did not commit yet, at most.
const MAX_FED: usize = 2;
/// How often it is said that nobody keeps the blocks that are missing.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// An engine that does not commit what it has for so long is given it again.
const UNMOVED: Duration = Duration::from_secs(20);

/// What a question came to.
enum Outcome {
    Status { peer: PeerId, status: Option<Status> },
    Run { peer: PeerId, wanted: Wanted, took: Duration, answer: Answer },
}

/// What a question for a run came to.
enum Answer {
    Run(Box<Run>),
    Empty,
    Lie(Lie),
    Failed(Failed),
}

/// What every run is held against.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) chain_id: Digest,
    pub(super) fault_model: FaultModel,
    pub(super) verifier: Arc<dyn Verifier>,
    pub(super) checkpoint: Option<Checkpoint>,
}

/// The task's state.
pub(super) struct Fetcher<W> {
    world: Arc<W>,
    rules: Rules,
    counters: Counters,
    peers: Peers,
    window: Window,
    asking: FuturesUnordered<BoxFuture<'static, Outcome>>,
    /// Last heights of the runs that the engine has and did not commit yet.
    fed: VecDeque<Height>,
    /// Height and hash of the last block that the engine was given.
    fed_tip: Option<(Height, Digest)>,
    /// The last height of this node, and when it came there.
    moved: (Height, Instant),
    progress: watch::Sender<SyncProgress>,
    meter: Meter,
    /// When it was said last that nobody keeps the blocks that are missing.
    complained: Option<Instant>,
}

/// The chain does not have the block that it must have: nothing more can be done.
#[derive(Debug)]
pub(super) struct WrongChain {
    pub(super) found: Digest,
}

impl<W: World> Fetcher<W> {
    pub(super) fn new(
        world: Arc<W>,
        rules: Rules,
        counters: Counters,
        progress: watch::Sender<SyncProgress>,
    ) -> Self {
        let root = world.here().height;
        Self {
            world,
            rules,
            counters,
            peers: Peers::default(),
            window: Window::new(root),
            asking: FuturesUnordered::new(),
            fed: VecDeque::new(),
            fed_tip: None,
            moved: (root, Instant::now()),
            progress,
            meter: Meter::new(),
            complained: None,
        }
    }

    /// Runs until the chain turns out not to have the block of the checkpoint.
    pub(super) async fn run(mut self) -> WrongChain {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let world = Arc::clone(&self.world);
            tokio::select! {
                _ = tick.tick() => {}
                () = world.changed() => {}
                Some(outcome) = self.asking.next() => self.take(outcome),
            }
            if let Err(wrong) = self.step().await {
                return wrong;
            }
        }
    }

    /// Does whatever is due.
    async fn step(&mut self) -> Result<(), WrongChain> {
        let (here, now) = (self.world.here(), Instant::now());
        self.note_height(here.height, now);
        self.peers.set(self.world.reachable());
        let progress = self.assess(&here, now);
        self.ask_status(&progress, now);
        if progress.fetching {
            let target = self.promising(&here);
            self.window.slide(here.height, target);
            self.ask_for_runs(now);
            self.feed(&here).await?;
            self.meter.note(here.height, &progress, now);
            self.complain_of_pruned(here.height.next(), now);
        } else if !self.window.is_empty() {
            self.start_over(here.height);
            self.meter.rest();
        }
        self.progress.send_if_modified(|current| {
            let changed = *current != progress;
            *current = progress;
            changed
        });
        Ok(())
    }

    fn note_height(&mut self, height: Height, now: Instant) {
        while self.fed.pop_front_if(|end| *end <= height).is_some() {}
        if self.moved.0 != height {
            self.moved = (height, now);
        } else if !self.fed.is_empty() && now.saturating_duration_since(self.moved.1) >= UNMOVED {
            tracing::warn!(%height, "the engine took no final blocks: they are fetched again");
            self.moved.1 = now;
            self.start_over(height);
        }
    }

    fn complain_of_pruned(&mut self, next: Height, now: Instant) {
        let lately = self.complained.is_some_and(|at| now < at + COMPLAIN_EVERY);
        if !lately && self.peers.have_pruned(next) {
            self.complained = Some(now);
            tracing::warn!(
                height = %next,
                "every peer has deleted the next block: begin with a snapshot (node run --sync snapshot)"
            );
        }
    }

    /// Forgets what was fetched; questions that are open come to nothing.
    fn start_over(&mut self, height: Height) {
        self.window = Window::new(height);
        self.fed.clear();
        self.fed_tip = None;
    }

    fn liars(&self, set: &ValidatorSet) -> usize {
        match self.rules.fault_model {
            FaultModel::Crash => 0,
            FaultModel::Byzantine => usize::from(set.max_faulty),
        }
    }

    /// How far it is worth to ask.
    fn promising(&self, here: &Here) -> Height {
        self.peers.promising(self.liars(&here.set)).max(self.world.best_final())
    }

    fn assess(&self, here: &Here, now: Instant) -> SyncProgress {
        let was_fetching = self.progress.borrow().fetching;
        let sure = self.peers.credible(self.liars(&here.set)).max(self.world.best_final());
        let behind = self.promising(here).get().saturating_sub(here.height.get());
        let still = now.saturating_duration_since(self.moved.1) >= STUCK;
        let fetching = behind > 0 && (!here.is_member || was_fetching || still || behind > FAR);
        SyncProgress {
            fetching,
            target: sure.max(here.height),
            heard: self.peers.members_heard() + usize::from(here.is_member),
            needed: here.set.quorums().quorum,
            peers: self.peers.able(here.height.next(), now),
        }
    }

    fn ask_status(&mut self, progress: &SyncProgress, now: Instant) {
        let enough = progress.heard >= progress.needed;
        // Gossip may show more than anyone said it has when it was asked last.
        let nobody_has_it = progress.fetching && progress.peers == 0;
        let pause = if enough && !nobody_has_it { STATUS_EVERY } else { STATUS_SOON };
        for peer in self.peers.due_status(pause, now) {
            let world = Arc::clone(&self.world);
            self.asking.push(Box::pin(async move {
                let answer = world.ask(peer, Request::Status, STATUS_PATIENCE).await;
                let status = match answer {
                    Ok((Response::Status(status), _)) => Some(status),
                    _ => None,
                };
                Outcome::Status { peer, status }
            }));
        }
    }

    fn ask_for_runs(&mut self, now: Instant) {
        let trusted = self.rules.fault_model == FaultModel::Crash;
        let set = self.world.here().set;
        for (wanted, asked) in self.window.wanted(now) {
            let Some(peer) = self.peers.choose(wanted.from, &asked, trusted, now) else {
                continue;
            };
            self.window.asked(wanted.piece, peer, now);
            self.peers.asked(&peer);
            let (world, rules, set) = (Arc::clone(&self.world), self.rules.clone(), set.clone());
            self.asking.push(Box::pin(async move {
                let began = Instant::now();
                let answer = ask_for_run(world.as_ref(), peer, wanted, rules, set).await;
                Outcome::Run { peer, wanted, took: began.elapsed(), answer }
            }));
        }
    }

    fn take(&mut self, outcome: Outcome) {
        let now = Instant::now();
        match outcome {
            Outcome::Status { peer, status } => self.peers.note_status(&peer, status, now),
            Outcome::Run { peer, wanted, took, answer } => {
                self.window.gave_up(wanted.piece, &peer);
                self.peers.answered(&peer);
                match answer {
                    Answer::Run(run) => {
                        self.peers.served(&peer, took);
                        self.counters.bytes.inc_by(run.bytes as u64);
                        self.window.put(wanted, *run);
                    }
                    Answer::Empty => self.peers.empty_handed(&peer, now),
                    Answer::Lie(lie) => self.ban(&peer, lie),
                    Answer::Failed(Failed::Ask(error)) => {
                        tracing::debug!(%peer, %error, "a peer served no final blocks");
                        self.counters.failed.inc();
                        self.peers.late(&peer, took, now);
                    }
                    Answer::Failed(Failed::Malformed(_)) => {
                        self.ban(&peer, Lie("an answer that is none"));
                    }
                }
            }
        }
    }

    fn ban(&mut self, peer: &PeerId, lie: Lie) {
        tracing::warn!(%peer, %lie, "a peer lied about the final chain: it is not asked for a while");
        self.counters.banned.inc();
        self.peers.ban(peer, Instant::now());
        self.window.drop_of(peer);
        self.world.blame(peer, lie.0);
    }

    /// Gives the engine the next runs, as fast as it commits them.
    async fn feed(&mut self, here: &Here) -> Result<(), WrongChain> {
        while self.fed.len() < MAX_FED {
            let tip = self.fed_tip.filter(|(height, _)| *height > here.height);
            let tip = tip.unwrap_or((here.height, here.hash));
            let Some(run) = self.window.front() else { return Ok(()) };
            if run.first() > tip.0.next() {
                return Ok(());
            }
            let supplier = run.supplier;
            if !run.checked && self.rules.fault_model == FaultModel::Byzantine {
                // The set of its epoch is known once the barrier below it is committed.
                if run.finals.blocks[0].header.epoch != here.set.epoch {
                    if self.fed.is_empty() && tip.0 == here.height {
                        self.ban(&supplier, Lie("blocks of another epoch"));
                    }
                    return Ok(());
                }
                let lie = check::proof(
                    &run.finals,
                    &self.rules.chain_id,
                    &here.set,
                    self.rules.verifier.as_ref(),
                );
                if let Err(lie) = lie {
                    self.ban(&supplier, lie);
                    continue;
                }
            }
            let first = &run.finals.blocks[0].header;
            if first.height == tip.0.next() && first.parent != tip.1 {
                self.ban(&supplier, Lie("blocks that do not follow on the chain"));
                continue;
            }
            let Some(run) = self.window.take_front() else { return Ok(()) };
            self.hold_against_checkpoint(&run.finals)?;
            self.hand_over(run).await;
        }
        Ok(())
    }

    async fn hand_over(&mut self, run: Run) {
        let Some(last) = run.finals.blocks.last() else { return };
        self.fed.push_back(last.header.height);
        self.fed_tip = Some((last.header.height, last.hash()));
        if last.header.kind == BlockKind::Barrier {
            tracing::debug!(height = %last.header.height, "fetched the end of an epoch");
        }
        self.counters.blocks.inc_by(run.finals.blocks.len() as u64);
        self.world.feed(run.finals, run.bytes).await;
    }

    fn hold_against_checkpoint(&self, finals: &Finals) -> Result<(), WrongChain> {
        let Some(checkpoint) = self.rules.checkpoint else { return Ok(()) };
        let at = finals.blocks.iter().find(|block| block.header.height == checkpoint.height);
        match at.map(chain::block::SealedBlock::hash) {
            Some(found) if found != checkpoint.hash => Err(WrongChain { found }),
            _ => Ok(()),
        }
    }
}

/// Asks one peer for a run, and checks what can be checked by now.
async fn ask_for_run<W: World>(
    world: &W,
    peer: PeerId,
    wanted: Wanted,
    rules: Rules,
    set: ValidatorSet,
) -> Answer {
    let request = Request::Finals { from: wanted.from, until: wanted.until };
    let (finals, bytes) = match world.ask(peer, request, RUN_PATIENCE).await {
        Ok((Response::Finals(Some(finals)), bytes)) => (finals, bytes),
        Ok((Response::Finals(None), _)) => return Answer::Empty,
        Ok(_) => return Answer::Lie(Lie("an answer to another question")),
        Err(error) => return Answer::Failed(error),
    };
    let checking = tokio::task::spawn_blocking(move || {
        check::form(&finals, wanted.from, &rules.chain_id)?;
        let can_check = rules.fault_model == FaultModel::Byzantine
            && finals.blocks[0].header.epoch == set.epoch;
        if can_check {
            check::proof(&finals, &rules.chain_id, &set, rules.verifier.as_ref())?;
        }
        Ok(Run { supplier: peer, finals, bytes, checked: can_check })
    });
    match checking.await {
        Ok(Ok(run)) => Answer::Run(Box::new(run)),
        Ok(Err(lie)) => Answer::Lie(lie),
        Err(error) => Answer::Failed(Failed::Malformed(error.to_string())),
    }
}
