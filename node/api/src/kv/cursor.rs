//! Places in the sequence of all changes.

use std::fmt;
use std::str::FromStr;

use chain::types::Height;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Before a transaction of a final block: what `kv_subscribe` starts from. Means the same on every
/// node of the chain. Text, in JSON too, that clients need not understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub height: Height,
    /// Place among the block's transactions; past the last one it is the end of the block.
    pub index: u32,
}

/// A text that is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACursor;

impl fmt::Display for NotACursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a cursor, like 120.3")
    }
}

impl std::error::Error for NotACursor {}

impl Cursor {
    /// Before everything in a block.
    pub const fn at(height: Height) -> Self {
        Self { height, index: 0 }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.height, self.index)
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let (height, index) = text.split_once('.').ok_or(NotACursor)?;
        let height = Height::new(height.parse().map_err(|_| NotACursor)?);
        let cursor = Self { height, index: index.parse().map_err(|_| NotACursor)? };
        // One text each: no signs, no leading zeros.
        if cursor.to_string() == text { Ok(cursor) } else { Err(NotACursor) }
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_has_one_text() {
        let cursor = Cursor { height: Height::new(120), index: 3 };
        assert_eq!(cursor.to_string(), "120.3");
        assert_eq!("120.3".parse(), Ok(cursor));
        assert_eq!(serde_json::to_string(&cursor).unwrap(), "\"120.3\"");
        for text in ["", "1", "1.", ".1", "+1.0", "01.0", "1.00", "1.-1", "1.4294967296", "1.0.0"] {
            assert_eq!(text.parse::<Cursor>(), Err(NotACursor), "{text}");
        }
    }
}
