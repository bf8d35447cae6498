//! `key rotate`: another key for an account.
//!
//! The new key is on disk, with its backup, before the chain hears of it; the old one leaves only
//! once the change is final. So whenever it is interrupted there is a key that signs for the account,
//! and giving the command again goes on from there.

use std::path::PathBuf;

use chain::crypto::{Keypair, Signer as _};
use chain::transaction::{Body, key_rotation_digest};
use chain::types::Address;
use serde::Serialize;

use super::{KeyReport, back_up, store};
use crate::args::{Global, Rotate};
use crate::connection::Node;
use crate::failure::{Failure, Kind, Outcome};
use crate::keystore::{KeyName, Keystore};
use crate::output::Output;
use crate::signing::{Selected, keystore};
use crate::submission::{self, Sent};
use crate::{mnemonic, passwords};

/// What `key rotate` prints.
#[derive(Serialize)]
struct Rotated {
    /// Absent where an earlier attempt had sent it already.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    sent: Option<Sent>,
    key: KeyReport,
    /// Where the old key is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    retired: Option<PathBuf>,
}

pub(super) async fn run(global: &Global, arguments: Rotate) -> Outcome<()> {
    let Rotate { new, mnemonic_file, sending } = arguments;
    let selected = Selected::from(global)?;
    let account = selected.account(global);
    let old = match &selected {
        Selected::Locked(locked) => Some(locked.name.clone()),
        Selected::Plain(_) => None,
    };
    let name = match (&new, &old) {
        (Some(name), _) => name.clone(),
        (None, Some(old)) => old.next().map_err(Failure::bad_arguments)?,
        (None, None) => {
            return Err(Failure::bad_arguments(
                "the old key is in a file of its own: name the new one with --new",
            ));
        }
    };
    // From now on there may be two keys, and this one was meant.
    let global = &Global { key: old.clone().or_else(|| global.key.clone()), ..global.clone() };
    let node = Node::choose(global)?;
    let (chain, known) = tokio::try_join!(node.status(), node.account(account))?;
    let keys = keystore(global)?;
    let next = match left_behind(global, &keys, &name, account)? {
        Some(next) => next,
        None => make(global, &name, account, mnemonic_file)?,
    };

    let sent = if known.key == Some(next.public()) {
        None
    } else {
        let possession = next.sign(&key_rotation_digest(&chain.chain_id, &account));
        let body = Body::RotateKey { new_key: next.public(), possession };
        let summary = format!("give {account} the key {}", next.public());
        let go_on = format!("the new key is stored as {name}: give the command again to go on");
        let sent = submission::send(global, &sending, body, &summary)
            .await
            .map_err(|failure| failure.say(&go_on))?;
        if !sent.is_final() {
            let message = format!("not final yet: {go_on}");
            return Err(Failure::new(Kind::TimedOut, message));
        }
        Some(sent)
    };
    let (key, retired) = promote(&keys, old.as_ref(), &name, new.is_some())?;
    let rotated = Rotated { sent, key, retired };
    Output { json: global.json }.result(&rotated, || describe(&rotated));
    Ok(())
}

/// The new key, where an earlier attempt made it.
fn left_behind(
    global: &Global,
    keys: &Keystore,
    name: &KeyName,
    account: Address,
) -> Outcome<Option<Keypair>> {
    if !keys.has(name) {
        return Ok(None);
    }
    let locked = keys.get(name).map_err(Failure::bad_arguments)?;
    if locked.account() != account {
        keys.check_free(name).map_err(Failure::bad_arguments)?;
    }
    Selected::Locked(locked).open(global).map(Some)
}

fn make(
    global: &Global,
    name: &KeyName,
    account: Address,
    mnemonic_file: Option<PathBuf>,
) -> Outcome<Keypair> {
    let words = mnemonic::generate().map_err(Failure::bad_arguments)?;
    let key = mnemonic::derive(&words, 0).map_err(Failure::bad_arguments)?;
    let password = passwords::new(global.password_file.as_deref(), &name.to_string())?;
    back_up(global, &words, mnemonic_file.as_deref())?;
    store(global, name, &key, account, &password)?;
    Ok(key)
}

/// Puts the old key aside, and the new one under its name unless that has one of its own.
fn promote(
    keys: &Keystore,
    old: Option<&KeyName>,
    new: &KeyName,
    keeps_name: bool,
) -> Outcome<(KeyReport, Option<PathBuf>)> {
    let report = |name| keys.get(name).map(|locked| KeyReport::of(&locked));
    let bad = Failure::bad_arguments;
    let Some(old) = old else {
        return Ok((report(new).map_err(bad)?, None));
    };
    let (name, retired) =
        if keeps_name { (new, keys.retire(old)) } else { (old, keys.succeed(old, new)) };
    let retired = retired.map_err(bad)?;
    Ok((report(name).map_err(bad)?, Some(retired)))
}

fn describe(rotated: &Rotated) -> String {
    let mut text = String::new();
    if let Some(sent) = &rotated.sent {
        text.push_str(&sent.describe());
        text.push('\n');
    }
    text.push_str(&rotated.key.describe());
    if let Some(retired) = &rotated.retired {
        text.push_str(&format!(
            "\nThe old key is in {}; it signs nothing any more.",
            retired.display()
        ));
    }
    text
}
