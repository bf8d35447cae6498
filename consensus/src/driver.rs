//! The one order in which an engine's output may happen.
//!
//! Per turn: feed inputs and answer the engine's requests; send what reveals no promise; persist
//! and sync the safety record with the blocks it rests on; sign and release what waited for that;
//! commit (a barrier before the record of the epoch it opens); and go round again with the node's own signed messages until nothing is left. All
//! inputs that wait are taken in one turn, so they share one sync (group commit).

use std::collections::VecDeque;
use std::sync::Arc;

use chain::block::{BlockKind, SealedBlock};
use chain::crypto::Signer;
use chain::types::ValidatorIndex;
use chain::validator::ValidatorSet;

use crate::application::{Application, Commit, Storage, StorageError};
use crate::engine::{
    Config, Engine, Event, Input, Outgoing, Output, Recipients, Recovered, Request, Status, Time,
};

/// Largest answer to a peer that catches up, in bytes of blocks.
const FINALS_BYTES: usize = 1024 * 1024;

/// Where messages leave. Sending never blocks and may lose: the protocol offers again.
pub trait Outbox<M> {
    fn send(&mut self, to: Recipients, message: &M);

    /// Who sits where from now on: see [`Engine::sets`]. Told before anything else is sent, and in
    /// the middle of a turn where it changes there.
    fn seat(&mut self, sets: &[ValidatorSet]);
}

/// A message as it came from the network.
#[derive(Clone, Debug)]
pub struct Incoming<M> {
    pub from: ValidatorIndex,
    pub message: M,
}

/// Runs an engine: owns its signing key, its storage and its execution. A clone goes its own way
/// from the same state, as a search of all schedules needs it.
#[derive(Clone)]
pub struct Driver<E: Engine, A, S> {
    engine: E,
    application: A,
    storage: S,
    signer: Arc<dyn Signer + Send>,
    /// Set once the storage failed: nothing is promised any more.
    failed: bool,
    inbox: VecDeque<Input<E::Message>>,
    output: Output<E::Message, E::Draft>,
    commits: Vec<Commit>,
    persist: bool,
    blocks: Vec<SealedBlock>,
    events: Vec<Event>,
    /// As the outbox was told.
    seated: Vec<ValidatorSet>,
}

impl<E: Engine, A, S> std::fmt::Debug for Driver<E, A, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl<E: Engine, A: Application, S: Storage<E::Record>> Driver<E, A, S> {
    /// Starts an engine from what the disk gave back.
    ///
    /// # Errors
    /// A storage error.
    pub fn start(
        config: Config,
        recovered: Recovered<E::Record>,
        signer: Box<dyn Signer + Send>,
        application: A,
        storage: S,
        now: Time,
        outbox: &mut dyn Outbox<E::Message>,
    ) -> Result<Self, StorageError> {
        assert_eq!(config.me, signer.public(), "the engine speaks for the key that signs");
        let mut output = Output::default();
        let engine = E::recover(config, recovered, now, &mut output);
        let mut driver = Self {
            engine,
            application,
            storage,
            signer: Arc::from(signer),
            failed: false,
            inbox: VecDeque::new(),
            output,
            commits: Vec::new(),
            persist: false,
            blocks: Vec::new(),
            events: Vec::new(),
            seated: Vec::new(),
        };
        driver.collect(outbox)?;
        driver.settle(now, outbox)?;
        Ok(driver)
    }

    /// One turn over everything that waits. An empty `incoming` is a wake-up call.
    ///
    /// # Errors
    /// A storage error. The driver then refuses every further turn.
    pub fn turn(
        &mut self,
        now: Time,
        incoming: impl IntoIterator<Item = Incoming<E::Message>>,
        outbox: &mut dyn Outbox<E::Message>,
    ) -> Result<(), StorageError> {
        assert!(!self.failed, "a driver whose storage failed must not run on");
        self.inbox.push_back(Input::Work {
            oldest_pending: self.application.oldest_pending(),
            pending_count: self.application.pending_count(),
        });
        self.feed(now, outbox)?;
        for Incoming { from, message } in incoming {
            match self.engine.verify(from, message) {
                Ok(message) => self.inbox.push_back(Input::Message { from, message }),
                Err(fault) => self.events.push(Event::PeerFault { from, fault }),
            }
            // Verified against the state that the earlier messages of this turn leave behind.
            self.feed(now, outbox)?;
        }
        self.inbox.push_back(Input::Wake);
        self.settle(now, outbox)
    }

    /// Asks for a state as new as now: [`Event::ReadReady`] tells when and where it is.
    ///
    /// # Errors
    /// As [`turn`](Self::turn).
    pub fn read(
        &mut self,
        now: Time,
        id: u64,
        outbox: &mut dyn Outbox<E::Message>,
    ) -> Result<(), StorageError> {
        assert!(!self.failed, "a driver whose storage failed must not run on");
        self.inbox.push_back(Input::Read { id });
        self.settle(now, outbox)
    }

    /// When [`turn`](Self::turn) is due even without messages.
    pub fn next_timeout(&self) -> Option<Time> {
        self.engine.next_timeout()
    }

