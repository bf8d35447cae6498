//! Model checking of the production engines in small scopes: every schedule of a few nodes, views
//! and faults, over the real driver.
//!
//! * [`scope`] bounds a search, and says what an engine adds: messages that matter, liars, oracles;
//! * [`search`] walks through all states; [`soup`] holds what was said and done on the way there;
//! * [`hybrid`], [`raft`], [`paxos`] and [`pbft`] are the searches of the engines.
//!
//! What a search can and cannot show: docs/simulator-model-checking.md.

mod crowd;
pub mod hybrid;
mod ledger;
mod liar;
mod node;
pub mod paxos;
pub mod pbft;
pub mod raft;
pub mod scope;
pub mod search;
pub mod soup;

pub use crowd::Crowd;
pub use scope::{Case, Scope};
pub use search::{Found, Violation, explore};
pub use soup::{Fact, Letter, Said};
