//! Parts of the key-value store that somebody owns.
//!
//! The namespace of a key is what stands before its first `/`, where a namespace of that name was
//! created. All other keys are open to whoever may submit.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::types::Address;
use crate::validator::ValidatorSet;

/// Longest name of a namespace, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

/// Whether these bytes can name a namespace.
pub fn is_name(name: &[u8]) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.iter().all(allowed)
}

/// The namespace that a key belongs to, if it was created: what stands before the first `/`.
pub fn name_of(key: &[u8]) -> Option<&[u8]> {
    let end = key.iter().position(|byte| *byte == b'/')?;
    key.get(..end).filter(|name| is_name(name))
}

/// Whether an account is that of a current validator. Validators have every role.
pub(crate) fn is_validator(set: &ValidatorSet, account: &Address) -> bool {
    set.members().any(|(_, validator)| validator.governance_key.address() == *account)
}

/// Who may write and read a namespace besides its owner.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct NamespaceRules {
    pub writers: Access,
    /// Enforced by the nodes that answer reads. Validators and observers hold all data.
    pub readers: Access,
}

/// A namespace as the state keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Namespace {
    pub owner: Address,
    pub rules: NamespaceRules,
}

/// What an account does with a namespace.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum NamespaceAction {
    /// The sender becomes the owner. Refused where the name is taken or keys below it exist.
    Create { name: Vec<u8>, rules: NamespaceRules },
    /// By the owner.
    SetRules { name: Vec<u8>, rules: NamespaceRules },
    /// By the owner.
    Transfer { name: Vec<u8>, owner: Address },
}

impl NamespaceAction {
    pub fn name(&self) -> &[u8] {
        match self {
            Self::Create { name, .. }
            | Self::SetRules { name, .. }
            | Self::Transfer { name, .. } => name,
        }
    }
}
