//! What this process uses.

use procfs::process::{LimitValue, Process};
use procfs::{ProcResult, WithCurrentSystemInfo as _};

/// As of now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProcessUse {
    /// In bytes.
    pub(crate) resident: u64,
    /// In all threads, in seconds.
    pub(crate) processor: f64,
    /// Files and sockets that are open, and how many may be.
    pub(crate) descriptors: usize,
    pub(crate) most_descriptors: u64,
}

impl ProcessUse {
    /// # Errors
    /// Where the system does not tell.
    pub(crate) fn now() -> ProcResult<Self> {
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
