//! How many seeds a gate runs: its own number in `make test`, many times that in a soak.

use std::ops::Range;

/// By how much the number of seeds is multiplied: `SIM_SEEDS`, or one.
pub fn factor() -> u64 {
    number("SIM_SEEDS", 1)
}

/// So many seeds, times the factor, from `SIM_FIRST` or zero on.
pub fn seeds(count: u64) -> Range<u64> {
    let first = number("SIM_FIRST", 0);
    first..first + count * factor()
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name}={text}: not a whole number"))
    })
}
