//! A model of the hybrid protocol that is small enough to be searched.
//!
//! It has no messages on wires, no signatures and no time, only what safety rests on: blocks,
//! votes, certificates, reports, and what is on disk. Two searches use it, and both call the
//! production [`consensus::hybrid::select_tip`] with the production [`chain::quorum::Quorums`]:
//!
//! * [`selection`]: one application of the rule, every case of a bounded scope;
//! * [`schedule`]: many views with crashes, equivocation, barriers and two epochs, in random and
//!   hostile order. `tests/model_schedules.rs` replays by hand the runs that are known to hurt.
//!
//! [`pacemaker`] is a third, separate model: whether views meet.
//!
//! A check that lets a broken rule through is not a check. [`mutants`] and [`rules`] break the
//! rules one at a time, outside the production code, and the tests demand that each is caught
//! where it is unsafe.

pub mod blocks;
pub mod enumerate;
pub mod invariants;
pub mod mutants;
pub mod pacemaker;
pub mod rules;
pub mod schedule;
pub mod selection;
pub mod table;
pub mod validator;
mod view_change;
mod voting;
pub mod world;
