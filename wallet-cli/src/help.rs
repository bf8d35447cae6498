//! What `help` says under every command: how it is used, and how it ends.

use clap::{Command, CommandFactory as _};

use crate::args::Arguments;

const EXIT_CODES: &str = "Exit codes: 0 done, 1 refused by the chain, 2 bad arguments, 3 cannot reach a node, 4 timed out.";

/// Examples of every command, by its words. Those of docs/wallet.md are executed by a test.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("account show", &["wallet-cli account show", "wallet-cli account show cat1…"]),
    ("balance", &["wallet-cli balance", "wallet-cli balance cat1… --json"]),
    ("block show", &["wallet-cli block show latest", "wallet-cli block show 12 --json"]),
    ("govern approve", &["wallet-cli govern approve 3 --key-file ~/node/keys/governance.json"]),
    ("govern list", &["wallet-cli govern list", "wallet-cli govern list --all --json"]),
    ("govern parameters", &["wallet-cli govern parameters"]),
    (
        "govern propose add-validator",
        &[
            "node keys show --home ~/node --json > candidate.json",
            "wallet-cli govern propose add-validator --candidate candidate.json --key-file FILE",
        ],
    ),
    (
        "govern propose grant",
        &["wallet-cli govern propose grant cat1… member --key-file ~/node/keys/governance.json"],
    ),
    ("govern propose jail", &["wallet-cli govern propose jail node3 --key governor"]),
    ("govern propose pardon", &["wallet-cli govern propose pardon node3 --key governor"]),
    (
        "govern propose remove-validator",
        &[
            "wallet-cli govern propose remove-validator node3 --key governor",
            "wallet-cli govern propose remove-validator 4 --key-file ~/node/keys/governance.json",
        ],
    ),
    (
        "govern propose revoke",
        &["wallet-cli govern propose revoke cat1… member --key-file ~/node/keys/governance.json"],
    ),
    (
        "govern propose rotate-key",
        &[
            "node keys rotate --home ~/node --kind consensus",
            "wallet-cli govern propose rotate-key node3 --kind consensus --new-key KEY",
        ],
    ),
    (
        "govern propose set-parameter",
        &[
            "wallet-cli govern propose set-parameter access members --key governor",
            "wallet-cli govern propose set-parameter block_transactions 500 --key governor",
        ],
    ),
    ("govern show", &["wallet-cli govern show 3"]),
    ("govern withdraw", &["wallet-cli govern withdraw 3 --key-file ~/node/keys/governance.json"]),
    ("key export", &["wallet-cli key export alice --out alice.json"]),
    (
        "key import",
        &[
            "wallet-cli key import alice < words.txt",
            "wallet-cli key import dev --file accounts/account0.json",
        ],
    ),
    ("key list", &["wallet-cli key list"]),
    ("key new", &["wallet-cli key new alice", "wallet-cli key new bob --mnemonic-file words.txt"]),
    ("key rotate", &["wallet-cli key rotate --key alice"]),
    ("key show", &["wallet-cli key show alice", "wallet-cli key show alice --json"]),
    (
        "kv cas",
        &[
            "wallet-cli kv cas colour red --expected blue",
            "wallet-cli kv cas colour red --version 1",
            "wallet-cli kv cas lock mine --absent",
        ],
    ),
    ("kv delete", &["wallet-cli kv delete colour"]),
    (
        "kv get",
        &[
            "wallet-cli kv get colour",
            "wallet-cli kv get colour --read linearizable",
            "wallet-cli kv get 00ff --hex",
        ],
    ),
    ("kv list", &["wallet-cli kv list", "wallet-cli kv list co --limit 10"]),
    (
        "kv namespace create",
        &[
            "wallet-cli kv namespace create shop --writers role:member",
            "wallet-cli kv namespace create vault --writers cat1… --readers cat1…",
        ],
    ),
    ("kv namespace set-rules", &["wallet-cli kv namespace set-rules shop --writers anyone"]),
    ("kv namespace show", &["wallet-cli kv namespace show shop"]),
    ("kv namespace transfer", &["wallet-cli kv namespace transfer shop --to cat1…"]),
    ("kv put", &["wallet-cli kv put colour blue", "wallet-cli kv put 00ff 0102 --hex"]),
    (
        "kv watch",
        &["wallet-cli kv watch shop/", "wallet-cli kv watch shop/ --from 120.3 --count 1"],
    ),
    ("proof get account", &["wallet-cli proof get account cat1… --out account.json"]),
    ("proof get evidence", &["wallet-cli proof get evidence HASH --out evidence.json"]),
    ("proof get key", &["wallet-cli proof get key colour --out colour.json"]),
    ("proof get tx", &["wallet-cli proof get tx HASH --out receipt.json"]),
    ("proof get validators", &["wallet-cli proof get validators 0 --out validators.json"]),
    ("proof verify", &["wallet-cli proof verify receipt.json --genesis genesis.json"]),
    (
        "send",
        &[
            "wallet-cli send --to cat1… --amount 2500 --memo rent",
            "wallet-cli send --to cat1… --amount 2500 --wait none --yes --json",
        ],
    ),
    ("status", &["wallet-cli status", "wallet-cli status --rpc http://127.0.0.1:26667 --json"]),
    ("tx status", &["wallet-cli tx status HASH"]),
    ("tx wait", &["wallet-cli tx wait HASH --timeout 10"]),
    ("validators", &["wallet-cli validators", "wallet-cli validators --json"]),
    ("watch", &["wallet-cli watch", "wallet-cli watch --count 5 --json"]),
];

