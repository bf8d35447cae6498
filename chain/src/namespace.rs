//! Parts of the key-value store that somebody owns.
//!
//! The namespace of a key is what stands before its first `/`, where a namespace of that name was
//! created. All other keys are open to whoever may submit.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::types::Address;

/// Longest name of a namespace, in bytes.
pub const MAX_NAME_BYTES: usize = 64;

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
