//! `kv namespace`: parts of the store that somebody owns.

use chain::access::Access;
use chain::namespace::{self, MAX_NAME_BYTES, NamespaceAction, NamespaceRules};
use chain::transaction::Body;

use crate::args::{AccessRule, Global, NamespaceCommand, Sending};
use crate::connection::Node;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, facts, printable};
use crate::submission;

pub(super) async fn run(global: &Global, command: NamespaceCommand) -> Outcome<()> {
    match command {
        NamespaceCommand::Create { name, writers, readers, sending } => {
            let rules = NamespaceRules { writers: writers.0, readers: readers.0 };
            let summary = format!("create namespace {name}: {}", describe(&rules));
            let action = NamespaceAction::Create { name: checked(&name)?, rules };
            send(global, &sending, action, &summary).await
        }
        NamespaceCommand::Show { name } => show(global, &name).await,
        NamespaceCommand::SetRules { name, writers, readers, sending } => {
            let now = Node::choose(global)?.kv_namespace(&name).await?;
            let or = |rule: Option<AccessRule>, now| rule.map_or(now, |AccessRule(rule)| rule);
            let rules = NamespaceRules {
                writers: or(writers, now.writers),
                readers: or(readers, now.readers),
            };
            let summary = format!("change namespace {name}: {}", describe(&rules));
            let action = NamespaceAction::SetRules { name: checked(&name)?, rules };
            send(global, &sending, action, &summary).await
        }
        NamespaceCommand::Transfer { name, to, sending } => {
            let summary = format!("give namespace {name} to {to}");
            let action = NamespaceAction::Transfer { name: checked(&name)?, owner: to };
            send(global, &sending, action, &summary).await
        }
    }
}

fn checked(name: &str) -> Outcome<Vec<u8>> {
    if namespace::is_name(name.as_bytes()) {
        return Ok(name.as_bytes().to_vec());
    }
    Err(Failure::bad_arguments(format!(
        "{name:?}: a namespace's name is 1 to {MAX_NAME_BYTES} letters, digits, -, _ or ."
    )))
}

async fn send(
    global: &Global,
    sending: &Sending,
    action: NamespaceAction,
    summary: &str,
) -> Outcome<()> {
    submission::run(global, sending, Body::Namespace(action), summary).await
}

async fn show(global: &Global, name: &str) -> Outcome<()> {
    let shown = Node::choose(global)?.kv_namespace(name).await?;
    Output { json: global.json }.result(&shown, || {
        facts([
            ("namespace", printable(name)),
            ("owner", shown.owner.to_string()),
            ("writers", who(&shown.writers)),
            ("readers", who(&shown.readers)),
            ("height", format!("{} (final)", shown.height)),
        ])
    });
    Ok(())
}

fn describe(rules: &NamespaceRules) -> String {
    format!("written by {}, read by {}", who(&rules.writers), who(&rules.readers))
}

/// Whom a rule lets through, as the command line takes it.
fn who(access: &Access) -> String {
    match access {
        Access::Anyone => "anyone".to_owned(),
        Access::Role(role) => format!("role:{role}"),
        Access::Accounts(accounts) if accounts.is_empty() => "its owner alone".to_owned(),
        Access::Accounts(accounts) => {
            let accounts: Vec<String> = accounts.iter().map(ToString::to_string).collect();
            accounts.join(",")
        }
    }
}
