//! The node: everything that touches the outside.
//!
//! Consensus and execution are pure; this crate gives them a network, a disk, a clock and a door
//! for clients. [`assembly::run`] puts the parts together.

pub mod config;
pub mod consensus_host;
pub mod home;
pub mod network;
