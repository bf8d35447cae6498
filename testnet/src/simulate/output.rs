//! Where reports go: a table or JSON on stdout, rows of CSV in a file or on stdout.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use consensus_sim::report::{Report, Summary, csv_header, csv_row};
use consensus_sim::simulate::Variation;
use serde::Serialize;

use super::args::Simulate;

/// What stdout shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    Text,
    Json,
    /// CSV has stdout for itself; what is for people goes to stderr.
    Csv,
}

pub(super) struct Output {
    shown: Shown,
    csv: Option<Box<dyn Write>>,
}

impl Output {
    pub(super) fn new(args: &Simulate) -> anyhow::Result<Self> {
        let (shown, csv): (_, Option<Box<dyn Write>>) = match args.csv.as_deref() {
            Some(path) if path == Path::new("-") => (Shown::Csv, Some(Box::new(io::stdout()))),
            Some(path) => (Self::shown(args), Some(Box::new(super::create(path)?))),
            None => (Self::shown(args), None),
        };
        let mut output = Self { shown, csv };
        if let Some(csv) = &mut output.csv {
            writeln!(csv, "{}", csv_header())?;
        }
        Ok(output)
    }

    const fn shown(args: &Simulate) -> Shown {
        if args.json { Shown::Json } else { Shown::Text }
    }

    /// The only run of a call.
    pub(super) fn single(&mut self, variation: &Variation, report: &Report) -> io::Result<()> {
        self.row(variation, report)?;
        self.flush()?;
        match self.shown {
            Shown::Text => writeln!(io::stdout(), "{report}"),
            Shown::Json => json(report),
            Shown::Csv => Ok(()),
        }
    }

    /// One run of several.
    pub(super) fn one_of_many(&mut self, variation: &Variation, report: &Report) -> io::Result<()> {
        self.row(variation, report)?;
        match self.shown {
            Shown::Text => writeln!(io::stdout(), "{}", report.line()),
            Shown::Json => json(report),
            Shown::Csv => Ok(()),
        }
    }

    /// The end of several.
    pub(super) fn summary(&mut self, summary: &Summary) -> io::Result<()> {
        self.flush()?;
        match self.shown {
            Shown::Text => writeln!(io::stdout(), "{summary}"),
            Shown::Json => json(summary),
            Shown::Csv => writeln!(io::stderr(), "{summary}"),
        }
    }

    fn row(&mut self, variation: &Variation, report: &Report) -> io::Result<()> {
        match &mut self.csv {
            Some(csv) => writeln!(csv, "{}", csv_row(variation, report)),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.csv.as_mut().map_or(Ok(()), Write::flush)
    }
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    about: &'a str,
}

#[derive(Serialize)]
struct List<'a> {
    scenarios: Vec<Named<'a>>,
}

/// The scenarios by name, with a line about each.
pub(super) fn scenarios(list: &[(&str, String)], as_json: bool) -> io::Result<()> {
    if as_json {
        let scenarios = list.iter().map(|(name, about)| Named { name, about }).collect();
        return json(&List { scenarios });
    }
    let width = list.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let mut out = BufWriter::new(io::stdout());
    for (name, about) in list {
        writeln!(out, "{name:<width$}  {about}")?;
    }
    out.flush()
}

fn json(value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    io::stdout().write_all(&line)
}
