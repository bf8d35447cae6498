//! A run as data: everything that one seed decides.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::application::Workload;
use crate::byzantine::BehaviourKind;
use crate::disk::CrashPoint;
use crate::network::Link;
use crate::signatures::SignatureRule;

/// Everything about a run. The same plan gives the same run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    pub validators: usize,
    pub max_faulty: u16,
    pub workload: Workload,
    pub signatures: SignatureRule,
    pub options: EngineOptions,
    /// The weather while faults happen.
    pub link: Link,
    /// How long a sync of the disk takes, at least and at most.
    pub sync: (Duration, Duration),
    pub byzantine: Vec<(usize, BehaviourKind)>,
    /// Validators of which two copies run with one key, each talking to some of the others.
    pub twins: Vec<usize>,
    pub faults: Vec<Timed>,
    pub load: Load,
    /// When faults end.
    pub faults_end: Duration,
    /// How long after that all correct nodes have to agree on something new.
    pub recovery_bound: Duration,
}

impl Plan {
    /// How many nodes run: the second copy of a twin is one of its own.
    pub fn nodes(&self) -> usize {
        self.validators + self.twins.len()
    }
}

/// The engine's settings, as in [`consensus::engine::Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineOptions {
    pub timeout_min: Duration,
    pub timeout_max: Duration,
    pub heartbeat: Duration,
    pub grace: Duration,
    pub block_interval: Duration,
    pub batch: usize,
    pub pipeline: u64,
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
        }
    }
}

/// Transactions that clients send while faults happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    pub transactions: u64,
    pub senders: usize,
    /// Time between two of them.
    pub interval: Duration,
}

/// Something that happens to the world at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timed {
    pub at: Duration,
    pub fault: Fault,
}

/// What can go wrong, and what makes it right again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The node dies where it stands, and starts again after a while if one is given.
    Crash {
        who: Who,
        restart_after: Option<Duration>,
    },
    /// The node dies at this point of a turn to come.
    CrashAt {
        who: Who,
        point: CrashPoint,
        restart_after: Duration,
    },
    Restart {
        node: usize,
    },
    CrashAll {
        restart_after: Duration,
    },
    /// Nodes reach only those of their own group.
    Partition {
        groups: Vec<Vec<usize>>,
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
    Weather {
        link: Link,
    },
    HealNetwork,
}

/// A node by number or by what it does when the fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    Node(usize),
    /// The leader of the highest view that a running node is in.
    Leader,
}
