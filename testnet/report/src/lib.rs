//! The comparison report: runs the simulator and real networks, keeps what came of it as data, and
//! makes figures and the page from the data alone.
//!
//! * [`contender`], [`setup`] and [`experiment`] say who runs, on what, and what is measured;
//! * [`studies`] holds one question per file, each with the rows of its table;
//! * [`live`] asks some of the same questions of real processes;
//! * [`figures`] draws, [`page`] writes. Both read nothing but the tables.

pub mod cli;
pub mod contender;
pub mod data;
pub mod experiment;
pub mod figures;
pub mod live;
pub mod page;
pub mod progress;
pub mod setup;
pub mod statistics;
pub mod studies;
pub mod table;
