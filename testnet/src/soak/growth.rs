//! What validators hold while a soak goes on: memory and open files beyond those of the store must not
//! grow, the disk only with the transactions that are final.
//!
//! The database bounds its own memory and files by its settings, and fills them as the chain grows.

use std::path::Path;

use procfs::process::FDTarget;
use serde::Serialize;

use crate::cluster::Cluster;
use crate::metrics::Metrics;

/// How far the second half may be off.
const TOLERANCE: f64 = 0.05;
/// Fewer samples say nothing: a database grows in steps.
const LEAST: usize = 30;
const STORE_PARTS: [&str; 3] = ["write-buffers", "cache", "table-readers"];

/// What one validator held at a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    /// Bytes of memory, and how many of them the database says are its own.
    resident: f64,
    store: f64,
    /// Open files and sockets, and how many of them are files of the store. Files that were deleted are none.
    descriptors: f64,
    tables: f64,
    disk: f64,
    /// Transactions final by then.
    finalized: f64,
}

/// All samples, one row per moment.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<Sample>);

/// Second half over first half.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Growth {
    pub samples: usize,
    /// Mean over the validators at the end, in MiB, and what of it is the store's.
    pub resident_mib: f64,
    pub store_mib: f64,
    /// Memory that is not the store's.
    pub resident: f64,
    /// Mean over the validators at the end, and what of it are files of the store.
    pub descriptors_at_end: f64,
    pub store_files_at_end: f64,
    /// Open files that are not the store's.
    pub descriptors: f64,
    pub disk_mib: f64,
    /// Bytes on disk per final transaction, second half over first half.
    pub disk_per_transaction: f64,
    /// Whether there are enough samples to judge by.
    pub judged: bool,
}

impl Samples {
    /// Looks at all validators, which run.
    pub(super) async fn take(&mut self, cluster: &Cluster, finalized: u64) -> anyhow::Result<()> {
        let mut sum = Sample { finalized: finalized as f64, ..Sample::default() };
        let nodes = cluster.manifest()?.nodes;
        for node in &nodes {
            let process = cluster.running(node.id)?;
            let data = cluster.home(node).join("data");
            let metrics = Metrics::of(node).await?;
            for part in STORE_PARTS {
                sum.store += metrics.value(&format!("storage_memory_bytes{{part=\"{part}\"}}"))?;
            }
            sum.resident += process.resident().unwrap_or_default() as f64;
            let open = process.open_files().unwrap_or_default();
            sum.descriptors += open.len() as f64;
            sum.tables += open.iter().filter(|file| is_of(file, &data)).count() as f64;
            sum.disk += size(&data) as f64;
        }
        let Sample { resident, store, descriptors, tables, disk, .. } = &mut sum;
        for value in [resident, store, descriptors, tables, disk] {
            *value /= nodes.len() as f64;
        }
        self.0.push(sum);
        Ok(())
    }

    pub(super) fn growth(&self) -> Growth {
        // The first quarter warms up.
        let settled = &self.0[self.0.len() / 4..];
        let (first, second) = settled.split_at(settled.len() / 2);
        let Some(end) = settled.last() else {
            return Growth::default();
        };
        let mean = |samples: &[Sample], of: fn(&Sample) -> f64| {
            samples.iter().map(of).sum::<f64>() / samples.len().max(1) as f64
        };
        let ratio = |of: fn(&Sample) -> f64| mean(second, of) / mean(first, of).max(1.0);
        let mib = |bytes: f64| bytes / 1048576.0;
        Growth {
            samples: self.0.len(),
            resident_mib: mib(end.resident),
            store_mib: mib(end.store),
            resident: ratio(|sample| sample.resident - sample.store),
            descriptors_at_end: end.descriptors,
            store_files_at_end: end.tables,
            descriptors: ratio(|sample| sample.descriptors - sample.tables),
            disk_mib: mib(end.disk),
            disk_per_transaction: ratio(|sample| sample.disk / sample.finalized.max(1.0)),
            judged: self.0.len() >= LEAST,
        }
    }
}

impl Growth {
    /// What grew that should not have.
    pub(super) fn problems(&self) -> Vec<String> {
        let grown = [
            ("memory beside the store's", self.resident),
            ("the number of open files beside the store's", self.descriptors),
            ("disk per transaction", self.disk_per_transaction),
        ];
        let grown = grown.into_iter().filter(|(_, ratio)| self.judged && *ratio > 1.0 + TOLERANCE);
        grown
            .map(|(what, ratio)| format!("{what} grew by {:.1} %", 100.0 * (ratio - 1.0)))
            .collect()
    }

    /// For people.
    pub(super) fn line(&self) -> String {
        let held = format!(
            "{} samples: memory {:.0} MiB ({:.0} of the store), {:.0} open files ({:.0} of the store), \
             disk {:.0} MiB",
            self.samples,
            self.resident_mib,
            self.store_mib,
            self.descriptors_at_end,
            self.store_files_at_end,
            self.disk_mib
        );
        if !self.judged {
            return format!("{held}; too few to judge growth");
        }
        let percent = |ratio: f64| 100.0 * (ratio - 1.0);
        format!(
            "{held}; from one half to the other, beside the store's, {:+.1} % and {:+.1} %, and \
             {:+.1} % on disk per transaction",
            percent(self.resident),
            percent(self.descriptors),
            percent(self.disk_per_transaction)
        )
    }
}

/// Whether what is open is a file that a directory holds.
fn is_of(open: &FDTarget, directory: &Path) -> bool {
    matches!(open, FDTarget::Path(file) if file.starts_with(directory) && file.exists())
}

/// Of all files in a directory. Those that vanish meanwhile count nothing.
fn size(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: usize, leak: f64) -> Samples {
        let sample = |number: usize| {
            let time = number as f64;
            let (resident, store) = (1e8 * (1.0 + leak * time), 1e6 * time);
            Sample {
                resident: resident + store,
                store,
                descriptors: 50.0 + time,
                tables: time,
                disk: 300.0 * time,
                finalized: time,
            }
        };
        Samples((1..=count).map(sample).collect())
    }

    #[test]
    fn a_leak_is_found_and_a_level_is_none() {
        assert!(samples(60, 0.0).growth().problems().is_empty());
        let leaking = samples(60, 0.01).growth();
        assert_eq!(leaking.problems().len(), 1, "{leaking:?}");
        assert!(samples(8, 0.1).growth().problems().is_empty(), "too few to tell");
    }
}
