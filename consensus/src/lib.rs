//! The consensus engines and their contract.
//!
//! An [`engine::Engine`] is a state machine without IO. Time is an argument, randomness a seeded
//! field, collections are ordered. It says what must be on disk and what may leave only after
//! that; the [`driver::Driver`] carries it out in the one permitted order: *send what promises
//! nothing, persist and sync, sign and release what does, commit, next input*. The node and the
//! simulator run the same driver, so the order itself is tested.
//!
//! ```text
//!  messages, timeouts             records + blocks            final blocks
//!        │                              ▲                          ▲
//!        ▼        Output                │ Storage                  │ Application
//!   ┌────────┐ ──────────▶ ┌──────────┐ │                          │
//!   │ Engine │             │  Driver  │─┴──────────────────────────┘
//!   └────────┘ ◀────────── └──────────┘ ──▶ Outbox (signed messages)
//!                 Input
//! ```

pub mod application;
mod catch_up;
mod decided;
pub mod driver;
mod edge;
pub mod engine;
mod evidence_pool;
mod finals;
pub mod footprint;
mod headers;
pub mod hybrid;
pub mod message;
pub mod paxos;
pub mod pbft;
pub mod policy;
mod propose;
pub mod raft;
mod reads;
pub mod registry;
pub mod tree;
mod votes;
