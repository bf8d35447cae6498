//! The consensus thread: one OS thread that runs the driver with blocking, synced writes.
//!
//! Everything that waits is taken in one turn, so it shares one sync. Async tasks reach the
//! thread through the bounded [`Inbox`] and the bounded line of reads alone, and hear of it
//! through channels.

mod guard;
mod reads;
mod rollback;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chain::crypto::{Signer, Verifier};
use chain::types::{Digest, Height};
use consensus::application::{Application, Storage, StorageError};
use consensus::driver::{Driver, Incoming, Outbox};
use consensus::engine::{Config, Engine, Event, FaultModel, Recovered, Status, Time};
use consensus::message::EngineMessage;
use tokio::sync::{broadcast, oneshot, watch};

pub use guard::GUARDED;
use guard::Guard;
pub use reads::{MAX_READS, ReadError};
use reads::{PendingReads, ReadLine};
pub use rollback::Rollback;

use crate::network::{Inbox, NetworkHandle, SharedRoster, Waited};
use crate::space::FreeSpace;

/// Events that a slow subscriber may lag behind before it misses some.
const EVENTS: usize = 4096;
/// Shortest time between two announcements of how far the chain is.
const ANNOUNCE_EVERY: Duration = Duration::from_millis(250);
/// Time after which it is announced again where it is no farther: for those who came since.
const ANNOUNCE_AGAIN: Duration = Duration::from_secs(2);

/// Everything that a consensus thread starts from.
pub struct Parts<E: Engine, A, S> {
    pub config: Config,
    pub recovered: Recovered<E::Record>,
    pub signer: Box<dyn Signer + Send>,
    pub application: A,
    pub storage: S,
    pub outbox: Box<dyn Outbox<E::Message> + Send>,
    pub inbox: Arc<Inbox<E::Message>>,
    pub network: NetworkHandle,
    pub roster: SharedRoster,
    /// Where this is low, nothing is promised any more.
    pub space: FreeSpace,
    /// Told of every turn, on the consensus thread: must be quick.
    pub observer: Box<dyn Observer>,
}

impl<E: Engine, A, S> std::fmt::Debug for Parts<E, A, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Measures the consensus thread.
pub trait Observer: Send {
    /// A turn took so long over so many messages, and this came of it.
    fn turn(&mut self, took: Duration, messages: usize, status: &Status, events: &[Event]);
}

/// Why a consensus thread ended by itself. The node must not go on.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Rollback(#[from] Rollback),
    #[error("the consensus thread broke an invariant; see the message above")]
    Panicked,
    #[error("the system starts no thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Hears of a consensus thread; cheap to clone.
#[derive(Clone, Debug)]
pub struct ConsensusHandle {
    status: watch::Receiver<Status>,
    events: broadcast::Sender<Event>,
    reads: Arc<ReadLine>,
}

impl ConsensusHandle {
    /// A handle without a thread behind it: what it tells is in the test's hands.
    #[cfg(test)]
    pub(crate) fn fake(
        status: watch::Receiver<Status>,
        events: broadcast::Sender<Event>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self { status, events, reads: ReadLine::new(Box::new(wake)) }
    }

    /// Answers all reads that wait, in place of the thread.
    #[cfg(test)]
    pub(crate) fn answer_reads(&self, height: Height) {
        let mut pending = PendingReads::new(Arc::clone(&self.reads));
        if let Some(id) = pending.take() {
            pending.answer(id, height);
        }
    }

    /// What the engine is doing, renewed after every turn.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// What happens from now on.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }
}

/// A running consensus thread. Dropping it ends the thread as [`stop`](Self::stop) does: it holds
/// the store, which must not be in use when the process goes.
#[derive(Debug)]
pub struct ConsensusHost<M> {
    pub handle: ConsensusHandle,
    inbox: Arc<Inbox<M>>,
    ended: oneshot::Receiver<Result<(), HostError>>,
    /// `None` once it is waited for.
    thread: Option<JoinHandle<()>>,
}

