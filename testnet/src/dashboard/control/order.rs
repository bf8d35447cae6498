//! What a page may order, and the command that does the same.

use std::path::Path;

use chain::types::Address;
use serde::Deserialize;

use crate::byzantine::control::Behaviour;

/// An order of the page.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Order {
    Kill {
        node: usize,
    },
    Restart {
        node: usize,
    },
    Pause {
        node: usize,
    },
    Resume {
        node: usize,
    },
    Partition {
        groups: Vec<Vec<usize>>,
    },
    Heal {},
    Delay {
        node: usize,
        ms: u64,
    },
    Byzantine {
        node: usize,
        behaviour: Behaviour,
    },
    /// A new node, or one that observes.
    Join {
        node: Option<usize>,
    },
    Leave {
        node: usize,
    },
    /// Transactions per second; 0 ends the load.
    Load {
        rate: f64,
    },
    /// Moves an amount to an address, by default to the second account with a key file.
    Send {
        to: Option<Address>,
        amount: Option<Number>,
    },
    Put {
        key: String,
        value: String,
    },
}

/// An amount as pages write it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Number {
    Number(u64),
    Text(String),
}

impl Number {
    /// # Errors
    /// Where the text is no amount.
    pub fn get(&self) -> anyhow::Result<u128> {
        match self {
            Self::Number(number) => Ok(u128::from(*number)),
            Self::Text(text) => text
                .parse()
                .map_err(|_| anyhow::anyhow!("{text:?} is no amount: write a whole number")),
        }
    }
}

impl Order {
    /// Whether it takes long, and another such order must wait for it.
    pub fn is_slow(&self) -> bool {
        match self {
            Self::Join { .. } | Self::Leave { .. } | Self::Restart { .. } => true,
            Self::Byzantine { behaviour, .. } => behaviour.needs_leader(),
            _ => false,
        }
    }

    /// Whether it shows nothing while no blocks are made: nobody misses a leader without work.
    pub fn needs_work(&self) -> bool {
        match self {
            Self::Kill { .. } | Self::Pause { .. } | Self::Partition { .. } => true,
            Self::Byzantine { behaviour, .. } => *behaviour != Behaviour::Off,
            _ => false,
        }
    }

    /// The command line that does the same. `dir` is named where it is not the one that commands
    /// mean anyway.
    pub fn command(&self, dir: &Path, is_last: bool) -> String {
        let accounts = dir.join("accounts");
        let wallet = |what: String| {
            format!("wallet-cli {what} --key-file {}", accounts.join("account0.json").display())
        };
        let testnet = |what: String| match is_last {
            true => format!("testnet {what}"),
            false => format!("testnet {what} --dir {}", dir.display()),
        };
        match self {
            Self::Kill { node } => testnet(format!("kill {node}")),
            Self::Restart { node } => testnet(format!("restart {node}")),
            Self::Pause { node } => testnet(format!("pause {node}")),
            Self::Resume { node } => testnet(format!("resume {node}")),
            Self::Partition { groups } => testnet(format!("partition {}", text_of(groups))),
            Self::Heal {} => testnet("heal".into()),
            Self::Delay { node, ms } => testnet(format!("delay {node} {ms}")),
            Self::Byzantine { node, behaviour } => testnet(format!("byzantine {node} {behaviour}")),
            Self::Join { node: None } => testnet("join".into()),
            Self::Join { node: Some(node) } => testnet(format!("join {node}")),
            Self::Leave { node } => testnet(format!("leave {node}")),
            Self::Load { rate } if *rate == 0.0 => "Ctrl-C for `testnet load`".to_owned(),
            Self::Load { rate } => testnet(format!("load --rate {rate}")),
            Self::Send { to, amount } => {
                let to = to.map_or_else(|| "ADDRESS".to_owned(), |to| to.to_string());
                let amount = match amount {
                    None => "1".to_owned(),
                    Some(Number::Number(number)) => number.to_string(),
                    Some(Number::Text(text)) => quoted(text),
                };
                wallet(format!("send --to {to} --amount {amount}"))
            }
            Self::Put { key, value } => wallet(format!("kv put {} {}", quoted(key), quoted(value))),
        }
    }
}

/// Groups as the command line writes them.
pub(super) fn text_of(groups: &[Vec<usize>]) -> String {
    let group =
        |group: &Vec<usize>| group.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    groups.iter().map(group).collect::<Vec<_>>().join("/")
}

/// A word as shells read it.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=".contains(letter);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn order(json: &str) -> Order {
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn every_order_of_the_testnet_is_a_command_that_there_is() {
        for (json, expected) in [
            (r#"{"do":"kill","node":2}"#, "testnet kill 2"),
            (r#"{"do":"restart","node":0,"ms":null}"#, "testnet restart 0"),
            (r#"{"do":"pause","node":1}"#, "testnet pause 1"),
            (r#"{"do":"resume","node":1}"#, "testnet resume 1"),
            (r#"{"do":"partition","groups":[[0,1],[2,3]]}"#, "testnet partition 0,1/2,3"),
            (r#"{"do":"heal"}"#, "testnet heal"),
            (r#"{"do":"delay","node":3,"ms":250}"#, "testnet delay 3 250"),
            (
                r#"{"do":"byzantine","node":0,"behaviour":"double-vote"}"#,
                "testnet byzantine 0 double-vote",
            ),
            (r#"{"do":"join"}"#, "testnet join"),
            (r#"{"do":"join","node":4}"#, "testnet join 4"),
            (r#"{"do":"leave","node":4}"#, "testnet leave 4"),
            (r#"{"do":"load","rate":150}"#, "testnet load --rate 150"),
        ] {
            let command = order(json).command(Path::new("/x"), true);
            assert_eq!(command, expected);
            assert!(Cli::try_parse_from(command.split(' ')).is_ok(), "{command}");
            let elsewhere = order(json).command(Path::new("/x"), false);
            assert!(Cli::try_parse_from(elsewhere.split(' ')).is_ok(), "{elsewhere}");
        }
    }

    #[test]
    fn orders_of_accounts_are_the_wallets() {
        let dir = Path::new("/net");
        let sent = order(r#"{"do":"put","key":"colour","value":"it's blue"}"#);
        let expected =
            r"wallet-cli kv put colour 'it'\''s blue' --key-file /net/accounts/account0.json";
        assert_eq!(sent.command(dir, true), expected);
        let sent = order(r#"{"do":"send","amount":"12"}"#);
        assert!(sent.command(dir, true).contains("--amount 12 "), "{}", sent.command(dir, true));
        assert!(Number::Text("1; rm".into()).get().is_err());
    }

    #[test]
    fn what_is_no_order_is_refused() {
        for json in [
            "{}",
            r#"{"do":"explode"}"#,
            r#"{"do":"kill"}"#,
            r#"{"do":"kill","node":-1}"#,
            r#"{"do":"byzantine","node":0,"behaviour":"evil"}"#,
            r#"{"do":"load","rate":"fast"}"#,
        ] {
            assert!(serde_json::from_str::<Order>(json).is_err(), "{json}");
        }
    }
}
