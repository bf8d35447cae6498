//! A validator's process: the node library with a fault layer around its outbox.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use consensus::message::EngineMessage;
use node::assembly::{self, Chooser, EngineLayer, LayerContext, MessageOutbox, Options, Watcher};
use node::config::Overrides;
use node::home::Home;
use node::logging;
use tokio::sync::oneshot;

use crate::byzantine::control::{self, Control};
use crate::byzantine::{Censor, FaultLayer};
use crate::crash_point::Points;
use crate::said::SaidLog;
use crate::signals;

/// Runs one validator of a testnet: the node, with a layer that can be told to misbehave.
#[derive(Debug, Parser)]
#[command(name = "testnet-validator", version)]
struct Arguments {
    /// The validator's home, as `testnet up` makes it
    #[arg(long, value_name = "DIR")]
    home: PathBuf,
    /// End when stdin is closed: with the process that holds the other end
    #[arg(long)]
    lifeline: bool,
}

/// The program `testnet-validator`.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.home, arguments.lifeline) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs until a signal comes; with `lifeline` also until stdin is closed.
///
/// # Errors
/// Where the node does not start, or stops by itself.
fn run(home: &Path, lifeline: bool) -> anyhow::Result<()> {
    let home = Home::new(home);
    let config = home.config(&Overrides::default())?;
    logging::init(&config.log)?;
    let control = Control::default();
    let said = SaidLog::path(home.directory());
    let layer = Faulty { control: control.clone(), said };
    let runtime = assembly::runtime().context("the system starts no thread")?;
    runtime.block_on(async {
        let _socket = control::serve(home.directory(), control)?;
        let options = Options { home, config, layer };
        assembly::run(options, ended(lifeline)).await?;
        Ok(())
    })
}

/// Puts the fault layer around a validator's engine.
#[derive(Clone)]
struct Faulty {
    control: Control,
    /// Where it is written down what the validator said.
    said: PathBuf,
}

impl EngineLayer for Faulty {
    fn chooser(&self) -> Chooser {
        let censor = Censor::new(self.control.clone());
        Box::new(move |transaction| censor.lets_through(transaction))
    }

    fn wrap<M: EngineMessage>(
        self,
        inner: MessageOutbox<M>,
        context: LayerContext,
    ) -> MessageOutbox<M> {
        let LayerContext { chain_id, key, validators, .. } = context;
        let said = SaidLog::open(&self.said).expect("a home that can be used holds one more file");
        let layer = FaultLayer::new(inner, chain_id, key, &validators, self.control, said)
            .expect("a process that starts can start one more thread");
        Box::new(layer)
    }

    fn watcher(&self) -> Watcher {
        let (control, points) = (self.control.clone(), Points::default());
        Arc::new(move |moment| points.of(moment).into_iter().for_each(|point| control.pass(point)))
    }
}

async fn ended(lifeline: bool) {
    // Dropped, and so cut, when stdin ends; without a lifeline held until the function returns.
    let (cut, is_cut) = oneshot::channel::<()>();
    let _held = if lifeline {
        std::thread::spawn(move || {
            // Whether it ends or breaks: nobody is there any more.
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            drop(cut);
        });
        None
    } else {
        Some(cut)
    };
    tokio::select! {
        _ = signals::ended() => {}
        _ = is_cut => tracing::info!("the process that started this one is gone"),
    }
}
