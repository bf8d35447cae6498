//! Proofs that hold, and everything that must not.

mod files;
mod lineages;
mod maker;