/// The command line, with examples and exit codes under every command.
pub(crate) fn command() -> Command {
    let names: Vec<String> = children(&Arguments::command());
    names.into_iter().fold(Arguments::command(), |command, name| {
        command.mut_subcommand(&name, |child| dress(child, &name))
    })
}

fn dress(command: Command, words: &str) -> Command {
    let names = children(&command);
    if names.is_empty() {
        let examples = EXAMPLES.iter().find(|(of, _)| *of == words).map_or(&[][..], |(_, e)| e);
        let lines: String = examples.iter().map(|example| format!("\n  {example}")).collect();
        return command.after_help(format!("Examples:{lines}\n\n{EXIT_CODES}"));
    }
    names.into_iter().fold(command, |command, name| {
        let words = format!("{words} {name}");
        command.mut_subcommand(&name, |child| dress(child, &words))
    })
}

fn children(command: &Command) -> Vec<String> {
    command.get_subcommands().map(|child| child.get_name().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The words of every command that does something.
    fn commands(command: &Command, words: &str, found: &mut BTreeSet<String>) {
        for child in command.get_subcommands() {
            let words = format!("{words} {}", child.get_name()).trim_start().to_owned();
            if child.has_subcommands() {
                commands(child, &words, found);
            } else {
                found.insert(words);
            }
        }
    }

    fn all() -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        commands(&command(), "", &mut found);
        found
    }

    #[test]
    fn every_command_has_examples_here_and_in_the_documentation() {
        let with_examples: BTreeSet<String> =
            EXAMPLES.iter().map(|(words, _)| (*words).to_owned()).collect();
        assert_eq!(with_examples.len(), EXAMPLES.len(), "each once");
        assert_eq!(with_examples, all());
        let page = include_str!("../../docs/wallet.md");
        let shown: Vec<&str> = page.lines().filter(|line| line.starts_with("$ ")).collect();
        for words in all() {
            let example = format!("wallet-cli {words}");
            let is_shown = shown.iter().any(|line| line.contains(&example));
            assert!(is_shown, "docs/wallet.md has no example of `{example}`");
        }
        println!("{} commands", all().len());
    }

    #[test]
    fn every_example_is_a_command_line_that_can_be_meant() {
        let placeholders = [
            ("cat1…", "cat1stkw2n29euvcxgj8qj850cjlsmwc9hh3js6tdf"),
            ("HASH", "d02d4c390c2ba697de6cb59c492328395a80dd3dea62fb7956982b079deefbd4"),
            ("KEY", "8dd000134b69d05356f628d74e63b9e13bdaed97641d0ccf410cb20e333c2c5a"),
        ];
        for example in EXAMPLES.iter().flat_map(|(_, examples)| *examples) {
            let filled = placeholders
                .iter()
                .fold((*example).to_owned(), |text, (from, to)| text.replace(from, to));
            let words = filled.split_whitespace().take_while(|word| *word != "<" && *word != ">");
            if filled.starts_with("wallet-cli ") {
                let parsed = command().try_get_matches_from(words);
                assert!(parsed.is_ok(), "{example}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn every_page_says_what_for_how_and_how_it_ends() {
        for words in all() {
            let mut page = command();
            for word in words.split(' ') {
                page = page.find_subcommand(word).expect("it was found before").clone();
            }
            let text = page.render_long_help().to_string();
            let purpose = text.lines().next().unwrap_or_default();
            assert!(purpose.len() > 10, "{words}: {purpose}");
            assert!(text.contains("Examples:\n  "), "{words}: {text}");
            assert!(text.contains(EXIT_CODES), "{words}: {text}");
        }
    }
}
