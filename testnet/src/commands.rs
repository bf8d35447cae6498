//! What each command does.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use nix::sys::signal::Signal;
use serde::Serialize;

use crate::byzantine::control::{Behaviour, Request};
use crate::cli::{self, Command, Liars, Linearize, Load, Network, OnNode, Soak, Target, Up};
use crate::cluster::manifest::{Manifest, last};
use crate::cluster::{Cluster, Spec};
use crate::dashboard::{self, Dashboard, Port};
use crate::membership::{self, Changed};
use crate::network::Shape;
use crate::{
    abuse, churn, demo, determinism, faults, flood, fork, liars, linearize, live, load, network,
    partition, reopen, signals, simulate, soak, status,
};

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
            let tell = &mut |text| eprintln!("{text}");
            changed(&membership::join(&cluster, id, tell).await?, json)?;
        }
        Command::Leave { on, stop, json } => {
            let tell = &mut |text| eprintln!("{text}");
            changed(&membership::leave(&open(on.target)?, on.id, stop, tell).await?, json)?;
        }
        Command::Rotate { on, kind, json } => {
            let tell = &mut |text| eprintln!("{text}");
            changed(&membership::rotate(&open(on.target)?, on.id, kind, tell).await?, json)?;
        }
        Command::Jail { on, json } => {
            let tell = &mut |text| eprintln!("{text}");
            changed(&membership::jail(&open(on.target)?, on.id, tell).await?, json)?;
        }
        Command::Pardon { on, json } => {
            let tell = &mut |text| eprintln!("{text}");
            changed(&membership::pardon(&open(on.target)?, on.id, tell).await?, json)?;
        }
        Command::Churn { changes, seed, own } => {
            let (engine, dir) = (own.engine.get(), own.dir);
            let options = churn::Options { engine, changes, seed, dir };
            return change_again_and_again(options, own.json).await;
        }
        Command::Load(arguments) => return measure(arguments).await,
        Command::Demo { engine, dir, json } => {
            let report = demo::run(engine.get(), dir, json).await?;
            if json {
                print_json(&report)?;
            }
            return Ok(exit_code(report.ok));
        }
        Command::Soak(arguments) => return endure(arguments).await,
        Command::Abuse { requests, sockets, identities, megabytes, seed, own } => {
            let (engine, dir) = (own.engine.get(), own.dir);
            let options =
                abuse::Options { engine, requests, sockets, identities, megabytes, seed, dir };
            return misuse(options, own.json).await;
        }
        Command::Linearize(arguments) => return linearize(arguments).await,
        Command::Liars(arguments) => return lie(arguments).await,
        Command::Determinism { transactions, other, own } => {
            let options = determinism::Options {
                engine: own.engine.get(),
                transactions,
                other,
                dir: own.dir,
            };
            let report =
                unless_ended(determinism::run(options, |text| eprintln!("{text}"))).await?;
            return conclude(&report, own.json, &report.summary(), &report.problems());
        }
        Command::Reopen { blocks, own } => {
            let options = reopen::Options { engine: own.engine.get(), blocks, dir: own.dir };
            let report = unless_ended(reopen::run(options, |text| eprintln!("{text}"))).await?;
            return conclude(&report, own.json, &report.summary(), &report.problems());
        }
        Command::Network(arguments) => return spoil(arguments).await,
        Command::Flood { seconds, own } => {
            let lasts = Duration::from_secs(seconds);
            let options = flood::Options { engine: own.engine.get(), lasts, dir: own.dir };
            let report = unless_ended(flood::run(options, |text| eprintln!("{text}"))).await?;
            return conclude(&report, own.json, &report.summary(), &report.problems());
        }
        Command::Fork { engine, dir, json } => {
            let options = fork::Options { engine: engine.get(), dir };
            let report = unless_ended(fork::run(options, |text| eprintln!("{text}"))).await?;
            return conclude(&report, json, &report.summary(), &report.problems());
        }
        Command::Simulate(arguments) => return simulate::run(&arguments),
        Command::Scenarios(arguments) => return simulate::list(&arguments),
    }
    Ok(ExitCode::SUCCESS)
}

