//! What each command does.

mod checks;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use nix::sys::signal::Signal;
use serde::Serialize;

use crate::byzantine::control::{Behaviour, Request};
use crate::cli::{self, Command, Load, OnNode, Target, Up};
use crate::cluster::manifest::{Manifest, last};
use crate::cluster::{Cluster, Spec};
use crate::dashboard::{self, Dashboard, Port};
use crate::membership::{self, Changed};
use crate::verdict::exit_code;
use crate::{demo, faults, live, load, partition, signals, simulate, status};

/// Runs a command. What fails is an error, what does not hold an exit code.
///
/// # Errors
/// Where it cannot be done, in one line with what to do about it.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(arguments) => up(arguments).await?,
        Command::Down(target) => down(&open(target)?)?,
        Command::Dashboard(arguments) => show(arguments).await?,
        Command::Status { target, json } => {
            let status = status::collect(&open(target)?).await?;
            if json {
                print_json(&status)?;
            } else {
                println!("{}", status.table());
                status.reasons().iter().for_each(|reason| println!("{reason}"));
            }
        }
        Command::Kill(on) => open(on.target)?.kill(on.id)?,
        Command::Restart(on) => {
            let height = faults::restart(&open(on.target)?, on.id).await?;
            eprintln!("validator {} is back at height {height}", on.id);
        }
        Command::Pause(on) => open(on.target)?.signal(on.id, Signal::SIGSTOP)?,
        Command::Resume(on) => open(on.target)?.signal(on.id, Signal::SIGCONT)?,
        Command::Partition { target, groups } => {
            let cluster = open(target)?;
            let groups = faults::parse_groups(&groups, cluster.manifest()?.nodes.len())?;
            partition::split(&cluster, &groups)?;
        }
        Command::Heal(target) => faults::heal(&open(target)?)?,
        Command::Delay { on, ms } => {
            faults::order(&open(on.target)?, on.id, Request::Delay { ms })?;
        }
        Command::Byzantine { on, behaviour } => byzantine(on, behaviour).await?,
        Command::Join { target, id, json } => {
            let cluster = open(target)?;
            changed(&membership::join(&cluster, id, &mut tell).await?, json)?;
        }
        Command::Leave { on, stop, json } => {
            changed(&membership::leave(&open(on.target)?, on.id, stop, &mut tell).await?, json)?;
        }
        Command::Rotate { on, kind, json } => {
            changed(&membership::rotate(&open(on.target)?, on.id, kind, &mut tell).await?, json)?;
        }
        Command::Jail { on, json } => {
            changed(&membership::jail(&open(on.target)?, on.id, &mut tell).await?, json)?;
        }
        Command::Pardon { on, json } => {
            changed(&membership::pardon(&open(on.target)?, on.id, &mut tell).await?, json)?;
        }
        Command::Churn(arguments) => return checks::churn(arguments).await,
        Command::Load(arguments) => return measure(arguments).await,
        Command::Demo { engine, dir, json } => {
            let report = demo::run(engine.get(), dir, json).await?;
            if json {
                print_json(&report)?;
            }
            return Ok(exit_code(report.ok));
        }
        Command::Soak(arguments) => return checks::soak(arguments).await,
        Command::Abuse(arguments) => return checks::abuse(arguments).await,
        Command::Linearize(arguments) => return checks::linearize(arguments).await,
        Command::Liars(arguments) => return checks::liars(arguments).await,
        Command::Determinism(arguments) => return checks::determinism(arguments).await,
        Command::Reopen(arguments) => return checks::reopen(arguments).await,
        Command::Network(arguments) => return checks::network(arguments).await,
        Command::Flood(arguments) => return checks::flood(arguments).await,
        Command::Fork(arguments) => return checks::fork(arguments).await,
        Command::Simulate(arguments) => return simulate::run(&arguments),
        Command::Scenarios(arguments) => return simulate::list(&arguments),
    }
    Ok(ExitCode::SUCCESS)
}

/// How it goes, while it goes on.
fn tell(text: String) {
    eprintln!("{text}");
}

fn print_json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

fn open(target: Target) -> anyhow::Result<Cluster> {
    Cluster::open(&last::resolve(target.dir)?)
}

