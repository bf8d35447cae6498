//! The node's own part in governance: showing that it is at the tip, changing its keys, and going on
//! without a vote.
//!
//! ```text
//!  a proposal names a key of this node ──▶ at the tip? ──▶ `Ready`, signed with that key
//!  an epoch names a staged key         ──▶ its file takes the place of the old one, parts start anew
//!  an epoch does without this node     ──▶ it observes, or stops: `on_retire`
//! ```

mod attendant;
mod keys;
mod signer;
#[cfg(test)]
mod tests;

pub(crate) use attendant::{Attendant, Turn};
pub(crate) use keys::{Staged, promote_due};
pub(crate) use signer::ReadySigner;
