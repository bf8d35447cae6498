//! How the leaders of an engine with two modes choose between them.

use serde::{Deserialize, Serialize};

use crate::registry::EngineName;

/// Which mode a leader proposes in. Safety never depends on it, and no validator checks another's:
/// a chain whose validators differ in it is as safe as any.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// By the weather, as the last final blocks show it.
    #[default]
    Adaptive,
    /// Always fast, after view changes too.
    StaticFast,
    /// Always pbft.
    StaticPbft,
}

/// A name that no policy has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no policy is called {name:?}; there are {}", Policy::list())]
pub struct UnknownPolicy {
    pub name: String,
}

/// A policy for an engine that has nothing to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{engine} has one mode: a policy like {policy} is for an engine with two")]
pub struct OneMode {
    pub engine: EngineName,
    pub policy: Policy,
}

impl Policy {
    /// # Errors
    /// Where the engine has one mode.
    pub fn check(self, engine: EngineName) -> Result<(), OneMode> {
        if engine.switches_modes() { Ok(()) } else { Err(OneMode { engine, policy: self }) }
    }

    /// Every policy.
    pub const ALL: &[Self] = &[Self::Adaptive, Self::StaticFast, Self::StaticPbft];

    /// As in settings and on command lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adaptive => "adaptive",
            Self::StaticFast => "static-fast",
            Self::StaticPbft => "static-pbft",
        }
    }

    /// Every name, for people.
    pub fn list() -> String {
        Self::ALL.iter().map(|policy| policy.as_str()).collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Display for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Policy {
    type Err = UnknownPolicy;

    fn from_str(name: &str) -> Result<Self, UnknownPolicy> {
        Self::ALL
            .iter()
            .copied()
            .find(|policy| policy.as_str() == name)
            .ok_or_else(|| UnknownPolicy { name: name.to_owned() })
    }
}
