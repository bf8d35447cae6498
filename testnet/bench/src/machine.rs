//! The machine that something was measured on, and whether it was left alone meanwhile.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use testnet::machine::Ticks;

/// How long a machine is watched before it counts as quiet.
const WATCH: Duration = Duration::from_secs(3);
/// Share of processor time that others may use, or the hypervisor take away, on a quiet machine.
const MOST_BUSY: f64 = 0.05;

/// Where figures come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_gib: u64,
    pub kernel: String,
    pub rustc: String,
    /// Of this repository; with a `+` where files differ from it.
    pub commit: String,
    /// How the curve arithmetic behind the signatures was compiled.
    pub curve_backend: String,
    /// Seconds since 1970.
    pub time: i64,
}

impl Machine {
    pub fn this() -> Self {
        let text = |path| std::fs::read_to_string(path).unwrap_or_default();
        let changed = !said("git", &["status", "--porcelain"]).is_empty();
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
        Self {
            processor: field(&text("/proc/cpuinfo"), "model name").unwrap_or("unknown".into()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gib: memory_gib(&text("/proc/meminfo")),
            kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
            rustc: said("rustc", &["--version"]),
            commit: format!("{commit}{}", if changed { "+" } else { "" }),
            curve_backend: curve_backend(
                &text("/proc/cpuinfo"),
                cfg!(curve25519_dalek_backend = "avx512"),
            ),
            time: time::OffsetDateTime::now_utc().unix_timestamp(),
        }
    }
}

/// What a program prints; empty where it is not there.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().trim().to_owned()
}

fn field(text: &str, name: &str) -> Option<String> {
    let mut fields = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.find(|(found, _)| found.trim() == name)?;
    Some(value.trim().to_owned())
}

fn memory_gib(meminfo: &str) -> u64 {
    let kib = field(meminfo, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok());
    kib.unwrap_or(0_u64).div_ceil(1024 * 1024)
}

/// What `curve25519-dalek` chooses at run time: AVX-512 where the build asks for it, as
/// `.cargo/config.toml` does, and the processor has it; else AVX2.
fn curve_backend(cpuinfo: &str, asked_for_avx512: bool) -> String {
    let flags = field(cpuinfo, "flags").unwrap_or_default();
    let has = |name| flags.split(' ').any(|flag| flag == name);
    let backend = if asked_for_avx512 && has("avx512ifma") && has("avx512vl") {
        "AVX-512 IFMA, found at run time"
    } else if has("avx2") {
        "AVX2, found at run time"
    } else {
        "64-bit serial"
    };
    backend.to_owned()
}

/// How busy the machine was before a benchmark began.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Weather {
    /// Share of processor time that other programs used.
    pub busy: f64,
    /// Share that the hypervisor gave to other machines.
    pub stolen: f64,
    pub quiet: bool,
}

impl Weather {
    /// Watches the machine for a while, with this program asleep.
    ///
    /// # Errors
    /// Where the system does not tell; where the machine is not quiet, unless `loud`.
    pub fn check(loud: bool) -> anyhow::Result<Self> {
        let ticks = || Ticks::now().context("/proc/stat says nothing of the processors");
        let before = ticks()?;
        std::thread::sleep(WATCH);
        let weather = Self::between(&before, &ticks()?);
        if !weather.quiet && !loud {
            bail!(
                "the machine is not quiet: others use {:.0} % of it and {:.0} % is stolen. Wait, \
                 or give --loud: the report then says so",
                100.0 * weather.busy,
                100.0 * weather.stolen
            );
        }
        Ok(weather)
    }

    fn between(before: &Ticks, after: &Ticks) -> Self {
        let stolen = after.steal_since(before);
        let busy = (1.0 - after.idle_since(before) - stolen).max(0.0);
        Self { busy, stolen, quiet: busy + stolen <= MOST_BUSY }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_understood() {
        assert_eq!(field("processor\t: 0\nmodel name\t: Quick\n", "model name").unwrap(), "Quick");
        assert_eq!(memory_gib("MemTotal:       16313492 kB\nMemFree: 1 kB\n"), 16);
        let wide = "flags\t\t: fpu avx2 avx512ifma avx512vl\n";
        assert_eq!(curve_backend(wide, true), "AVX-512 IFMA, found at run time");
        assert_eq!(curve_backend(wide, false), "AVX2, found at run time");
        assert_eq!(curve_backend("flags\t\t: fpu avx2\n", true), "AVX2, found at run time");
        assert_eq!(curve_backend("flags\t\t: fpu\n", true), "64-bit serial");
    }

    #[test]
    fn what_others_use_is_told_from_what_is_stolen() {
        let at = |user, idle, stolen| {
            Ticks::of(&format!("cpu {user} 0 0 {idle} 0 0 0 {stolen} 0 0\n")).unwrap()
        };
        let weather = Weather::between(&at(100, 100, 100), &at(110, 180, 110));
        assert!((weather.busy - 0.1).abs() < 1e-9 && (weather.stolen - 0.1).abs() < 1e-9);
        assert!(!weather.quiet);
        assert!(Weather::between(&at(0, 0, 0), &at(2, 97, 1)).quiet);
    }
}
