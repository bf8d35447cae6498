//! Who may do what: the roles of accounts, and rules over them.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::types::{Address, ParseError};

/// Whether a chain is for everybody who can reach it, or for those it knows.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum AccessMode {
    /// Anyone may submit transactions and connect as an observer.
    #[default]
    Open,
    /// Only accounts with the role [`Role::Member`] may submit, and only peers whose network key's
    /// address has the role [`Role::Observer`] may connect. Validators may do both.
    Members,
}

impl fmt::Display for AccessMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Members => "members",
        })
    }
}

impl FromStr for AccessMode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "open" => Ok(Self::Open),
            "members" => Ok(Self::Members),
            _ => Err(ParseError { expected: "open or members" }),
        }
    }
}

/// What governance grants to an address.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May submit transactions.
    Member,
    /// Its node may connect. The address is that of the node's network key.
    Observer,
    /// May read namespaces whose readers are this role.
    Reader,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Member, Self::Observer, Self::Reader];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Member => "member",
            Self::Observer => "observer",
            Self::Reader => "reader",
        })
    }
}

impl FromStr for Role {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "member" => Ok(Self::Member),
            "observer" => Ok(Self::Observer),
            "reader" => Ok(Self::Reader),
            _ => Err(ParseError { expected: "member, observer or reader" }),
        }
    }
}

/// The roles of one address. An address without any has no record.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize,
)]
pub struct Roles {
    pub member: bool,
    pub observer: bool,
    pub reader: bool,
}

impl Roles {
    pub const fn has(self, role: Role) -> bool {
        match role {
            Role::Member => self.member,
            Role::Observer => self.observer,
            Role::Reader => self.reader,
        }
    }

    pub const fn set(&mut self, role: Role, granted: bool) {
        match role {
            Role::Member => self.member = granted,
            Role::Observer => self.observer = granted,
            Role::Reader => self.reader = granted,
        }
    }

    pub const fn is_empty(self) -> bool {
        !self.member && !self.observer && !self.reader
    }
}

/// Whom a rule lets through.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    Anyone,
    Role(Role),
    /// At most [`Access::MAX_ACCOUNTS`].
    Accounts(Vec<Address>),
}

impl Access {
    /// Whether an account may pass that `has` the roles it has.
    pub fn lets_through(&self, account: &Address, has: impl FnOnce(Role) -> bool) -> bool {
        match self {
            Self::Anyone => true,
            Self::Role(role) => has(*role),
            Self::Accounts(accounts) => accounts.contains(account),
        }
    }

    /// Most accounts in one rule.
    pub const MAX_ACCOUNTS: usize = 64;
}
