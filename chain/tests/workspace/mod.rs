//! The files of the whole workspace, for tests of its structure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    // As cargo says now, not when this was compiled: a build folder may serve several checkouts.
    let chain = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs this"));
    chain.parent().expect("the package lies in the workspace").to_owned()
}

/// Files below a folder of the workspace, relative to the workspace, in order. Without hidden
/// ones and what was built.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(root().join(folder)).expect("a folder");
    for entry in entries.map(|entry| entry.expect("an entry")) {
        let name = entry.file_name().into_string().expect("names are text");
        let path = folder.join(&name);
        if entry.file_type().expect("a type").is_file() {
            files.push(path);
        } else if !name.starts_with('.') && name != "target" {
            files.append(&mut self::files(&path));
        }
    }
    files.sort();
    files
}

/// Those of them with an ending.
pub(crate) fn files_with(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut files = files(Path::new(folder));
    files.retain(|path| path.extension().is_some_and(|found| found == ending));
    assert!(!files.is_empty(), "no {ending} file below {folder:?}");
    files
}

/// The text of a file.
pub(crate) fn read(path: &Path) -> String {
    let text = fs::read_to_string(root().join(path));
    text.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What `cargo metadata` says of the packages of the workspace.
pub(crate) fn packages() -> Vec<Value> {
    let output = cargo(&["metadata", "--no-deps", "--offline", "--format-version=1"]);
    let metadata: Value = serde_json::from_str(&output).expect("JSON");
    metadata["packages"].as_array().expect("a list").clone()
}

/// What cargo prints.
pub(crate) fn cargo(arguments: &[&str]) -> String {
    let output = Command::new("timeout")
        .args(["--signal=KILL", "60"])
        .arg(std::env::var_os("CARGO").expect("cargo runs this"))
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}
