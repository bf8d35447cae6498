//! Breaking the testnet from the page: every order calls what the command of the same name calls.

mod order;
mod sending;

use std::sync::Arc;

use anyhow::bail;
use nix::sys::signal::Signal;
use serde::Serialize;
use tokio::sync::{Mutex, Semaphore};

use super::event::Event;
use super::live::Live;
use super::load::Loader;
use crate::byzantine::control::{MAX_DELAY_MS, Request};
use crate::cluster::Cluster;
use crate::cluster::manifest::last;
use crate::membership::{self, Changed};
use crate::{faults, partition};

pub use order::Order;

/// Quick orders that are carried out at one time.
const AT_ONCE: usize = 8;
/// Transactions per second that an order starts where none run.
const SOME_WORK: f64 = 20.0;
/// Longest output that is told, in bytes.
const MAX_OUTPUT: usize = 4096;

/// Carries out orders.
#[derive(Debug)]
pub struct Control {
    live: Arc<Live>,
    cluster: Arc<Cluster>,
    loader: Loader,
    quick: Semaphore,
    /// One slow order at a time.
    slow: Mutex<()>,
}

/// What came of an order.
#[derive(Clone, Debug, Serialize)]
pub struct Done {
    pub ok: bool,
    /// The command that does the same.
    pub command: String,
    pub output: String,
}

impl Control {
    pub fn new(live: &Arc<Live>, cluster: &Arc<Cluster>) -> Self {
        Self {
            live: Arc::clone(live),
            cluster: Arc::clone(cluster),
            loader: Loader::start(live, cluster),
            quick: Semaphore::new(AT_ONCE),
            slow: Mutex::new(()),
        }
    }

    /// Carries out an order to its end, and tells every page of it. Blocks its thread now and then.
    pub async fn carry_out(&self, mut order: Order) -> Done {
        if let Order::Send { to: to @ None, .. } = &mut order {
            *to = sending::second_account(&self.cluster);
        }
        let is_last = last::resolve(None).is_ok_and(|dir| dir == self.cluster.dir());
        let command = order.command(self.cluster.dir(), is_last);
        let result = match order.is_slow() {
            true => match self.slow.try_lock() {
                Ok(_alone) => self.obey(order).await,
                Err(_) => Err(anyhow::anyhow!("another order that takes long is under way: wait")),
            },
            false => match self.quick.try_acquire() {
                Ok(_place) => self.obey(order).await,
                Err(_) => Err(anyhow::anyhow!("{AT_ONCE} orders are under way: wait")),
            },
        };
        let (ok, mut output) = match result {
            Ok(output) => (true, output),
            Err(error) => (false, format!("{error:#}")),
        };
        if let Some((end, _)) = output.char_indices().find(|(at, _)| *at >= MAX_OUTPUT) {
            output.truncate(end);
        }
        let done = Done { ok, command: command.clone(), output: output.clone() };
        self.live.tell(Event::Command { command, ok, output });
        done
    }

    /// Carries it out, with work for the network where it has none and the order needs it.
    async fn obey(&self, order: Order) -> anyhow::Result<String> {
        if !order.needs_work() || self.loader.rate() > 0.0 {
            return self.carry(order).await;
        }
        self.loader.set(SOME_WORK)?;
        match self.carry(order).await {
            Ok(output) => Ok(format!(
                "{output}; with {SOME_WORK} transactions per second, for an idle network waits"
            )),
            Err(error) => {
                self.loader.set(0.0)?;
                Err(error)
            }
        }
    }

    async fn carry(&self, order: Order) -> anyhow::Result<String> {
        match order {
            Order::Kill { node } => {
                self.cluster.kill(node)?;
                Ok(format!("validator {node} ended"))
            }
            Order::Restart { node } => {
                let height = faults::restart(&self.cluster, node).await?;
                Ok(format!("validator {node} is back at height {height}"))
            }
            Order::Pause { node } => {
                self.cluster.signal(node, Signal::SIGSTOP)?;
                Ok(format!("validator {node} stands still"))
            }
            Order::Resume { node } => {
                self.cluster.signal(node, Signal::SIGCONT)?;
                Ok(format!("validator {node} goes on"))
            }
            Order::Partition { groups } => self.split(&groups),
            Order::Heal {} => {
                faults::heal(&self.cluster)?;
                Ok("every cut and delay ended".into())
            }
            Order::Delay { node, ms } if ms > MAX_DELAY_MS => {
                bail!("validator {node} cannot be delayed by {ms} ms: at most by {MAX_DELAY_MS}")
            }
            Order::Delay { node, ms } => {
                faults::order(&self.cluster, node, Request::Delay { ms })?;
                Ok(format!("validator {node} sends {ms} ms late"))
            }
            Order::Byzantine { node, behaviour } => {
                let mut output = String::new();
                let tell = |text: String| {
                    output += &text;
                    output.push('\n');
                };
                faults::behave(&self.cluster, node, behaviour, tell).await?;
                Ok(format!("{output}validator {node}: {behaviour}"))
            }
            Order::Join { node } => {
                let mut tell = |change: String| self.tell_change(node, change);
                let changed = membership::join(&self.cluster, node, &mut tell).await?;
                Ok(self.changed(&changed))
            }
            Order::Leave { node } => {
                let mut tell = |change: String| self.tell_change(Some(node), change);
                let changed = membership::leave(&self.cluster, node, false, &mut tell).await?;
                Ok(self.changed(&changed))
            }
            Order::Load { rate } => {
                self.loader.set(rate)?;
                Ok(match rate > 0.0 {
                    true => format!("{rate} transactions per second"),
                    false => "the load ends".into(),
                })
            }
            Order::Send { to, amount } => sending::send(&self.cluster, to, amount).await,
            Order::Put { key, value } => sending::put(&self.cluster, key, value).await,
        }
    }

    /// Cuts the network. Who is named in no group is alone with the other such ones.
    fn split(&self, groups: &[Vec<usize>]) -> anyhow::Result<String> {
        let nodes = self.cluster.manifest()?.nodes.len();
        let groups = faults::complete_groups(groups, nodes)?;
        partition::split(&self.cluster, &groups)?;
        let groups: Vec<Vec<usize>> =
            groups.into_iter().map(|group| group.into_iter().collect()).collect();
        let text = order::text_of(&groups);
        Ok(format!("these groups cannot talk to each other: {text}"))
    }

    fn tell_change(&self, node: Option<usize>, change: String) {
        self.live.tell(Event::Membership { node, change });
    }

    fn changed(&self, changed: &Changed) -> String {
        let change = changed.to_string();
        self.tell_change(Some(changed.id), change.clone());
        change
    }
}
