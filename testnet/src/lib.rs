//! Real nodes on one machine: starts them, breaks them on purpose, loads them, judges them.
//!
//! Every validator of a testnet is a process of the `testnet-validator` program: the node library
//! with a layer around its outbox that passes everything through until it is told to misbehave.

pub mod abuse;
pub mod audit;
pub mod byzantine;
pub mod churn;
pub mod cli;
pub mod cluster;
pub mod commands;
pub mod crash_point;
pub mod dashboard;
pub mod demo;
pub mod determinism;
pub mod disk;
pub mod faults;
pub mod flood;
pub mod fork;
pub mod liars;
mod line_socket;
pub mod linearize;
pub mod live;
pub mod load;
pub mod machine;
pub mod membership;
pub mod metrics;
pub mod network;
pub mod partition;
pub mod reopen;
pub mod rpc;
pub mod said;
mod scratch;
pub mod signals;
pub mod simulate;
pub mod soak;
pub mod status;
pub mod transfer;
pub mod validator;
pub mod verdict;
