//! Real processes on loopback: the programs as people and scripts meet them.

mod commands;
mod dashboard;
mod engines;
mod faults;
mod http;
mod linearize;
mod membership;
mod soak;
mod story;
mod testnet;
mod wallet_page;
