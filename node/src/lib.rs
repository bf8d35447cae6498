//! The node: everything that touches the outside.
//!
//! Consensus and execution are pure; this crate gives them a network, a disk, a clock and a door
//! for clients. [`assembly::run`] puts the parts together.

#[cfg(test)]
extern crate self as node;

pub mod admin;
pub mod application;
pub mod assembly;
mod bucket;
pub mod chain_view;
pub mod clock;
pub mod config;
pub mod consensus_host;
pub mod doctor;
pub mod home;
mod joining;
pub mod logging;
pub mod metrics;
pub mod network;
pub mod numbered;
pub mod pool;
mod process;
pub mod rpc;
pub mod snapshot;
pub mod space;
pub mod storage;
pub mod sync;
#[cfg(test)]
mod testing;

/// Of the whole process, RocksDB included. That of glibc keeps what a database frees: the memory of a
/// node grew by the hour, though nothing held it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
