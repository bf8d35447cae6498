//! What this process uses.

use procfs::process::{LimitValue, Process};
use procfs::{ProcResult, WithCurrentSystemInfo as _};

/// As of now.
#[derive(Clone, Copy, Debug)]
pub(super) struct ProcessUse {
    /// In bytes.
    pub(super) resident: u64,
    /// In all threads, in seconds.
    pub(super) processor: f64,
    /// Files and sockets that are open, and how many may be.
    pub(super) descriptors: usize,
    pub(super) most_descriptors: u64,
}

impl ProcessUse {
    /// # Errors
    /// Where the system does not tell.
    pub(super) fn now() -> ProcResult<Self> {
        let process = Process::myself()?;
        let used = process.stat()?;
        let most = process.limits()?.max_open_files.soft_limit;
        Ok(Self {
            resident: used.rss_bytes().get(),
            processor: (used.utime + used.stime) as f64 / procfs::ticks_per_second() as f64,
            descriptors: process.fd_count()?,
            most_descriptors: match most {
                LimitValue::Value(most) => most,
                LimitValue::Unlimited => u64::MAX,
            },
        })
    }
}
