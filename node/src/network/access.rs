//! Who may connect without being a validator.

use chain::types::Address;

/// Says of nodes that are no validators whether they may connect. Validators always may.
pub trait AccessPolicy: Send + Sync {
    /// Whether a node may, by the final state of the chain; `node` is the address of its network
    /// key.
    fn admits(&self, node: &Address) -> bool;
}

/// Anyone may connect.
#[cfg(test)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Open;

#[cfg(test)]
impl AccessPolicy for Open {
    fn admits(&self, _: &Address) -> bool {
        true
    }
}

/// Why a node that would like to connect is turned away. It is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error(
        "the chain admits validators and observers only: the address of the network key needs the \
         role observer"
    )]
    NotAdmitted,
    #[error("it has as many connections with nodes that are no validators as it takes")]
    Full,
}

impl Refusal {
    /// As it travels; 0 is a welcome.
    pub(super) const fn to_byte(refusal: Option<Self>) -> u8 {
        match refusal {
            None => 0,
            Some(Self::NotAdmitted) => 1,
            Some(Self::Full) => 2,
        }
    }

    /// What a byte says; one that this version does not know is a refusal all the same.
    pub(super) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => None,
            2 => Some(Self::Full),
            _ => Some(Self::NotAdmitted),
        }
    }
}
