//! Commands that check whether something holds, each on a network of its own.

use std::process::ExitCode;
use std::time::Duration;

use super::tell;
use crate::cli::checks::{
    Abuse, Churn, Determinism, Flood, Liars, Linearize, Network, Own, Reopen, Soak,
};
use crate::network::Shape;
use crate::verdict::reach;
use crate::{abuse, churn, determinism, flood, fork, liars, linearize, network, reopen, soak};

pub(super) async fn churn(arguments: Churn) -> anyhow::Result<ExitCode> {
    let Churn { changes, seed, own } = arguments;
    let options = churn::Options { engine: own.engine.get(), changes, seed, dir: own.dir };
    reach(churn::run(options, tell), own.json).await
}

pub(super) async fn soak(arguments: Soak) -> anyhow::Result<ExitCode> {
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
    reach(soak::run(options, tell), arguments.own.json).await
}

pub(super) async fn abuse(arguments: Abuse) -> anyhow::Result<ExitCode> {
    let Abuse { requests, sockets, identities, megabytes, seed, own } = arguments;
    let (engine, dir) = (own.engine.get(), own.dir);
    let options = abuse::Options { engine, requests, sockets, identities, megabytes, seed, dir };
    reach(abuse::run(options, tell), own.json).await
}

pub(super) async fn linearize(arguments: Linearize) -> anyhow::Result<ExitCode> {
    let options = linearize::Options {
        engine: arguments.own.engine.get(),
        histories: arguments.histories,
        operations: arguments.operations as usize,
        clients: arguments.clients.into(),
        faults: arguments.faults(),
        seed: arguments.seed,
        dir: arguments.own.dir,
    };
    reach(linearize::run(options, tell), arguments.own.json).await
}

pub(super) async fn liars(arguments: Liars) -> anyhow::Result<ExitCode> {
    let options = liars::Options {
        engine: arguments.own.engine.get(),
        liars: arguments.liars.into(),
        one_too_many: arguments.one_too_many,
        behaviours: arguments.behaviours(),
        lasts: Duration::from_secs(arguments.seconds),
        rate: arguments.rate.into(),
        dir: arguments.own.dir,
    };
    reach(liars::run(options, tell), arguments.own.json).await
}

pub(super) async fn determinism(arguments: Determinism) -> anyhow::Result<ExitCode> {
    let Determinism { transactions, other, own } = arguments;
    let (engine, dir) = (own.engine.get(), own.dir);
    let options = determinism::Options { engine, transactions, other, dir };
    reach(determinism::run(options, tell), own.json).await
}

pub(super) async fn reopen(arguments: Reopen) -> anyhow::Result<ExitCode> {
    let Reopen { blocks, own } = arguments;
    let options = reopen::Options { engine: own.engine.get(), blocks, dir: own.dir };
    reach(reopen::run(options, tell), own.json).await
}

pub(super) async fn network(arguments: Network) -> anyhow::Result<ExitCode> {
    let all = || Shape::ALL.to_vec();
    let options = network::Options {
        engine: arguments.own.engine.get(),
        shapes: if arguments.shapes.is_empty() { all() } else { arguments.shapes },
        lasts: Duration::from_secs(arguments.seconds),
        leaky: arguments.leaky,
        dir: arguments.own.dir,
    };
    reach(network::run(options, tell), arguments.own.json).await
}

pub(super) async fn flood(arguments: Flood) -> anyhow::Result<ExitCode> {
    let Flood { seconds, own } = arguments;
    let lasts = Duration::from_secs(seconds);
    let options = flood::Options { engine: own.engine.get(), lasts, dir: own.dir };
    reach(flood::run(options, tell), own.json).await
}

pub(super) async fn fork(own: Own) -> anyhow::Result<ExitCode> {
    let options = fork::Options { engine: own.engine.get(), dir: own.dir };
    reach(fork::run(options, tell), own.json).await
}
