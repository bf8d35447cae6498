//! A run as data: everything that one seed decides.

use std::sync::Arc;
use std::time::Duration;

use chain::crypto::{PublicKey, Verifier};
use chain::types::Digest;
use consensus::engine::Config;
use consensus::policy::Policy;
use serde::{Deserialize, Serialize};

use crate::application::Workload;
use crate::byzantine::BehaviourKind;
use crate::disk::CrashPoint;
use crate::network::{Link, Regions};
use crate::shape::Shape;
use crate::signatures::SignatureRule;
use crate::span;

/// Everything about a run. The same plan gives the same run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    pub validators: usize,
    pub max_faulty: u16,
    /// How many nodes with keys of their own are in no set at first: those that may join. Their
    /// numbers follow those of the validators.
    #[serde(default)]
    pub joiners: usize,
    pub workload: Workload,
    pub signatures: SignatureRule,
    pub options: EngineOptions,
    #[serde(default)]
    pub work: Work,
    /// The weather while faults happen.
    pub link: Link,
    /// Where the nodes are; all in one place if nothing is said.
    #[serde(default)]
    pub regions: Option<Regions>,
    /// How long a sync of the disk takes, at least and at most.
    #[serde(with = "span::range")]
    pub sync: (Duration, Duration),
    pub byzantine: Vec<(usize, BehaviourKind)>,
    /// Validators of which two copies run with one key, each talking to some of the others.
    pub twins: Vec<usize>,
    pub faults: Vec<Timed>,
    pub load: Load,
    /// When faults end.
    #[serde(with = "span")]
    pub faults_end: Duration,
    #[serde(default)]
    pub recovery: Recovery,
    /// How long after that all correct nodes have to agree on something new.
    #[serde(with = "span")]
    pub recovery_bound: Duration,
}

impl Plan {
    /// How many nodes run: the second copy of a twin is one of its own.
    pub fn nodes(&self) -> usize {
        self.validators + self.joiners + self.twins.len()
    }

    /// The validators whose disk is lost in this run. They forget what they promised, which is what
    /// only liars do: they are counted among them.
    pub fn amnesiacs(&self) -> impl Iterator<Item = usize> + '_ {
        self.faults.iter().filter_map(|timed| match timed.fault {
            Fault::DiskLoss { node, .. } => Some(node),
            _ => None,
        })
    }

    /// The validators that lie, from the start or from a fault on, and how.
    pub fn liars(&self) -> impl Iterator<Item = (usize, BehaviourKind)> + '_ {
        let turned = self.faults.iter().filter_map(|timed| match timed.fault {
            Fault::Lie { node, does } => Some((node, does)),
            _ => None,
        });
        self.byzantine.iter().copied().chain(turned)
    }

    /// Whether this validator runs one unchanged engine that remembers its promises, to the end.
    pub fn is_honest(&self, validator: usize) -> bool {
        !self.twins.contains(&validator)
            && self.liars().all(|(who, _)| who != validator)
            && self.amnesiacs().all(|node| node != validator)
    }
}

/// What the end of the faults means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Recovery {
    /// Everything works again, and every correct node catches up.
    #[default]
    Healed,
    /// Only a quorum of correct nodes works again among itself, and catches up. Everything else
    /// stays as broken as it was: what is cut stays cut, who is down stays down, liars lie on.
    Frozen,
}

/// The engine's settings, as in [`consensus::engine::Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineOptions {
    #[serde(with = "span")]
    pub timeout_min: Duration,
    #[serde(with = "span")]
    pub timeout_max: Duration,
    #[serde(with = "span")]
    pub heartbeat: Duration,
    #[serde(with = "span")]
    pub grace: Duration,
    #[serde(with = "span")]
    pub block_interval: Duration,
    pub batch: usize,
    pub pipeline: u64,
    pub policy: Policy,
}

impl EngineOptions {
    /// The settings of the engine that votes with this key.
    pub fn config(self, chain_id: Digest, me: PublicKey, verifier: Arc<dyn Verifier>) -> Config {
        let Self { timeout_min, timeout_max, heartbeat, grace, .. } = self;
        let Self { block_interval, batch, pipeline, policy, .. } = self;
        Config {
            chain_id,
            me,
            verifier,
            timeout_min,
            timeout_max,
            heartbeat,
            grace,
            block_interval,
            batch,
            pipeline,
            policy,
        }
    }
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            timeout_min: Duration::from_millis(50),
            timeout_max: Duration::from_millis(400),
            heartbeat: Duration::from_millis(15),
            grace: Duration::from_millis(5),
            block_interval: Duration::from_millis(1),
            batch: 16,
            pipeline: 8,
            policy: Policy::Adaptive,
        }
    }
}