impl<M> Drop for ConsensusHost<M> {
    fn drop(&mut self) {
        self.inbox.stop();
        if let Some(thread) = self.thread.take() {
            // As below.
            let _ = thread.join();
        }
    }
}

impl<M: EngineMessage> ConsensusHost<M> {
    /// Starts the thread, and returns once the engine took up its work.
    ///
    /// # Errors
    /// [`HostError`] where the engine could not start.
    pub async fn start<E, A, S>(parts: Parts<E, A, S>) -> Result<Self, HostError>
    where
        E: Engine<Message = M>,
        E::Record: Send,
        A: Application + Send + 'static,
        S: Storage<E::Record> + Send + 'static,
        Parts<E, A, S>: Send + 'static,
    {
        let inbox = parts.inbox.clone();
        let (started, starting) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("consensus".into()).spawn(move || {
            match Host::start(parts) {
                Ok((host, handle)) => {
                    // Where nobody waits any more, nobody would ever stop it.
                    if started.send(Ok(handle)).is_ok() {
                        let _ = end.send(host.run());
                    }
                }
                Err(error) => drop(started.send(Err(error))),
            }
        })?;
        let handle = starting.await.map_err(|_| HostError::Panicked)??;
        Ok(Self { handle, inbox, ended, thread: Some(thread) })
    }

    /// Waits until the thread ends by itself: only ever with an error.
    pub async fn failed(&mut self) -> HostError {
        match (&mut self.ended).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => HostError::Panicked,
        }
    }

    /// Ends the thread after its present turn, and waits for that: nothing is half written then.
    pub async fn stop(mut self) {
        self.inbox.stop();
        if let Some(thread) = self.thread.take() {
            // A thread that failed has said so through `failed`.
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }
}

/// What the thread owns.
struct Host<E: Engine, A, S> {
    driver: Driver<E, A, S>,
    chain_id: Digest,
    verifier: Arc<dyn Verifier>,
    outbox: Box<dyn Outbox<E::Message> + Send>,
    inbox: Arc<Inbox<E::Message>>,
    network: NetworkHandle,
    roster: SharedRoster,
    space: FreeSpace,
    observer: Box<dyn Observer>,
    status: watch::Sender<Status>,
    events: broadcast::Sender<Event>,
    reads: PendingReads,
    /// The zero of the engine's time.
    epoch: Instant,
    announced: (Instant, Height),
}

