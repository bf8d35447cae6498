//! The program as people and scripts meet it: homes, output, exit codes and signals.

mod home;
mod refusals;
mod running;
mod snapshot;
