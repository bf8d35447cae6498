//! `key`: create, import, export, list and rotate keys.

mod rotate;

use std::path::{Path, PathBuf};

use chain::crypto::{Keypair, PublicKey};
use chain::types::Address;
use genesis::{files, keyfile};
use serde::Serialize;

use crate::args::{Global, KeyCommand};
use crate::failure::{Failure, Outcome};
use crate::keystore::{KeyName, Locked};
use crate::output::{Output, facts, table};
use crate::signing::{Selected, keystore};
use crate::{mnemonic, passwords};

/// A key as all may know it.
#[derive(Serialize)]
struct KeyReport {
    name: String,
    /// The account that it signs for.
    address: Address,
    public: PublicKey,
    /// The address that the key has by itself, where the account has another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    own_address: Option<Address>,
    file: PathBuf,
}

impl KeyReport {
    fn new(name: impl ToString, public: PublicKey, address: Address, file: &Path) -> Self {
        let own_address = Some(public.address()).filter(|own| *own != address);
        Self { name: name.to_string(), address, public, own_address, file: file.to_owned() }
    }

    fn of(locked: &Locked) -> Self {
        Self::new(&locked.name, locked.public(), locked.account(), &locked.path)
    }

    fn describe(&self) -> String {
        let mut rows = vec![
            ("key", self.name.clone()),
            ("address", self.address.to_string()),
            ("public key", self.public.to_string()),
        ];
        if let Some(own) = self.own_address {
            rows.push(("rotated", format!("signs for this address, its own would be {own}")));
        }
        rows.push(("file", self.file.display().to_string()));
        facts(rows)
    }
}

pub(super) async fn run(global: &Global, command: KeyCommand) -> Outcome<()> {
    match command {
        KeyCommand::New { name, mnemonic_file } => new(global, &name, mnemonic_file.as_deref()),
        KeyCommand::Import { name, file, index } => import(global, &name, file.as_deref(), index),
        KeyCommand::Export { name, out } => export(global, &name, &out),
        KeyCommand::Rotate(arguments) => rotate::run(global, arguments).await,
        KeyCommand::List => list(global),
        KeyCommand::Show { name } => show(global, name),
    }
}

fn new(global: &Global, name: &KeyName, mnemonic_file: Option<&Path>) -> Outcome<()> {
    keystore(global)?.check_free(name).map_err(Failure::bad_arguments)?;
    let words = mnemonic::generate().map_err(Failure::bad_arguments)?;
    let key = mnemonic::derive(&words, 0).map_err(Failure::bad_arguments)?;
    let password = passwords::new(global.password_file.as_deref(), &name.to_string())?;
    back_up(global, &words, mnemonic_file)?;
    let report = store(global, name, &key, key.public().address(), &password)?;
    print(global, &report);
    Ok(())
}

/// Hands the words of a key to its owner.
fn back_up(global: &Global, words: &str, mnemonic_file: Option<&Path>) -> Outcome<()> {
    // The backup first: a key without one may hold money before anybody notices.
    match mnemonic_file {
        Some(path) => {
            files::create(path, words.as_bytes(), files::PRIVATE).map_err(Failure::bad_arguments)
        }
        None => show_words(global, words),
    }
}

/// Where a person sees them; never in the JSON on stdout, which programs keep.
fn show_words(global: &Global, words: &str) -> Outcome<()> {
    let text = format!(
        "Write down these words and keep them secret: they restore the key, and are not shown \
         again.\n\n{words}\n"
    );
    Output { json: global.json }.early(&text).map_err(|error| {
        Failure::bad_arguments(format!("nobody saw the words ({error}): no key was made"))
    })
}

fn import(global: &Global, name: &KeyName, file: Option<&Path>, index: u32) -> Outcome<()> {
    keystore(global)?.check_free(name).map_err(Failure::bad_arguments)?;
    let key = match file {
        Some(path) => keyfile::read(path).map_err(Failure::bad_arguments)?,
        None => mnemonic::derive(&passwords::words()?, index).map_err(Failure::bad_arguments)?,
    };
    let password = passwords::new(global.password_file.as_deref(), &name.to_string())?;
    let account = global.account.unwrap_or_else(|| key.public().address());
    let report = store(global, name, &key, account, &password)?;
    print(global, &report);
    Ok(())
}

fn store(
    global: &Global,
    name: &KeyName,
    key: &Keypair,
    account: Address,
    password: &str,
) -> Outcome<KeyReport> {
    let store = keystore(global)?;
    let path = store.add(name, key, account, password).map_err(Failure::bad_arguments)?;
    Ok(KeyReport::new(name, key.public(), account, &path))
}

fn print(global: &Global, report: &KeyReport) {
    Output { json: global.json }.result(report, || report.describe());
}

fn export(global: &Global, name: &KeyName, out: &Path) -> Outcome<()> {
    let locked = keystore(global)?.get(name).map_err(Failure::bad_arguments)?;
    let account = locked.account();
    let key = Selected::Locked(locked).open(global)?;
    keyfile::write_unsafe_account(out, &key).map_err(Failure::bad_arguments)?;
    eprintln!("warning: {} holds the key unencrypted: whoever reads it owns it", out.display());
    if account != key.public().address() {
        eprintln!(
            "warning: use it with --account {account}: the file does not say for whom it signs"
        );
    }
    print(global, &KeyReport::new(name, key.public(), account, out));
    Ok(())
}

fn list(global: &Global) -> Outcome<()> {
    let store = keystore(global)?;
    let mut reports = Vec::new();
    for name in store.names().map_err(Failure::bad_arguments)? {
        match store.get(&name) {
            Ok(locked) => reports.push(KeyReport::of(&locked)),
            // One damaged file must not hide the others.
            Err(error) => eprintln!("warning: {error}"),
        }
    }
    let object = serde_json::json!({ "keys": reports });
    Output { json: global.json }.result(&object, || {
        let rows = reports.iter().map(|key| vec![key.name.clone(), key.address.to_string()]);
        table(&["name", "address"], rows)
    });
    Ok(())
}

fn show(global: &Global, name: Option<KeyName>) -> Outcome<()> {
    let selection = Global { key: name.or_else(|| global.key.clone()), ..global.clone() };
    let report = match (Selected::from(&selection)?, &selection.key_file) {
        (Selected::Locked(locked), _) => KeyReport::of(&locked),
        (Selected::Plain(key), file) => {
            let file = file.clone().unwrap_or_default();
            let account = global.account.unwrap_or_else(|| key.public().address());
            KeyReport::new(file.display(), key.public(), account, &file)
        }
    };
    print(global, &report);
    Ok(())
}
