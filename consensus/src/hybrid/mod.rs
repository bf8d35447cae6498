//! The hybrid engine.
pub mod select_tip;
