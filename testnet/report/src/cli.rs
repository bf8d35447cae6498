//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::contender::Contender;
use crate::data::{About, Data, LIVE, Study};
use crate::studies::Profile;
use crate::{figures, live, page};

/// Runs the comparison of the engines and writes the report: data, figures, page.
#[derive(Debug, Parser)]
#[command(name = "report", version, about, after_help = EXAMPLES)]
pub struct Cli {
    /// Where the report is [default: docs/report]
    #[arg(long, global = true, default_value = "docs/report", hide_default_value = true)]
    pub dir: PathBuf,
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  report all --quick                 everything in minutes; live runs only where there are none
  report all                         everything, over night
  report data weather load           two studies again, in full
  report live --repetitions 3        the runs of real processes; nothing else should run
  report draw                        figures and page from the data that is there";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Every study, then figures and page; quick keeps live runs where there are some
    All(Size),
    /// Some studies, or all: data alone
    Data {
        #[command(flatten)]
        size: Size,
        #[arg(value_enum)]
        studies: Vec<Study>,
    },
    /// The runs of real processes: data alone
    Live(Live),
    /// Figures and page from the data that is there
    Draw,
}

#[derive(Args, Clone, Copy, Debug)]
pub struct Size {
    /// Few seeds and short runs
    #[arg(long)]
    pub quick: bool,
}

impl Size {
    fn profile(self) -> Profile {
        if self.quick { Profile::QUICK } else { Profile::FULL }
    }
}

#[derive(Args, Clone, Debug)]
pub struct Live {
    /// Runs of each scenario with each engine
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repetitions: u32,
    /// How long a fault lasts
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// Whom to run [default: everybody]
    #[arg(long, value_delimiter = ',')]
    pub contenders: Vec<Contender>,
}

impl Live {
    fn options(self) -> live::Options {
        let contenders =
            if self.contenders.is_empty() { live::contenders() } else { self.contenders };
        let lasts = Duration::from_secs(self.seconds);
        live::Options { repetitions: self.repetitions, lasts, contenders }
    }
}

/// Does what was asked for.
///
/// # Errors
/// In one line, with what to do about it.
pub async fn run(cli: Cli) -> anyhow::Result<()> {
    let data = cli.dir.join("data");
    std::fs::create_dir_all(&data).with_context(|| format!("cannot make {}", data.display()))?;
    match cli.command {
        Command::All(size) => {
            simulate(size.profile(), &Study::ALL, &data)?;
            if size.quick && data.join(LIVE).exists() {
                eprintln!("live runs: those of before are kept");
            } else {
                let (repetitions, seconds) = if size.quick { (1, 3) } else { (3, 10) };
                let everything = Live { repetitions, seconds, contenders: Vec::new() }.options();
                live::run(&everything, &data).await?;
            }
            draw(&cli.dir)
        }
        Command::Data { size, studies } => {
            let studies = if studies.is_empty() { &Study::ALL } else { studies.as_slice() };
            simulate(size.profile(), studies, &data)
        }
        Command::Live(live) => live::run(&live.options(), &data).await,
        Command::Draw => draw(&cli.dir),
    }
}

fn simulate(profile: Profile, studies: &[Study], data: &std::path::Path) -> anyhow::Result<()> {
    studies.iter().try_for_each(|study| study.run(profile, data))?;
    About::of(profile).write(data)
}

fn draw(dir: &std::path::Path) -> anyhow::Result<()> {
    let data = Data::read(&dir.join("data"))?;
    figures::write(&data, &dir.join("figures"))?;
    page::write(&data, dir)
}
