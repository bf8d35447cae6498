//! The part of the command line that is about the key-value store.

use std::str::FromStr;

use chain::access::{Access, Role};
use chain::types::Address;
use clap::{Args, Subcommand, ValueEnum};
use node_api::kv::{Cursor, ReadLevel};

use super::Sending;

#[derive(Debug, Subcommand)]
pub(crate) enum KvCommand {
    /// Write a value.
    Put {
        /// Key of the store
        key: String,
        /// What it is to hold
        #[arg(allow_negative_numbers = true)]
        value: String,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        sending: Sending,
    },
    /// Read the value of a key.
    Get {
        /// Key of the store
        key: String,
        #[command(flatten)]
        read: Read,
        #[command(flatten)]
        form: Form,
    },
    /// Remove a key.
    Delete {
        /// Key of the store
        key: String,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        sending: Sending,
    },
    /// Write a value only if the key is as expected now.
    Cas {
        /// Key of the store
        key: String,
        /// What it is to hold
        #[arg(allow_negative_numbers = true)]
        value: String,
        #[command(flatten)]
        expected: Expectation,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        sending: Sending,
    },
    /// Keys and their values, in order.
    List {
        /// Only keys that begin like this.
        #[arg(default_value = "", hide_default_value = true)]
        prefix: String,
        /// Most entries to show.
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Key to begin at.
        #[arg(long, value_name = "KEY")]
        start: Option<String>,
        #[command(flatten)]
        read: Read,
        #[command(flatten)]
        form: Form,
    },
    /// Show changes of keys as they become final, until interrupted.
    ///
    /// Every change comes once and in order. A cursor stands with each: --from goes on right after
    /// it, on any node.
    Watch(KvWatch),
    /// Own a part of the store: the keys that begin with NAME/.
    #[command(subcommand)]
    Namespace(NamespaceCommand),
}

/// What a key must be like to be written.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Expectation {
    /// What the key must hold.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub(crate) expected: Option<String>,
    /// How often the key must have been written.
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<u64>,
    /// The key must not exist.
    #[arg(long)]
    pub(crate) absent: bool,
}

/// How new an answer must be.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Read {
    /// How new the answer must be.
    #[arg(long = "read", value_enum, default_value_t = Level::Final)]
    level: Level,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    /// Final on the node, which may lag.
    Final,
    /// Newest, and may be taken back.
    Ordered,
    /// Final, and no older than anything that anyone was told is final before.
    Linearizable,
}

impl Read {
    pub(crate) const fn level(self) -> ReadLevel {
        match self.level {
            Level::Final => ReadLevel::Final,
            Level::Ordered => ReadLevel::Ordered,
            Level::Linearizable => ReadLevel::Linearizable,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct KvWatch {
    /// Only keys that begin like this.
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) prefix: String,
    /// Go on after this cursor [default: from now on].
    #[arg(long, value_name = "CURSOR")]
    pub(crate) from: Option<Cursor>,
    /// End after so many changes.
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<u64>,
    #[command(flatten)]
    pub(crate) form: Form,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NamespaceCommand {
    /// Take a name that no key uses yet. The account of the key becomes its owner.
    Create {
        /// Letters, digits, -, _ and .
        name: String,
        /// Who may write besides the owner: anyone, role:member, or addresses with commas.
        #[arg(long, value_name = "WHO", default_value = "anyone")]
        writers: AccessRule,
        /// Who may read besides the owner: anyone, role:reader, or addresses with commas.
        #[arg(long, value_name = "WHO", default_value = "anyone")]
        readers: AccessRule,
        #[command(flatten)]
        sending: Sending,
    },
    /// Owner, writers and readers of a namespace.
    Show {
        /// Name of the namespace
        name: String,
    },
    /// Change who may write or read. Its owner does that.
    SetRules {
        /// Name of the namespace
        name: String,
        /// Who may write besides the owner [default: as now].
        #[arg(long, value_name = "WHO", required_unless_present = "readers")]
        writers: Option<AccessRule>,
        /// Who may read besides the owner [default: as now].
        #[arg(long, value_name = "WHO")]
        readers: Option<AccessRule>,
        #[command(flatten)]
        sending: Sending,
    },
    /// Give a namespace to another account. Its owner does that.
    Transfer {
        /// Name of the namespace
        name: String,
        /// The new owner, like cat1…
        #[arg(long, value_name = "ADDR")]
        to: Address,
        #[command(flatten)]
        sending: Sending,
    },
}

/// Whom a rule lets through, as it stands on the command line.
#[derive(Clone, Debug)]
pub(crate) struct AccessRule(pub(crate) Access);

impl FromStr for AccessRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "anyone" {
            return Ok(Self(Access::Anyone));
        }
        if let Some(role) = text.strip_prefix("role:") {
            let role: Role = role.parse().map_err(|error| format!("{role:?}: {error}"))?;
            return Ok(Self(Access::Role(role)));
        }
        let address = |text: &str| {
            text.parse::<Address>().map_err(|error| format!("{text:?} is no address: {error}"))
        };
        let accounts = text.split(',').map(address).collect::<Result<Vec<_>, _>>()?;
        if accounts.len() > Access::MAX_ACCOUNTS {
            let (count, most) = (accounts.len(), Access::MAX_ACCOUNTS);
            return Err(format!("{count} addresses where at most {most} are allowed"));
        }
        Ok(Self(Access::Accounts(accounts)))
    }
}

/// How keys and values stand on the command line.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Form {
    /// Keys and values are bytes in hexadecimal instead of text.
    #[arg(long)]
    pub(crate) hex: bool,
}