/// How long a node is busy with what it does. By default computing takes no time, and a run shows
/// the rounds of messages and nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Work {
    /// With a message that it takes in.
    #[serde(with = "span")]
    pub message: Duration,
    /// With a signature that its engine makes.
    #[serde(with = "span")]
    pub sign: Duration,
    /// With a signature that its engine checks.
    #[serde(with = "span")]
    pub check: Duration,
}

/// Transactions that clients send while faults happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Load {
    pub transactions: u64,
    pub senders: usize,
    /// Whether clients read after every write, where the engine answers such questions.
    pub reads: bool,
    /// Time between two of them.
    #[serde(with = "span")]
    pub interval: Duration,
}

impl Default for Load {
    fn default() -> Self {
        Self { transactions: 200, senders: 4, reads: false, interval: Duration::from_millis(5) }
    }
}

/// Something that happens to the world at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timed {
    #[serde(with = "span")]
    pub at: Duration,
    pub fault: Fault,
}

/// What can go wrong, and what makes it right again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The node dies where it stands, and starts again after a while if one is given.
    Crash {
        who: Who,
        #[serde(default, with = "span::option")]
        restart_after: Option<Duration>,
    },
    /// The node dies at this point of a turn to come.
    CrashAt {
        who: Who,
        point: CrashPoint,
        #[serde(with = "span")]
        restart_after: Duration,
    },
    Restart {
        node: usize,
    },
    CrashAll {
        #[serde(with = "span")]
        restart_after: Duration,
    },
    /// More than half of the nodes die, the leader among them.
    CrashMajority {
        #[serde(with = "span")]
        restart_after: Duration,
    },
    /// The process stands still for a while, then goes on with all it received.
    Pause {
        who: Who,
        #[serde(with = "span")]
        lasts: Duration,
    },

    /// Nodes reach only those of their own group.
    Partition {
        groups: Vec<Vec<usize>>,
    },
    /// Cuts the links that the shape names and no other.
    Cut {
        shape: Shape,
    },
    /// Nobody and the node reach each other.
    Isolate {
        who: Who,
    },
    /// One direction between two nodes.
    Block {
        from: usize,
        to: usize,
    },
    /// A link that goes down now and up again after half the period, so many times.
    Flap {
        between: (usize, usize),
        #[serde(with = "span")]
        period: Duration,
        times: u32,
    },
    /// What is sent in this direction waits for the release.
    Clog {
        from: usize,
        to: usize,
    },
    /// Delivers what a clogged link held.
    Release {
        from: usize,
        to: usize,
    },
    /// Everything that the node sends takes so much longer.
    Lag {
        who: Who,
        #[serde(with = "span")]
        extra: Duration,
    },
    /// The weather of all links.
    Weather {
        link: Link,
    },
    /// The weather of one direction.
    LinkWeather {
        from: usize,
        to: usize,
        link: Link,
    },
    HealNetwork,

    /// The next sync of the node's disk fails: nobody knows what it wrote, and the node stops.
    SyncError {
        who: Who,
        #[serde(with = "span")]
        restart_after: Duration,
    },
    /// The node dies, and what its disk gives back is damaged: it refuses to start for good.
    Corruption {
        who: Who,
    },
    /// The node dies and its disk is lost: it starts as one that never ran, with its old key.
    DiskLoss {
        node: usize,
        #[serde(with = "span")]
        restart_after: Duration,
    },
    /// From now on a sync takes the node so long, at least and at most.
    SlowDisk {
        who: Who,
        #[serde(with = "span::range")]
        sync: (Duration, Duration),
    },

    /// The clock that stamps blocks jumps: forward, or backward where negative.
    ClockJump {
        who: Who,
        by_ms: i64,
    },
    /// The clock that timers run by is so many parts of a million too fast, or too slow where
    /// negative.
    ClockDrift {
        who: Who,
        ppm: i32,
    },

    /// From now on the validator lies.
    Lie {
        node: usize,
        does: BehaviourKind,
    },

    /// A Byzantine validator says what its engine says, or lies again. It counts as one all the
    /// same, from the start of the run to its end.
    HoldBack {
        node: usize,
        holds_back: bool,
    },

    /// Clients ask for so many of the last validators of genesis to leave the set; none: for all
    /// to come back. Asked for more than the chain's `max_faulty` allows, nothing happens.
    Members {
        away: u8,
    },
    /// Clients ask for a change of the validator set that the seed decides: somebody joins, leaves,
    /// has a new key, is jailed or pardoned. Nothing where the change before is not final yet.
    Change,
}

/// A node by number or by what it does when the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    Node(usize),
    /// The leader of the highest view that a running node is in.
    Leader,
    /// The last node that is not that leader.
    Follower,
}