impl<E, A, S> Host<E, A, S>
where
    E: Engine,
    A: Application,
    S: Storage<E::Record>,
{
    fn start(parts: Parts<E, A, S>) -> Result<(Self, ConsensusHandle), HostError> {
        let Parts { config, recovered, signer, application, storage, .. } = parts;
        let promised = recovered.record.as_ref().and_then(E::promised);
        let guard = Guard::new(parts.outbox, config.chain_id, config.me, promised.as_ref());
        let mut outbox: Box<dyn Outbox<E::Message> + Send> = Box::new(guard);
        let epoch = Instant::now();
        let final_height = recovered.final_height;
        let (chain_id, verifier) = (config.chain_id, Arc::clone(&config.verifier));
        let driver = Driver::start(
            config,
            recovered,
            signer,
            application,
            storage,
            Time::default(),
            outbox.as_mut(),
        )?;
        let (status, status_receiver) = watch::channel(driver.status());
        let (events, _) = broadcast::channel(EVENTS);
        let inbox = Arc::clone(&parts.inbox);
        let reads = ReadLine::new(Box::new(move || inbox.wake()));
        let handle = ConsensusHandle {
            status: status_receiver,
            events: events.clone(),
            reads: Arc::clone(&reads),
        };
        let mut host = Self {
            driver,
            chain_id,
            verifier,
            outbox,
            inbox: parts.inbox,
            network: parts.network,
            roster: parts.roster,
            space: parts.space,
            observer: parts.observer,
            status,
            events,
            reads: PendingReads::new(reads),
            epoch,
            announced: (epoch, final_height),
        };
        host.publish(Duration::ZERO, 0);
        Ok((host, handle))
    }

    fn run(mut self) -> Result<(), HostError> {
        loop {
            let deadline = if self.space.is_low() {
                Some(self.space.next_look())
            } else {
                self.driver.next_timeout().map(|time| self.instant(time))
            };
            let messages = match self.inbox.wait(deadline) {
                Waited::Turn(messages) => messages,
                Waited::Stopped => return Ok(()),
            };
            if self.space.is_low() {
                // As if they were lost on the way: the protocol offers again.
                continue;
            }
            let began = Instant::now();
            let count = messages.len();
            rollback::check(
                self.driver.engine(),
                &self.chain_id,
                self.verifier.as_ref(),
                messages.iter().map(|(_, message)| message),
            )?;
            // A message may change who sits where, so every sender is looked up in its turn.
            let (roster, own) = (self.roster.clone(), self.network.me());
            let incoming = messages.into_iter().filter_map(|(peer, message)| {
                let roster = roster.get();
                // In its own name this node puts in the final blocks that it fetched and checked.
                let from = if peer == own { roster.any_other() } else { roster.index(&peer) };
                from.map(|from| Incoming { from, message })
            });
            let now = self.time(began);
            self.driver.turn(now, incoming, self.outbox.as_mut())?;
            if let Some(id) = self.reads.take() {
                self.driver.read(now, id, self.outbox.as_mut())?;
            }
            self.publish(began.elapsed(), count);
        }
    }

    /// Tells everyone who listens what came of a turn.
    fn publish(&mut self, took: Duration, messages: usize) {
        let (status, events) = (self.driver.status(), self.driver.take_events());
        self.observer.turn(took, messages, &status, &events);
        for event in events {
            self.note(&event);
            // Nobody needs to listen.
            let _ = self.events.send(event);
        }
        self.announce(&status);
        self.status.send_if_modified(|current| {
            let changed = *current != status;
            *current = status;
            changed
        });
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Ordered { .. } => {}
            // The turn that made this ready has committed already.
            Event::ReadReady { id, height } => self.reads.answer(*id, *height),
            Event::ModeChanged { height, from, to, reason } => {
                tracing::info!(%height, %from, %to, ?reason, "mode changed");
            }
            Event::ViewLeft { epoch, view, reason } => {
                tracing::info!(%epoch, %view, ?reason, "left view");
            }
            Event::ViewStarted { epoch, view, leader } => {
                tracing::info!(%epoch, %view, %leader, "view started");
            }
            Event::EpochStarted { epoch, validators } => {
                tracing::info!(%epoch, validators = validators.len(), "epoch started");
            }
            Event::EvidenceFound { evidence } => tracing::warn!(
                accused = %evidence.accused(),
                epoch = %evidence.epoch(),
                view = %evidence.view(),
                height = %evidence.height(),
                "validator caught signing two things that exclude each other"
            ),
            Event::BlockRefused { proposer, block, reason } => {
                tracing::warn!(%proposer, %block, reason, "refused a block");
            }
            Event::PeerFault { from, fault } => {
                if let Some(peer) = self.roster.get().peer(*from) {
                    self.network.report_refused(peer, fault.0);
                }
            }
        }
    }

    /// Tells the network how far the chain is, now and then.
    fn announce(&mut self, status: &Status) {
        let (at, height) = self.announced;
        let pause = if status.final_height > height { ANNOUNCE_EVERY } else { ANNOUNCE_AGAIN };
        if at.elapsed() >= pause {
            self.announced = (Instant::now(), status.final_height);
            match (E::FAULT_MODEL, &status.certificate) {
                (FaultModel::Crash, _) => self.network.claim_final(status.final_height),
                (FaultModel::Byzantine, Some(shown)) => self.network.announce_final(shown),
                (FaultModel::Byzantine, None) => {}
            }
        }
    }

    fn time(&self, instant: Instant) -> Time {
        Time::default() + instant.saturating_duration_since(self.epoch)
    }

    fn instant(&self, time: Time) -> Instant {
        // A time past what the clock can express is as good as a century.
        let century = Duration::from_secs(100 * 365 * 24 * 3600);
        self.epoch + time.since(Time::default()).min(century)
    }
}
