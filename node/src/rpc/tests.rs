//! The served interface, called by the generated clients and by hand.

mod calls;
mod fixture;
mod governance;
mod levels;
mod malformed;
mod pages;
mod proofs;
mod protected;
mod subscriptions;
mod tokens;
mod waiting;
mod watching;