    pub fn status(&self) -> Status {
        self.engine.status()
    }

    pub fn engine(&self) -> &E {
        &self.engine
    }

    pub fn application(&self) -> &A {
        &self.application
    }

    pub fn application_mut(&mut self) -> &mut A {
        &mut self.application
    }

    pub fn storage(&self) -> &S {
        &self.storage
    }

    /// Takes what happened since the last call.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Gives the parts back, as a crash or a shutdown leaves them.
    pub fn into_parts(self) -> (A, S) {
        (self.application, self.storage)
    }

    /// Until nothing is left to do: feed, persist, release, commit.
    fn settle(
        &mut self,
        now: Time,
        outbox: &mut dyn Outbox<E::Message>,
    ) -> Result<(), StorageError> {
        loop {
            self.feed(now, outbox)?;
            self.flush(outbox)?;
            if self.inbox.is_empty() {
                return Ok(());
            }
        }
    }

    /// Feeds the inbox to the engine and answers its requests.
    fn feed(&mut self, now: Time, outbox: &mut dyn Outbox<E::Message>) -> Result<(), StorageError> {
        while let Some(input) = self.inbox.pop_front() {
            self.engine.step(now, input, &mut self.output);
            self.collect(outbox)?;
        }
        Ok(())
    }

    /// Takes the engine's output apart: answers requests, sends what may leave at once, keeps the
    /// rest for [`flush`](Self::flush). Whom that is for is said first.
    fn collect(&mut self, outbox: &mut dyn Outbox<E::Message>) -> Result<(), StorageError> {
        if !self.output.send.is_empty() || !self.output.requests.is_empty() {
            self.seat(outbox);
        }
        self.persist |= std::mem::take(&mut self.output.persist);
        self.blocks.append(&mut self.output.blocks);
        self.commits.append(&mut self.output.commits);
        self.events.append(&mut self.output.events);
        for request in std::mem::take(&mut self.output.requests) {
            self.answer(request, outbox)?;
        }
        for outgoing in std::mem::take(&mut self.output.send) {
            self.release(outgoing, outbox);
        }
        Ok(())
    }

    /// Tells who sits where, if that changed: before anything is sent, and at the end of a turn.
    fn seat(&mut self, outbox: &mut dyn Outbox<E::Message>) {
        if self.seated != self.engine.sets() {
            self.seated = self.engine.sets().to_vec();
            outbox.seat(&self.seated);
        }
    }

    fn answer(
        &mut self,
        request: Request,
        outbox: &mut dyn Outbox<E::Message>,
    ) -> Result<(), StorageError> {
        let input = match request {
            Request::Build(request) => {
                let payload = self.application.build(&request);
                Input::Built { request, payload }
            }
            Request::Execute(block) => {
                Input::Executed { block: block.hash(), verdict: self.application.execute(&block) }
            }
            Request::FinalHash(height) => {
                Input::FinalHash { height, hash: self.storage.final_hash(height)? }
            }
            Request::ServeFinals { to, from } => {
                if let Some(finals) = self.storage.finals(from, FINALS_BYTES)? {
                    outbox.send(Recipients::One(to), &E::finals_message(finals));
                }
                return Ok(());
            }
        };
        self.inbox.push_back(input);
        Ok(())
    }

    /// Persists, then releases what waited, then commits.
    fn flush(&mut self, outbox: &mut dyn Outbox<E::Message>) -> Result<(), StorageError> {
        self.seat(outbox);
        let waiting = std::mem::take(&mut self.output.send_after_persist);
        // The record of a new epoch must not reach the disk without the barrier that opened it:
        // its sync then covers both.
        if self.commits.iter().any(|commit| commit.block.header.kind == BlockKind::Barrier) {
            self.commit()?;
        }
        if self.persist || !self.blocks.is_empty() {
            let written = self.storage.persist(&self.engine.record(), &self.blocks);
            self.failed |= written.is_err();
            written?;
            self.persist = false;
            self.blocks.clear();
        }
        for outgoing in waiting {
            self.release(outgoing, outbox);
        }
        self.commit()
    }

    fn commit(&mut self) -> Result<(), StorageError> {
        if !self.commits.is_empty() {
            let committed = self.application.commit(&self.commits);
            self.failed |= committed.is_err();
            committed?;
            self.commits.clear();
        }
        Ok(())
    }

    fn release(
        &mut self,
        outgoing: Outgoing<E::Message, E::Draft>,
        outbox: &mut dyn Outbox<E::Message>,
    ) {
        let (to, draft) = match outgoing {
            Outgoing::Ready(to, message) => return outbox.send(to, &message),
            Outgoing::Sign(to, draft) => (Some(to), draft),
            Outgoing::SignForSelf(draft) => (None, draft),
        };
        let Some(me) = self.engine.me() else {
            return;
        };
        let message = self.engine.sign(draft, self.signer.as_ref());
        if let Some(to) = to {
            outbox.send(to, message.get());
        }
        self.inbox.push_back(Input::Message { from: me, message });
    }
}
