//! Real processes on loopback: the programs as people and scripts meet them.

mod abuse;
mod attacks;
mod commands;
mod dashboard;
mod doctor;
mod engines;
mod faults;
mod http;
mod linearize;
mod membership;
mod protected;
mod secrets;
mod soak;
mod story;
mod testnet;
mod wallet_page;
