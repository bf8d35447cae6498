//! The contract between an engine and the world.

use std::sync::Arc;
use std::time::Duration;

use chain::block::{Mode, SealedBlock};
use chain::certificate::Certificate;
use chain::crypto::{PublicKey, Signer, Verifier};
use chain::evidence::Evidence;
use chain::finality::FinalityProof;
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;

use crate::application::{BuildRequest, BuiltPayload, Commit, Executed, InvalidBlock};
use crate::footprint::Footprint;
use crate::message::EngineMessage;
use crate::policy::Policy;

/// Monotonic time in nanoseconds since an arbitrary start. Never read from a clock in here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Time passed since an earlier moment; zero if that was not earlier.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Time {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

/// Settings of an engine that every validator of a chain shares, and its own identity.
#[derive(Clone)]
pub struct Config {
    pub chain_id: Digest,
    /// This node's consensus key. Not in the validator set: an observer.
    pub me: PublicKey,
    pub verifier: Arc<dyn Verifier>,
    /// Smallest view timeout.
    pub timeout_min: Duration,
    /// Largest view timeout: the cap of every back-off.
    pub timeout_max: Duration,
    /// Pause between two signs of life of an idle leader, and between two offers of what a peer
    /// may have missed. Well below `timeout_min`.
    pub heartbeat: Duration,
    /// How long a block with a quorum waits for the fast quorum before the commit phase.
    pub grace: Duration,
    /// While blocks are in flight, shortest time between two proposals: lets blocks fill up.
    pub block_interval: Duration,
    /// A block with this many waiting transactions is worth sending before `block_interval`.
    pub batch: usize,
    /// Most blocks above the highest certificate.
    pub pipeline: u64,
    /// How this node chooses the mode where it leads, in an engine that has two.
    pub policy: Policy,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("chain_id", &self.chain_id)
            .field("me", &self.me)
            .field("timeout_min", &self.timeout_min)
            .field("timeout_max", &self.timeout_max)
            .field("pipeline", &self.pipeline)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Where a node stands when its engine starts: what the disk gave back.
#[derive(Clone, Debug)]
pub struct Recovered<R> {
    /// The validator set in force after the last final block.
    pub validators: ValidatorSet,
    /// The last final block; genesis has height 0 and no block.
    pub final_height: Height,
    pub final_hash: Digest,
    /// The last final block itself; `None` on genesis.
    pub final_block: Option<SealedBlock>,
    /// Its proof, in engines that tolerate Byzantine validators.
    pub final_proof: Option<FinalityProof>,
    /// The block that opened the current epoch: genesis or the last barrier.
    pub opening_height: Height,
    pub opening_hash: Digest,
    /// Mode of that block: the mode of the epoch's first view.
    pub opening_mode: Mode,
    /// The last final blocks, ascending, at most [`RECENT_HEADERS`].
    pub recent: Vec<Footprint>,
    /// Proposed blocks above the last final one.
    pub blocks: Vec<SealedBlock>,
    /// The safety record, if one was ever written.
    pub record: Option<R>,
}

/// How many committed blocks the switching policy looks at.
pub const RECENT_HEADERS: usize = 256;

/// A message whose signatures were all checked. Only an engine makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<M>(M);

impl<M> Verified<M> {
    pub(crate) fn new(message: M) -> Self {
        Self(message)
    }

    pub fn get(&self) -> &M {
        &self.0
    }

    pub fn into_inner(self) -> M {
        self.0
    }
}

/// A peer sent what no correct peer sends. Not an error of ours: the message is dropped, the peer
/// scored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub &'static str);

/// What happens to an engine.
#[derive(Clone, Debug)]
pub enum Input<M> {
    /// [`Engine::next_timeout`] is due, or transactions arrived.
    Wake,
    /// From a validator of the current set; own signed messages come back this way too.
    Message { from: ValidatorIndex, message: Verified<M> },
    /// The answer to [`Request::Build`].
    Built { request: BuildRequest, payload: BuiltPayload },
    /// The answer to [`Request::Execute`].
    Executed { block: Digest, verdict: Result<Executed, InvalidBlock> },
    /// The answer to [`Request::FinalHash`].
    FinalHash { height: Height, hash: Option<Digest> },
    /// A client asks for a state that is as new as this question.
    Read { id: u64 },
    /// What execution has to do, told before every other input of a turn.
    Work { oldest_pending: Option<Digest>, pending_count: usize },
}

/// What an engine wants from execution and storage; the driver answers within the same turn.
#[derive(Clone, Debug)]
pub enum Request {
    Build(BuildRequest),
    Execute(SealedBlock),
    FinalHash(Height),
    /// Send final blocks from this height to a peer that asked.
    ServeFinals {
        to: ValidatorIndex,
        from: Height,
    },
}

/// Who gets a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// Every other validator.
    Others,
    One(ValidatorIndex),
}

/// A message on its way out: ready, or waiting for the driver's signature. What the driver signs
/// it also gives back to the engine, so own votes take the path of everybody else's.
#[derive(Clone, Debug)]
pub enum Outgoing<M, D> {
    Ready(Recipients, M),
    Sign(Recipients, D),
    /// Sign and give back to the engine alone.
    SignForSelf(D),
}

/// What an engine did, in plain data.
#[derive(Clone, Debug)]
#[must_use]
pub struct Output<M, D> {
    /// Leaves at once: reveals no promise.
    pub send: Vec<Outgoing<M, D>>,
    /// Leaves only once the safety record and `blocks` are synced.
    pub send_after_persist: Vec<Outgoing<M, D>>,
    /// The safety record changed: write it, with these blocks.
    pub persist: bool,
    pub blocks: Vec<SealedBlock>,
    pub commits: Vec<Commit>,
    pub requests: Vec<Request>,
    pub events: Vec<Event>,
}

