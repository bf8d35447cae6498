//! The engines that there are. A new one is a folder beside these and one line in here.

use crate::engine::{Engine, FaultModel};

/// Something to do with an engine that is known only by its name.
pub trait Visitor {
    type Output;

    fn visit<E: Engine>(self) -> Self::Output;
}

/// A name that no engine has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no engine is called {name:?}; there are {}", EngineName::list())]
pub struct UnknownEngine {
    pub name: String,
}

macro_rules! engines {
    ($($(#[$about:meta])* $variant:ident: $engine:ty,)+) => {
        /// An engine by name, as in genesis and on command lines.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, bincode::Encode,
            bincode::Decode, serde::Serialize, serde::Deserialize,
        )]
        #[serde(try_from = "String", into = "String")]
        pub enum EngineName {
            $($(#[$about])* $variant,)+
        }

        impl EngineName {
            /// Every engine.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => <$engine as Engine>::NAME,)+
                }
            }

            /// What kind of fault its validators may have.
            pub const fn fault_model(self) -> FaultModel {
                match self {
                    $(Self::$variant => <$engine as Engine>::FAULT_MODEL,)+
                }
            }

            /// Whether it has more than one way to order blocks.
            pub const fn switches_modes(self) -> bool {
                match self {
                    $(Self::$variant => <$engine as Engine>::SWITCHES_MODES,)+
                }
            }

            /// Does something with the engine of this name.
            pub fn visit<V: Visitor>(self, visitor: V) -> V::Output {
                match self {
                    $(Self::$variant => visitor.visit::<$engine>(),)+
                }
            }
        }
    };
}

engines! {
    /// Fast like Raft in calm weather, robust like PBFT in any other.
    Hybrid: crate::hybrid::Hybrid,
    /// A leader and its majority: survives crashes, not lies.
    Raft: crate::raft::Raft,
    /// Crash faults only: a majority accepts what the owner of the highest ballot proposes.
    Paxos: crate::paxos::Paxos,
    /// The classic: every vote to everyone, every view change with its proofs.
    Pbft: crate::pbft::Pbft,
}

impl EngineName {
    /// Every name, for people.
    pub fn list() -> String {
        Self::ALL.iter().map(|engine| engine.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Display for EngineName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<EngineName> for String {
    fn from(name: EngineName) -> Self {
        name.as_str().to_owned()
    }
}

impl TryFrom<String> for EngineName {
    type Error = UnknownEngine;

    fn try_from(name: String) -> Result<Self, UnknownEngine> {
        name.parse()
    }
}

impl std::str::FromStr for EngineName {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        Self::ALL
            .iter()
            .copied()
            .find(|engine| engine.as_str() == name)
            .ok_or_else(|| UnknownEngine { name: name.to_owned() })
    }
}
