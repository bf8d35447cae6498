//! The dashboard as a person meets it: a real browser, a real network.
//!
//! Chromium and its driver are the distribution's, axe-core is npm's; `make deps` installs them.

mod driver;
mod endurance;
mod explorer;
mod laboratory;
mod live;
mod page;
mod processor;
#[expect(dead_code, reason = "the tests of the command line use the rest")]
#[path = "../program/testnet.rs"]
mod testnet;
