//! Durations as people write them: `"300ms"`, `"1.5s"`, `"250us"`. For `#[serde(with = …)]`.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// Units with their length in nanoseconds, longest name first so that `ms` is not taken for `s`.
const UNITS: [(&str, u64); 4] = [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000)];

fn text(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let exact = UNITS.iter().rev().find(|(_, length)| nanos.is_multiple_of(u128::from(*length)));
    let (unit, length) = exact.unwrap_or(&UNITS[0]);
    format!("{}{unit}", nanos / u128::from(*length))
}

fn parse(text: &str) -> Option<Duration> {
    let (number, length) = UNITS.iter().find_map(|(unit, length)| {
        text.strip_suffix(unit).map(|number| (number.trim(), *length))
    })?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let parts = 10_u64.pow(u32::try_from(fraction.len()).ok()?);
    let fraction = if fraction.is_empty() { 0 } else { fraction.parse::<u64>().ok()? };
    let nanos = whole.parse::<u64>().ok()?.checked_mul(length)?;
    let rest = u64::try_from(u128::from(fraction) * u128::from(length) / u128::from(parts)).ok()?;
    Some(Duration::from_nanos(nanos.checked_add(rest)?))
}

fn parsed<E: serde::de::Error>(text: &str) -> Result<Duration, E> {
    parse(text)
        .ok_or_else(|| E::custom(format!("{text:?} is no time; write \"300ms\" or \"1.5s\"")))
}

/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*duration))
}

/// # Errors
/// Where the text is no time.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parsed(&String::deserialize(deserializer)?)
}

/// A time that may be missing.
pub mod option {
    use super::*;

    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.serialize_some(&text(*duration)),
            None => serializer.serialize_none(),
        }
    }

    /// # Errors
    /// Where the text is no time.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Option::<String>::deserialize(deserializer)?.map(|text| parsed(&text)).transpose()
    }
}

/// The least and the most: `["1ms", "2ms"]`.
pub mod range {
    use super::*;

    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(
        range: &(Duration, Duration),
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq([text(range.0), text(range.1)])
    }

    /// # Errors
    /// Where these are not two times, the smaller first.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<(Duration, Duration), D::Error> {
        let [least, most] = <[String; 2]>::deserialize(deserializer)?;
        let range = (parsed(&least)?, parsed(&most)?);
        if range.0 > range.1 {
            return Err(D::Error::custom(format!("{least} is more than {most}; exchange them")));
        }
        Ok(range)
    }
}

/// Rows of times: a matrix.
pub mod matrix {
    use super::*;

    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(
        rows: &[Vec<Duration>],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let row = |row: &Vec<Duration>| row.iter().map(|entry| text(*entry)).collect::<Vec<_>>();
        serializer.collect_seq(rows.iter().map(row))
    }

    /// # Errors
    /// Where an entry is no time.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Vec<Duration>>, D::Error> {
        let rows = <Vec<Vec<String>>>::deserialize(deserializer)?;
        rows.iter().map(|row| row.iter().map(|entry| parsed(entry)).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_time_reads_back() {
        for nanos in [0, 1, 1_500, 2_000_000, 90_000_000_000, 1_234_567_890] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse(&text(duration)), Some(duration), "{}", text(duration));
        }
        assert_eq!(parse("1.5s"), Some(Duration::from_millis(1_500)));
        assert_eq!(parse("0.25 ms"), Some(Duration::from_micros(250)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "5", "ms", "-1ms", "1.ms.s", "1e3ms", "99999999999s", "1h"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