fn exit_code(ok: bool) -> ExitCode {
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// Does something to its end, or until a signal.
async fn unless_ended<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::select! {
        done = work => done,
        signal = signals::ended() => bail!("ended by {}", signal?),
    }
}

/// Tells what came of something that had to hold.
fn conclude<T: Serialize>(
    report: &T,
    json: bool,
    summary: &str,
    problems: &[String],
) -> anyhow::Result<ExitCode> {
    if json {
        print_json(report)?;
    } else {
        println!("{summary}");
    }
    for problem in problems {
        eprintln!("did not hold: {problem}");
    }
    Ok(exit_code(problems.is_empty()))
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
    faults::behave(&cluster, on.id, behaviour, |text| eprintln!("{text}")).await
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

async fn endure(arguments: Soak) -> anyhow::Result<ExitCode> {
    let (engine, rounds) = (arguments.own.engine.get(), arguments.rounds());
    arguments.policy.map_or(Ok(()), |policy| policy.check(engine))?;
    let options = soak::Options {
        engine,
        policy: arguments.policy.unwrap_or_default(),
        rounds,
        minutes: arguments.minutes,
        lying_disks: arguments.lying_disks,
        seed: arguments.seed,
        dir: arguments.own.dir,
    };
    let report = unless_ended(soak::run(options, |text| eprintln!("{text}"))).await?;
    conclude(&report, arguments.own.json, &report.summary(), &report.problems())
}

async fn misuse(options: abuse::Options, json: bool) -> anyhow::Result<ExitCode> {
    let report = unless_ended(abuse::run(options, |text| eprintln!("{text}"))).await?;
    conclude(&report, json, &report.summary(), &report.problems())
}

fn changed(changed: &Changed, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(changed);
    }
    println!("{changed}");
    Ok(())
}

async fn change_again_and_again(options: churn::Options, json: bool) -> anyhow::Result<ExitCode> {
    let report = unless_ended(churn::run(options, |text| eprintln!("{text}"))).await?;
    conclude(&report, json, &report.summary(), &report.problems())
}

async fn linearize(arguments: Linearize) -> anyhow::Result<ExitCode> {
    let options = linearize::Options {
        engine: arguments.own.engine.get(),
        histories: arguments.histories,
        operations: arguments.operations as usize,
        clients: arguments.clients.into(),
        faults: arguments.faults(),
        seed: arguments.seed,
        dir: arguments.own.dir,
    };
    let report = unless_ended(linearize::run(options, |text| eprintln!("{text}"))).await?;
    conclude(&report, arguments.own.json, &report.summary(), &report.problems())
}

async fn lie(arguments: Liars) -> anyhow::Result<ExitCode> {
    let options = liars::Options {
        engine: arguments.own.engine.get(),
        liars: arguments.liars.into(),
        one_too_many: arguments.one_too_many,
        behaviours: arguments.behaviours(),
        lasts: Duration::from_secs(arguments.seconds),
        rate: arguments.rate.into(),
        dir: arguments.own.dir,
    };
    let report = unless_ended(liars::run(options, |text| eprintln!("{text}"))).await?;
    conclude(&report, arguments.own.json, &report.summary(), &report.problems())
}

async fn spoil(arguments: Network) -> anyhow::Result<ExitCode> {
    let all = || Shape::ALL.to_vec();
    let options = network::Options {
        engine: arguments.own.engine.get(),
        shapes: if arguments.shapes.is_empty() { all() } else { arguments.shapes },
        lasts: Duration::from_secs(arguments.seconds),
        leaky: arguments.leaky,
        dir: arguments.own.dir,
    };
    let report = unless_ended(network::run(options, |text| eprintln!("{text}"))).await?;
    conclude(&report, arguments.own.json, &report.summary(), &report.problems())
}
