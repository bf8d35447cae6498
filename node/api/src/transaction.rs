//! Transactions, their fate and their receipts.

use chain::crypto::{PublicKey, Signature};
use chain::governance::GovernanceAction;
use chain::namespace::{NamespaceAction, NamespaceRules};
use chain::transaction::{Body, Expected, Transaction};
use chain::types::{Address, Amount, Digest, Epoch, Height, ValidatorIndex, View};
use serde::{Deserialize, Serialize};

use crate::block::Finality;
use crate::bytes::HexBytes;

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TxState {
    /// Waits for a block.
    Pending,
    /// In a block with a prepare certificate: survives crashes, may still be replaced if
    /// validators lie.
    Ordered,
    /// In a final block, and executed.
    Final,
    /// In a final block, and refused by execution: without effect, for ever.
    Failed,
    /// Not known here: never seen, expired, or dropped from a full pool.
    Unknown,
}

impl TxState {
    /// Whether it will not change any more.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Final | Self::Failed)
    }
}

/// The result of executing a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Whether it had its effect.
    pub ok: bool,
    /// The version that the key has now, where one was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Stable name of the reason where it had not, like `insufficient_balance`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The reason in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Answer of `tx_status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxStatus {
    pub hash: Digest,
    pub status: TxState,
    /// Height of its block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<Height>,
    /// Place in its block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Hash of its block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
    /// What the finality of its block is worth; absent where that is not final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finality: Option<Finality>,
}

impl TxStatus {
    /// The status of a transaction that is in no block.
    pub const fn outside(hash: Digest, status: TxState) -> Self {
        Self { hash, status, height: None, index: None, block: None, receipt: None, finality: None }
    }
}

/// What a transaction does, in JSON form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum TxBody {
    Transfer {
        to: Address,
        amount: Amount,
        memo: HexBytes,
    },
    Put {
        key: HexBytes,
        value: HexBytes,
    },
    Delete {
        key: HexBytes,
    },
    CompareAndSwap {
        key: HexBytes,
        expected: ExpectedEntry,
        value: HexBytes,
    },
    /// Writes to a namespace that is not open to everybody: `kv_subscribe` tells its readers what.
    Hidden {
        namespace: String,
    },
    Namespace {
        /// `create`, `set_rules` or `transfer`.
        action: String,
        name: String,
        /// Who may write and read from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rules: Option<NamespaceRules>,
        /// The new owner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<Address>,
    },
    RotateKey {
        new_key: PublicKey,
    },
    Governance(GovernanceAction),
}

/// What a key must be like for a value to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExpectedEntry {
    /// It does not exist.
    Absent,
    Value(HexBytes),
    /// It was written so many times.
    Version(u64),
}

impl From<&Expected> for ExpectedEntry {
    fn from(expected: &Expected) -> Self {
        match expected {
            Expected::Absent => Self::Absent,
            Expected::Value(value) => Self::Value(HexBytes(value.clone())),
            Expected::Version(version) => Self::Version(*version),
        }
    }
}

impl From<&NamespaceAction> for TxBody {
    fn from(action: &NamespaceAction) -> Self {
        let (verb, rules, owner) = match action {
            NamespaceAction::Create { rules, .. } => ("create", Some(rules.clone()), None),
            NamespaceAction::SetRules { rules, .. } => ("set_rules", Some(rules.clone()), None),
            NamespaceAction::Transfer { owner, .. } => ("transfer", None, Some(*owner)),
        };
        let name = String::from_utf8_lossy(action.name()).into_owned();
        Self::Namespace { action: verb.to_owned(), name, rules, owner }
    }
}

impl From<&Body> for TxBody {
    fn from(body: &Body) -> Self {
        let hex = |bytes: &Vec<u8>| HexBytes(bytes.clone());
        match body {
            Body::Transfer { to, amount, memo } => {
                Self::Transfer { to: *to, amount: *amount, memo: hex(memo) }
            }
            Body::Put { key, value } => Self::Put { key: hex(key), value: hex(value) },
            Body::Delete { key } => Self::Delete { key: hex(key) },
            Body::CompareAndSwap { key, expected, value } => {
                Self::CompareAndSwap { key: hex(key), expected: expected.into(), value: hex(value) }
            }
            Body::Namespace(action) => action.into(),
            Body::RotateKey { new_key, .. } => Self::RotateKey { new_key: *new_key },
            Body::Governance(action) => Self::Governance(action.clone()),
        }
    }
}

/// A transaction in a block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxInBlock {
    pub hash: Digest,
    #[serde(flatten)]
    pub content: TxContent,
    /// Absent while its block is not final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}

/// Who sent a transaction, and what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "from")]
#[expect(clippy::large_enum_variant, reason = "nearly all are of accounts")]
pub enum TxContent {
    /// Signed by an account.
    Account {
        sender: Address,
        sender_key: PublicKey,
        nonce: u64,
        expiry: Height,
        body: TxBody,
        signature: Signature,
    },
    /// From the system: a validator was caught.
    System { accused: ValidatorIndex, epoch: Epoch, view: View, height: Height },
}

impl From<&Transaction> for TxContent {
    fn from(transaction: &Transaction) -> Self {
        match transaction {
            Transaction::Signed(signed) => Self::Account {
                sender: signed.sender(),
                sender_key: signed.payload.sender,
                nonce: signed.payload.nonce,
                expiry: signed.payload.expiry,
                body: (&signed.payload.body).into(),
                signature: signed.signature,
            },
            Transaction::Evidence(evidence) => Self::System {
                accused: evidence.accused(),
                epoch: evidence.epoch(),
                view: evidence.view(),
                height: evidence.height(),
            },
        }
    }
}
