//! The program as people and scripts meet it: output, files and exit codes.

mod arguments;
mod fake_node;
mod flows;
mod governing;
mod keys;
mod proofs;
mod proving_node;
mod wallet;
