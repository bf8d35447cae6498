//! The birth certificate of a chain: who validates it, by which parameters, and who owns what at
//! the start.
//!
//! [`Genesis`] is the readable file; its [`hash`](Genesis::hash) is the chain id. [`network`] makes
//! a genesis together with one home directory per node, [`keyfile`] and [`config`] are the formats
//! of what lies in such a home.

pub mod accounts;
pub mod build;
pub mod config;
pub mod deploy;
pub mod files;
pub mod keyfile;
pub mod network;
pub mod peer_id;
pub mod spec;
pub mod tolerance;
pub mod validate;

pub use spec::Genesis;
