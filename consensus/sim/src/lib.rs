//! The deterministic world around the production engines.
//!
//! One seed gives everything: options, schedule, faults and workload. The simulator runs the
//! production driver and engines on a simulated network, disk and clock, watches them from outside
//! through [`invariants`], and hashes every event into a trace, so the same seed gives the same
//! hash on every machine.
//!
//! * [`plan`] says what a run is, [`scenarios`] gives named ones, [`swarm`] one per seed;
//! * [`world`] carries it out over [`network`] and [`disk`];
//! * [`byzantine`] holds one way to lie per file, [`invariants`] one property per file;
//! * [`linearizability`] judges what clients saw, [`twins`] runs two copies of one validator through
//!   every partition;
//! * [`membership`] changes the validators again and again;
//! * [`runner`] runs a plan in two phases, faults and recovery, and makes the [`report`].
//! * [`direct`] has the same drivers and engines in one thread, to see what they cost.
//!
//! [`explore`] walks through every schedule of the same drivers and engines in a small scope.
//! [`model`] is apart from this: a search of the selection rules without an engine.

pub mod application;
pub mod byzantine;
pub mod checked;
pub mod dice;
pub mod direct;
pub mod disk;
pub mod explore;
pub mod genesis;
pub mod invariants;
pub mod linearizability;
pub mod membership;
pub mod model;
pub mod network;
pub mod plan;
pub mod planted;
pub mod promise;
pub mod report;
pub mod runner;
pub mod scenarios;
pub mod shape;
pub mod signatures;
pub mod simulate;
pub mod soak;
pub mod span;
pub mod swarm;
pub mod trace;
pub mod twins;
pub mod world;