async fn up(arguments: Up) -> anyhow::Result<()> {
    let dir = match arguments.dir {
        Some(dir) => std::path::absolute(dir)?,
        None => last::default_dir()?,
    };
    let exists = Manifest::exists(&dir);
    let cluster = if exists {
        let cluster = Cluster::open(&dir)?;
        let Manifest { engine, nodes, .. } = cluster.manifest()?;
        let validators = nodes.len();
        if arguments.engine.engine.is_some_and(|wanted| wanted != engine) {
            bail!("the testnet in {} is one of {engine}: give --dir for another", dir.display());
        }
        arguments.policy.map_or(Ok(()), |policy| policy.check(engine))?;
        if !cluster.processes()?.is_empty() {
            bail!("the testnet in {} runs already: `testnet down` ends it", dir.display());
        }
        eprintln!("resuming the {validators} validators of {engine} in {}", dir.display());
        cluster
    } else {
        let (validators, engine) = (arguments.validators, arguments.engine.get());
        arguments.policy.map_or(Ok(()), |policy| policy.check(engine))?;
        eprintln!("making {validators} validators of {engine} in {}", dir.display());
        Cluster::create(&dir, Spec { engine, validators, accounts: arguments.accounts })?
    };
    if let Some(policy) = arguments.policy {
        cluster.set_policy(policy)?;
    }
    last::remember(&dir)?;
    // Owned from here on: an error or Ctrl-C takes everything down.
    let cluster = cluster.attach(!arguments.detach);
    tokio::select! {
        started = start(&cluster, exists) => started?,
        signal = signals::ended() => bail!("ended by {} before the network was up", signal?),
    }
    if arguments.detach {
        let url = dashboard::start_detached(&cluster).await?;
        cluster.detach();
        println!("dashboard: {url}");
        eprintln!("running; `testnet status` shows it, `testnet down` ends it");
        return Ok(());
    }
    let cluster = Arc::new(cluster);
    let port = dashboard::take_port(&cluster, None).await?;
    dashboard::note(&cluster, port.number(), false)?;
    let mut page = Dashboard::of_testnet(port, Arc::clone(&cluster))?;
    println!("dashboard: {}", page.url());
    eprintln!("running until Ctrl-C");
    let signal = tokio::select! {
        signal = signals::ended() => signal?,
        () = page.failed() => "the dashboard failed",
    };
    eprintln!("{signal}: taking the network down");
    cluster.stop_all()
}

async fn show(arguments: cli::Dashboard) -> anyhow::Result<()> {
    let cli::Dashboard { target, rpc, genesis, port, detached } = arguments;
    let mut page = if rpc.is_empty() {
        let cluster = open(target)?;
        let port = dashboard::take_port(&cluster, port).await?;
        dashboard::note(&cluster, port.number(), detached)?;
        Dashboard::of_testnet(port, Arc::new(cluster))?
    } else {
        Dashboard::of_nodes(Port::take(port).await?, rpc, genesis)?
    };
    println!("dashboard: {}", page.url());
    tokio::select! {
        signal = signals::ended() => drop(signal?),
        () = page.failed() => bail!("the dashboard failed"),
    }
    Ok(())
}

async fn start(cluster: &Cluster, exists: bool) -> anyhow::Result<()> {
    cluster.start_all()?;
    // Nodes that start know of no partition.
    cluster.record_partition(None)?;
    live::all_answer(cluster).await?;
    let nodes = cluster.manifest()?.nodes;
    if exists {
        let statuses = futures::future::join_all(nodes.iter().map(live::chain_status)).await;
        let heights = statuses.iter().flatten().map(|status| status.height_final);
        eprintln!("resuming at height {}", heights.max().unwrap_or_default());
    }
    let first = live::make_block(cluster, &nodes[0], live::START_PATIENCE).await?;
    eprintln!("block {first} is final");
    let accounts = cluster.dir().join(cluster.manifest()?.accounts);
    println!("accounts:  {}", accounts.display());
    Ok(())
}

fn down(cluster: &Cluster) -> anyhow::Result<()> {
    let running = cluster.processes()?.len();
    cluster.stop_dashboard()?;
    cluster.stop_all()?;
    eprintln!("{running} validators ended; `testnet up` resumes the chain");
    Ok(())
}

async fn byzantine(on: OnNode, behaviour: Behaviour) -> anyhow::Result<()> {
    let cluster = open(on.target)?;
    faults::behave(&cluster, on.id, behaviour, tell).await
}

async fn measure(arguments: Load) -> anyhow::Result<ExitCode> {
    let options = load::Options {
        rate: arguments.rate,
        duration: Duration::from_secs(arguments.duration),
        payload: arguments.payload,
        senders: arguments.senders as usize,
    };
    let report = load::run(&open(arguments.target)?, options).await?;
    if arguments.json {
        print_json(&report)?;
    } else {
        println!("{}", report.summary());
    }
    report.check()?;
    Ok(ExitCode::SUCCESS)
}

fn changed(changed: &Changed, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(changed);
    }
    println!("{changed}");
    Ok(())
}
