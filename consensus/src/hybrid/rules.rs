//! The decision on which settling hangs, small enough to be wrong in a test and nowhere else.

/// The rules of docs/protocol/hybrid.md. A test overrides one to plant a bug.
pub trait Rules: Clone + std::fmt::Debug + Send + 'static {
    /// M3: how many calm blocks are wanted after so many view changes in the window: eight, doubled
    /// for each after the first, at most 512. A view that fills the window leaves no view change in
    /// it, so nobody waits for more than the window.
    fn calm_needed(escalations: u32) -> u64 {
        const LEAST: u64 = 8;
        const MOST: u64 = 512;
        (LEAST << escalations.saturating_sub(1).min(6)).min(MOST)
    }
}

/// The rules as they are.
#[derive(Clone, Copy, Debug)]
pub struct Chapter;

impl Rules for Chapter {}
