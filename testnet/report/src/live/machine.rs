//! The machine that something was measured on.

use serde::{Deserialize, Serialize};

/// What it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub cores: usize,
    pub processor: String,
    pub memory_gib: u64,
}

impl Machine {
    /// This one, as far as the system tells.
    pub fn this() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            cores,
            processor: processor(&text("/proc/cpuinfo")),
            memory_gib: memory_gib(&text("/proc/meminfo")),
        }
    }
}

fn processor(cpuinfo: &str) -> String {
    let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let model = fields.find(|(name, _)| name.trim() == "model name");
    model.map_or_else(|| "unknown".into(), |(_, model)| model.trim().to_owned())
}

fn memory_gib(meminfo: &str) -> u64 {
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|text| text.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kib.unwrap_or_default().div_ceil(1024 * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_understood() {
        assert_eq!(processor("processor\t: 0\nmodel name\t: Quick One\n"), "Quick One");
        assert_eq!(processor(""), "unknown");
        assert_eq!(memory_gib("MemTotal:       16313492 kB\nMemFree: 1 kB\n"), 16);
    }
}
