//! Values in a proof file: their canonical encoding in hexadecimal, which is what is hashed.

use bincode::{Decode, Encode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::codec::{self, Bounded};

/// For `#[serde(with)]`.
pub(super) fn serialize<T: Encode, S: Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(codec::encode(value)))
}

/// For `#[serde(with)]`.
pub(super) fn deserialize<'de, T: Decode<()> + Bounded, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = hex::decode(text).map_err(de::Error::custom)?;
    codec::decode(&bytes).map_err(de::Error::custom)
}

/// A value by its encoding, where it stands inside something else.
struct Encoded<T>(T);

impl<T: Encode> Serialize for Encoded<&T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.0, serializer)
    }
}

impl<'de, T: Decode<()> + Bounded> Deserialize<'de> for Encoded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

/// The same for a value or `null`.
pub(super) mod option {
    use super::*;

    pub(in super::super) fn serialize<T: Encode, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(Encoded).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, T: Decode<()> + Bounded, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let value = Option::<Encoded<T>>::deserialize(deserializer)?;
        Ok(value.map(|Encoded(value)| value))
    }
}

/// The same for each value of a list.
pub(super) mod list {
    use super::*;

    pub(in super::super) fn serialize<T: Encode, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(Encoded))
    }

    pub(in super::super) fn deserialize<'de, T: Decode<()> + Bounded, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let values = Vec::<Encoded<T>>::deserialize(deserializer)?;
        Ok(values.into_iter().map(|Encoded(value)| value).collect())
    }
}
