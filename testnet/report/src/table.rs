//! Tables as CSV files: a line of names, then one row per line.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The text of a table.
///
/// # Errors
/// Where a row is not flat.
pub fn text<R: Serialize>(rows: &[R]) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row)?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

/// Writes a table to `folder/name.csv`.
///
/// # Errors
/// Where the file cannot be written.
pub fn write<R: Serialize>(folder: &Path, name: &str, rows: &[R]) -> anyhow::Result<()> {
    let path = folder.join(name).with_extension("csv");
    std::fs::write(&path, text(rows)?).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads the table in `folder/name.csv`.
///
/// # Errors
/// Where it is missing or has other columns.
pub fn read<R: DeserializeOwned>(folder: &Path, name: &str) -> anyhow::Result<Vec<R>> {
    let path = folder.join(name).with_extension("csv");
    let shown = path.display();
    let mut reader = csv::Reader::from_path(&path)
        .with_context(|| format!("cannot read {shown}: `report data` makes it"))?;
    let rows = reader.deserialize().collect::<Result<_, _>>();
    rows.with_context(|| format!("{shown} is not as this version writes it: run `report data`"))
}
