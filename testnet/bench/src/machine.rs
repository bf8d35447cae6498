//! The machine that something was measured on, and whether it was left alone meanwhile.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};
use procfs::{CpuInfo, Current as _};
use serde::{Deserialize, Serialize};
use testnet::machine::Ticks;

/// How long a machine is watched before it counts as quiet.
const WATCH: Duration = Duration::from_secs(3);
/// Share of processor time that others may use, or the hypervisor take away, on a quiet machine.
const MOST_BUSY: f64 = 0.05;

/// Where figures come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    #[serde(flatten)]
    pub hardware: testnet::machine::Machine,
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
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let processors = CpuInfo::current().ok();
        let flags = processors.as_ref().and_then(|processors| processors.flags(0));
        let changed = !said("git", &["status", "--porcelain"]).is_empty();
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
        Self {
            hardware: testnet::machine::Machine::this(),
            kernel: kernel.trim().to_owned(),
            rustc: said("rustc", &["--version"]),
            commit: format!("{commit}{}", if changed { "+" } else { "" }),
            curve_backend: curve_backend(
                &flags.unwrap_or_default(),
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

/// What `curve25519-dalek` chooses at run time: AVX-512 where the build asks for it, as
/// `.cargo/config.toml` does, and the processor has it; else AVX2.
fn curve_backend(flags: &[&str], asked_for_avx512: bool) -> String {
    let has = |name| flags.contains(&name);
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
        let ticks = || Ticks::now().context("the system says nothing of its processors");
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
    fn the_arithmetic_is_what_the_processor_can_do() {
        let wide = ["fpu", "avx2", "avx512ifma", "avx512vl"];
        assert_eq!(curve_backend(&wide, true), "AVX-512 IFMA, found at run time");
        assert_eq!(curve_backend(&wide, false), "AVX2, found at run time");
        assert_eq!(curve_backend(&["fpu", "avx2"], true), "AVX2, found at run time");
        assert_eq!(curve_backend(&["fpu"], true), "64-bit serial");
    }

    #[test]
    fn what_others_use_is_told_from_what_is_stolen() {
        let at = |user, idle, steal| Ticks { total: user + idle + steal, idle, steal };
        let weather = Weather::between(&at(100, 100, 100), &at(110, 180, 110));
        assert!((weather.busy - 0.1).abs() < 1e-9 && (weather.stolen - 0.1).abs() < 1e-9);
        assert!(!weather.quiet);
        assert!(Weather::between(&at(0, 0, 0), &at(2, 97, 1)).quiet);
    }
}
