//! Who is compared.

use std::fmt;
use std::str::FromStr;

use consensus::policy::Policy;
use consensus::registry::EngineName;
use consensus_sim::plan::EngineOptions;
use serde::{Deserialize, Serialize};

/// An engine, and for the hybrid what decides its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contender {
    /// The hybrid as it ships: its policy switches the mode.
    Hybrid,
    /// The hybrid, every view in `fast`.
    StaticFast,
    /// The hybrid, every view in `pbft`.
    StaticPbft,
    Pbft,
    Raft,
    Paxos,
}

impl Contender {
    pub const ALL: [Self; 6] =
        [Self::Hybrid, Self::StaticFast, Self::StaticPbft, Self::Pbft, Self::Raft, Self::Paxos];

    /// One of each engine.
    pub const ENGINES: [Self; 4] = [Self::Hybrid, Self::Pbft, Self::Raft, Self::Paxos];

    /// As in tables of data.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hybrid => "hybrid",
            Self::StaticFast => "static-fast",
            Self::StaticPbft => "static-pbft",
            Self::Pbft => "pbft",
            Self::Raft => "raft",
            Self::Paxos => "paxos",
        }
    }

    /// As people read it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Hybrid => "adaptive hybrid",
            Self::StaticFast => "static fast",
            Self::StaticPbft => "static pbft",
            Self::Pbft => "PBFT",
            Self::Raft => "Raft",
            Self::Paxos => "Paxos",
        }
    }

    /// Its colour in every figure, from the palette of Okabe and Ito, which people who see few
    /// colours tell apart.
    pub const fn colour(self) -> (u8, u8, u8) {
        match self {
            Self::Hybrid => (0x00, 0x72, 0xb2),
            Self::StaticFast => (0x56, 0xb4, 0xe9),
            Self::StaticPbft => (0xcc, 0x79, 0xa7),
            Self::Pbft => (0xd5, 0x5e, 0x00),
            Self::Raft => (0x00, 0x9e, 0x73),
            Self::Paxos => (0xe6, 0x9f, 0x00),
        }
    }

    pub const fn engine(self) -> EngineName {
        match self {
            Self::Hybrid | Self::StaticFast | Self::StaticPbft => EngineName::Hybrid,
            Self::Pbft => EngineName::Pbft,
            Self::Raft => EngineName::Raft,
            Self::Paxos => EngineName::Paxos,
        }
    }

    /// Whether it stands validators that lie.
    pub fn stands_liars(self) -> bool {
        self.engine().fault_model() == consensus::engine::FaultModel::Byzantine
    }

    /// The engine's settings with this contender's policy.
    pub fn options(self, options: EngineOptions) -> EngineOptions {
        EngineOptions { policy: self.policy(), ..options }
    }

    /// What decides the mode, where there are two.
    pub const fn policy(self) -> Policy {
        match self {
            Self::StaticFast => Policy::StaticFast,
            Self::StaticPbft => Policy::StaticPbft,
            Self::Hybrid | Self::Pbft | Self::Raft | Self::Paxos => Policy::Adaptive,
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Contender {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|contender| contender.name() == name);
        let names = Self::ALL.map(Self::name).join(", ");
        found.ok_or_else(|| format!("nobody compared is called {name:?}; there are {names}"))
    }
}
