//! `testnet demo`: the whole story on a network of its own, told to a person and checked.

mod narrator;
mod report;
mod story;

use std::path::PathBuf;

use anyhow::bail;
use consensus::registry::EngineName;

use crate::scratch::Scratch;
use narrator::Narrator;
pub use report::{Report, Step};
use story::Story;

/// Plays the story. The network is taken down in any case; its files stay only where something
/// did not hold, or where `dir` was given.
///
/// # Errors
/// Where no network can be made, or the engine has no such story.
pub async fn run(engine: EngineName, dir: Option<PathBuf>, json: bool) -> anyhow::Result<Report> {
    if !engine.switches_modes() {
        bail!(
            "the demo tells how a network goes from one mode to the other and back, and {engine} \
             has one: leave --engine out, or see {engine} at work with `testnet up --engine \
             {engine}` and `testnet kill`"
        );
    }
    let narrator = Narrator::new(json);
    let mut scratch = Scratch::new(dir, "demo")?;
    let mut story = Story::new(engine, scratch.path(), &narrator)?;
    let ended = tokio::select! {
        ended = story.play() => ended,
        signal = crate::signals::ended() => signal.and_then(|name| anyhow::bail!("ended by {name}")),
    };
    let mut report = story.end();
    if let Err(error) = ended {
        let step = Step { name: "the story goes on", ok: false, detail: format!("{error:#}") };
        narrator.check(false, step.name, &step.detail);
        report.steps.push(step);
    }
    report.ok = report.all_held();

    narrator.chapter("Summary");
    narrator.text(&report.table().to_string());
    if report.ok {
        narrator.say("Every step held.");
    } else {
        scratch.keep();
        let dir = scratch.path().display();
        narrator.say(&format!("Not every step held: see the logs in {dir}/node*/node.log"));
    }
    Ok(report)
}
