//! Real processes on loopback: the programs as people and scripts meet them.

mod commands;
mod engines;
mod faults;
mod soak;
mod story;
mod testnet;
mod wallet_page;
