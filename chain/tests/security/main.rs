//! What docs/security.md promises of the tree as a whole.

mod limits;
mod supply_chain;
#[path = "../workspace/mod.rs"]
mod workspace;
