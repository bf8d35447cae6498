//! Schedules that broke this protocol or one like it, each as a test that is named after it, and
//! the rules of docs/protocol/hybrid.md one by one, against the production engine and driver.
//!
//! In `lone` one validator stands against a script that has everybody else's keys; in `worlds` and
//! `catch_up` whole networks run. The thresholds of `select_tip` are searched exhaustively in
//! `tests/model_selection.rs`.

mod catch_up;
mod commit_votes;
mod driver;
mod edge;
mod epochs;
mod liar;
mod lone;
mod promises;
mod quill;
mod reports;
mod view_change;
mod voting;
mod worlds;
