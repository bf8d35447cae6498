//! What tests of several parts need.

pub(crate) mod signed_chain;

use crate::process::ProcessUse;

/// Memory of this process, in KiB.
pub(crate) fn resident_kib() -> u64 {
    ProcessUse::now().unwrap().resident >> 10
}
