//! All data of a report, as it lies in its folder.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::live;
use crate::studies::{
    Profile, cost, faults, load, membership, outside, partition, view_change, weather,
};
use crate::table;

/// How the data came to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Of the programs.
    pub version: String,
    /// What was typed.
    pub command: String,
    pub profile: Profile,
}

/// A question that can be asked again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Study {
    Cost,
    Load,
    Faults,
    Weather,
    Outside,
    Membership,
    Partition,
    ViewChange,
}

impl Study {
    pub const ALL: [Self; 8] = [
        Self::Cost,
        Self::Load,
        Self::Faults,
        Self::Weather,
        Self::Outside,
        Self::Membership,
        Self::Partition,
        Self::ViewChange,
    ];

    /// Asks, and writes what comes of it.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn run(self, profile: Profile, folder: &Path) -> anyhow::Result<()> {
        match self {
            Self::Cost => table::write(folder, "cost", &cost::run(profile)),
            Self::Load => table::write(folder, "load", &load::run(profile)),
            Self::Faults => {
                let tables = faults::run(profile);
                table::write(folder, "faults", &tables.runs)?;
                table::write(folder, "fault_curves", &tables.steps)?;
                table::write(folder, "latencies", &tables.quantiles)
            }
            Self::Weather => {
                let tables = weather::run(profile);
                table::write(folder, "weather", &tables.runs)?;
                table::write(folder, "weather_phases", &tables.phases)?;
                table::write(folder, "weather_curves", &tables.steps)
            }
            Self::Outside => table::write(folder, "outside", &outside::run(profile)),
            Self::Membership => table::write(folder, "membership", &membership::run(profile)),
            Self::Partition => table::write(folder, "partition", &partition::run(profile)),
            Self::ViewChange => table::write(folder, "view_change", &view_change::run(profile)),
        }
    }
}

/// Everything that figures and page are made from.
#[derive(Clone, Debug)]
pub struct Data {
    pub about: About,
    pub cost: Vec<cost::Row>,
    pub load: Vec<load::Row>,
    pub faults: Vec<faults::Row>,
    pub fault_curves: Vec<faults::Step>,
    pub latencies: Vec<faults::Quantile>,
    pub weather: Vec<weather::Row>,
    pub weather_phases: Vec<weather::PhaseRow>,
    pub weather_curves: Vec<weather::Step>,
    pub outside: Vec<outside::Row>,
    pub membership: Vec<membership::Row>,
    pub partition: Vec<partition::Row>,
    pub view_change: Vec<view_change::Row>,
    pub live: live::Account,
    pub live_runs: Vec<live::Row>,
}

const ABOUT: &str = "about.json";
/// Written by [`live`], by itself: when it was measured, and on what.
pub const LIVE: &str = "live.json";

impl Data {
    /// # Errors
    /// Where a file is missing or is not as this version writes it.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            about: read_json(folder, ABOUT)?,
            cost: table::read(folder, "cost")?,
            load: table::read(folder, "load")?,
            faults: table::read(folder, "faults")?,
            fault_curves: table::read(folder, "fault_curves")?,
            latencies: table::read(folder, "latencies")?,
            weather: table::read(folder, "weather")?,
            weather_phases: table::read(folder, "weather_phases")?,
            weather_curves: table::read(folder, "weather_curves")?,
            outside: table::read(folder, "outside")?,
            membership: table::read(folder, "membership")?,
            partition: table::read(folder, "partition")?,
            view_change: table::read(folder, "view_change")?,
            live: read_json(folder, LIVE)?,
            live_runs: table::read(folder, "live")?,
        })
    }
}

impl About {
    pub fn of(profile: Profile) -> Self {
        let command = if profile.quick { "make report QUICK=1" } else { "make report" };
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), command: command.to_owned(), profile }
    }

    /// # Errors
    /// Where the file cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        write_json(folder, ABOUT, self)
    }
}

pub(crate) fn write_json<T: Serialize>(folder: &Path, name: &str, value: &T) -> anyhow::Result<()> {
    let path = folder.join(name);
    let text = serde_json::to_string_pretty(value)? + "\n";
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn read_json<T: serde::de::DeserializeOwned>(folder: &Path, name: &str) -> anyhow::Result<T> {
    let path = folder.join(name);
    let shown = path.display();
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {shown}: `report data` and `report live` make it"))?;
    serde_json::from_str(&text).with_context(|| format!("{shown} is damaged"))
}
