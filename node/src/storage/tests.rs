//! Real databases in temporary directories, also damaged ones.

mod damage;
mod fixture;
mod fuzz_targets;
mod log;
mod offline;
mod opening;
mod prune;
mod reading;
mod restart;
mod snapshot;
mod snapshot_file;