impl<M, D> Default for Output<M, D> {
    fn default() -> Self {
        Self {
            send: Vec::new(),
            send_after_persist: Vec::new(),
            persist: false,
            blocks: Vec::new(),
            commits: Vec::new(),
            requests: Vec::new(),
            events: Vec::new(),
        }
    }
}

/// Something that operators, tests and subscribers may want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A block has a prepare certificate.
    Ordered { height: Height, block: Digest },
    /// A final block was ordered under another mode than its parent.
    ModeChanged { height: Height, from: Mode, to: Mode, reason: Reason },
    /// This validator left a view.
    ViewLeft { epoch: Epoch, view: View, reason: Reason },
    /// A view started here.
    ViewStarted { epoch: Epoch, view: View, leader: ValidatorIndex },
    /// A final barrier opened an epoch.
    EpochStarted { epoch: Epoch, validators: ValidatorSet },
    /// Somebody was caught.
    EvidenceFound { evidence: Box<Evidence> },
    /// A block was refused.
    BlockRefused { proposer: ValidatorIndex, block: Digest, reason: String },
    /// The final state from this height on is as new as the [`Input::Read`] of this number.
    ReadReady { id: u64, height: Height },
    /// A peer's message was refused.
    PeerFault { from: ValidatorIndex, fault: Fault },
}

/// The faults that an engine's validators may have without its promises breaking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultModel {
    /// They stop and come back. What they say is true, so finality needs no certificate, and one
    /// liar may undo it. The set's `max_faulty`, which counts liars, is 0.
    Crash,
    /// Up to `max_faulty` of them do whatever they like. Finality is a certificate.
    Byzantine,
}

/// Why a view was left or a mode changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    Timeout,
    Equivocation,
    /// Enough calm blocks in a row.
    Calm,
    /// The epoch's first view inherits its mode.
    Epoch,
}

/// What this node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    Leader,
    Follower,
    /// Between two views.
    Changing,
    /// Not in the validator set.
    Observer,
}

/// A snapshot of an engine for RPC, metrics and the dashboard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    pub role: Role,
    pub epoch: Epoch,
    pub view: View,
    pub leader: Option<ValidatorIndex>,
    pub mode: Mode,
    /// Why this mode, in a sentence.
    pub mode_reason: String,
    pub final_height: Height,
    pub final_hash: Digest,
    /// Highest block with a prepare certificate.
    pub ordered_height: Height,
    /// Highest executed block.
    pub head_height: Height,
    pub timeout: Duration,
    /// How a leader paces its blocks, in a sentence; `None` where nothing is adapted.
    pub pacing: Option<String>,
    pub me: Option<ValidatorIndex>,
    /// Newest final certificate: shows who takes part.
    pub certificate: Option<Certificate>,
    pub evidence_pending: usize,
}

/// What a safety record says, for people who look into a store.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Promised {
    pub epoch: Epoch,
    /// No lower one is taken part in any more.
    pub view: View,
    /// The view that was led last.
    pub led: Option<View>,
    pub voted: Option<Voted>,
}

/// The newest block that was voted for, or accepted.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Voted {
    pub view: View,
    pub height: Height,
    pub block: Digest,
}

/// A consensus protocol as a state machine without IO.
pub trait Engine: Sized + Send + 'static {
    /// As in genesis and on command lines.
    const NAME: &'static str;
    const FAULT_MODEL: FaultModel;
    /// Whether it has more than one way to order blocks. The mode says nothing in those that have
    /// one.
    const SWITCHES_MODES: bool = false;

    /// What travels between validators.
    type Message: EngineMessage;
    /// A message that lacks its signature, or an own message that waits for the disk.
    type Draft: Clone + std::fmt::Debug + Send;
    /// Every promise that must survive a crash, whole.
    type Record: bincode::Encode
        + bincode::Decode<()>
        + chain::codec::Bounded
        + Clone
        + std::fmt::Debug
        + Send
        + 'static;

    /// Starts from what the disk gave back. A node that never ran starts from genesis.
    fn recover(
        config: Config,
        recovered: Recovered<Self::Record>,
        now: Time,
        output: &mut Output<Self::Message, Self::Draft>,
    ) -> Self;

    /// Checks every signature in a message from outside, by the validator sets this engine knows.
    ///
    /// # Errors
    /// [`Fault`] where no correct peer would have sent it.
    fn verify(
        &self,
        from: ValidatorIndex,
        message: Self::Message,
    ) -> Result<Verified<Self::Message>, Fault>;

    /// Turns a draft into a message with the node's key.
    fn sign(&self, draft: Self::Draft, signer: &dyn Signer) -> Verified<Self::Message>;

    /// The message that carries final blocks to a peer that asked.
    fn finals_message(finals: crate::application::Finals) -> Self::Message;

    fn step(
        &mut self,
        now: Time,
        input: Input<Self::Message>,
        output: &mut Output<Self::Message, Self::Draft>,
    );

    /// When [`Input::Wake`] is due.
    fn next_timeout(&self) -> Option<Time>;

    /// The promises as they stand.
    fn record(&self) -> Self::Record;

    /// What a record says, in words that all engines share.
    fn promised(_record: &Self::Record) -> Option<Promised> {
        None
    }

    fn status(&self) -> Status;

    fn validators(&self) -> &ValidatorSet;

    /// Whose members this node talks with: the current set, and while a change of members is under
    /// way the next one too. No seat has two holders in them.
    fn sets(&self) -> &[ValidatorSet];

    /// This node's place in the current set.
    fn me(&self) -> Option<ValidatorIndex>;

    /// Panics where an invariant does not hold. The simulator calls it after every step.
    fn check_invariants(&self);
}
