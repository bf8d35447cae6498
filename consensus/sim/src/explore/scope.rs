//! What a search covers: numbers, and what an engine's search adds to them.

use std::fmt::Debug;
use std::time::Duration;

use chain::block::Mode;
use chain::types::ValidatorIndex;
use consensus::engine::Engine;
use consensus::policy::Policy;

use super::soup::{Letter, Said};
use crate::plan::EngineOptions;

/// The bounds of a search.
#[derive(Clone, Debug)]
pub struct Scope {
    pub validators: usize,
    pub max_faulty: u16,
    /// Mode of the first view, where the engine has modes.
    pub mode: Mode,
    /// Transactions that wait at every node from the start.
    pub transactions: u64,
    /// How many timers fire, by node.
    pub timeouts: Vec<u8>,
    /// How many nodes crash and restart, or how often one does.
    pub crashes: u8,
    /// Where the search gives up.
    pub max_states: usize,
    pub options: EngineOptions,
}

impl Scope {
    /// Timers as a search wants them: signs of life and offers never come by themselves, since
    /// letters stay available; whatever waits a moment for something better does not wait.
    pub const OPTIONS: EngineOptions = EngineOptions {
        timeout_min: Duration::from_secs(1),
        timeout_max: Duration::from_secs(1),
        heartbeat: Duration::from_secs(24 * 3600),
        grace: Duration::ZERO,
        block_interval: Duration::from_secs(24 * 3600),
        batch: 1,
        pipeline: 8,
        policy: Policy::Adaptive,
    };
}

/// An engine and its scope.
pub trait Case {
    type Engine: Engine + Clone + Debug;

    fn scope(&self) -> Scope;

    /// Validators that run no engine: they say what [`lies`](Self::lies) gives.
    fn liars(&self) -> &[ValidatorIndex] {
        &[]
    }

    /// Whether a letter belongs to the scope. All others are lost.
    fn keeps(&self, letter: &Letter<<Self::Engine as Engine>::Message>) -> bool;

    /// Whether a letter of the scope may arrive at a node with these promises.
    fn delivers(
        &self,
        _letter: &Letter<<Self::Engine as Engine>::Message>,
        _to: ValidatorIndex,
        _promises: &<Self::Engine as Engine>::Record,
    ) -> bool {
        true
    }

    /// Fields of the engine by their names in its debug output that decide nothing here, such as
    /// the moment within a timeout at which a timer is due.
    fn ignores(&self) -> &[&str] {
        &[]
    }

    /// Everything that the liars can say once the honest have said this. They overhear everything,
    /// and the more they heard, the more they can say: the search relies on it.
    fn lies(
        &self,
        _said: &Said<'_, <Self::Engine as Engine>::Message>,
    ) -> Vec<Letter<<Self::Engine as Engine>::Message>> {
        Vec::new()
    }

    /// What must be true of all that was said and done, beside agreement, one word per slot of an
    /// honest key and (where nobody lies) one leader per view. What is not true of some words is not
    /// true of more: the search relies on it.
    ///
    /// # Errors
    /// What is not true.
    fn judge(&self, _said: &Said<'_, <Self::Engine as Engine>::Message>) -> Result<(), String> {
        Ok(())
    }
}
