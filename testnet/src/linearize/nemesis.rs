//! What happens to the nodes while clients use them: decided by a seed alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use nix::sys::signal::Signal;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::byzantine::control::{Behaviour, Link, Request};
use crate::cluster::Cluster;
use crate::{faults, live, partition};

/// How long a network that is whole again may take to make a block final.
const FINAL_PATIENCE: Duration = Duration::from_secs(60);

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// SIGKILL, and a start.
    Kill,
    /// SIGSTOP, and SIGCONT.
    Pause,
    /// Two groups that do not hear each other: one node alone, or halves.
    Partition,
    /// One node that is heard by the others and hears none of them.
    Deaf,
    /// Every consensus message late, or one in ten of them lost.
    Links,
    /// One validator that misbehaves in one way or another.
    Lie,
}

impl Fault {
    pub const ALL: [Self; 6] =
        [Self::Kill, Self::Pause, Self::Partition, Self::Deaf, Self::Links, Self::Lie];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Deaf => "deaf",
            Self::Links => "links",
            Self::Lie => "lie",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == text)
            .ok_or_else(|| format!("expected some of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// Breaks one thing after the other, each for a while.
#[derive(Debug)]
pub(super) struct Nemesis {
    faults: Vec<Fault>,
    random: ChaCha8Rng,
    /// How often which fault was played.
    pub(super) played: BTreeMap<&'static str, u32>,
}

impl Nemesis {
    pub(super) fn new(faults: &[Fault], seed: u64) -> Self {
        let random = ChaCha8Rng::seed_from_u64(seed);
        Self { faults: faults.to_vec(), random, played: BTreeMap::new() }
    }

    /// Plays faults until told to stop; then everything is whole again.
    ///
    /// # Errors
    /// Where a node does not obey or does not come back.
    pub(super) async fn run(
        &mut self,
        cluster: &Cluster,
        over: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        let nodes = cluster.manifest()?.nodes.len();
        while !over() {
            let calm = Duration::from_millis(self.random.random_range(200..800));
            tokio::time::sleep(calm).await;
            let Some(fault) = self.faults.choose(&mut self.random).copied() else {
                continue;
            };
            if over() {
                break;
            }
            self.play(cluster, fault, nodes).await?;
            *self.played.entry(fault.name()).or_default() += 1;
        }
        Ok(())
    }

    async fn play(&mut self, cluster: &Cluster, fault: Fault, nodes: usize) -> anyhow::Result<()> {
        let victim = self.random.random_range(0..nodes);
        let lasts = Duration::from_millis(self.random.random_range(300..2_000));
        match fault {
            Fault::Kill => {
                cluster.kill(victim)?;
                tokio::time::sleep(lasts).await;
                cluster.start(victim)?;
                live::answers(cluster, &cluster.node(victim)?).await?;
            }
            Fault::Pause => {
                cluster.signal(victim, Signal::SIGSTOP)?;
                tokio::time::sleep(lasts).await;
                cluster.signal(victim, Signal::SIGCONT)?;
            }
            Fault::Partition => {
                partition::split(cluster, &self.groups(nodes))?;
                tokio::time::sleep(lasts).await;
                partition::heal(cluster)?;
            }
            Fault::Deaf => {
                let to = self.seat(cluster, victim).await?;
                self.spoil(cluster, |id| id != victim, &to, Link::CUT, lasts).await?;
            }
            Fault::Links => {
                let slow = Link { delay_ms: self.random.random_range(10..150), ..Link::WHOLE };
                let lossy = Link { lost_percent: 10, ..Link::WHOLE };
                let link = if self.random.random_bool(0.5) { slow } else { lossy };
                self.spoil(cluster, |_| true, &[], link, lasts).await?;
            }
            Fault::Lie => {
                let behaviour = *Behaviour::ALL.choose(&mut self.random).expect("there are some");
                faults::order(cluster, victim, Request::Behave { behaviour })?;
                tokio::time::sleep(lasts).await;
                faults::reform(cluster, victim).await?;
                // What it said may come back to it until something else is final, and its guard stops it.
                let other = cluster.node((victim + 1) % nodes)?;
                live::make_block(cluster, &other, FINAL_PATIENCE).await?;
                faults::reform(cluster, victim).await?;
            }
        }
        Ok(())
    }

    /// The seat of a node, if it has one.
    async fn seat(&self, cluster: &Cluster, id: usize) -> anyhow::Result<Vec<u16>> {
        let seats = faults::seats(cluster).await?.into_iter().filter(|(_, node)| *node == id);
        Ok(seats.map(|(seat, _)| seat.get()).collect())
    }

    /// Spoils the links from some nodes to some seats for a while.
    async fn spoil(
        &self,
        cluster: &Cluster,
        from: impl Fn(usize) -> bool,
        to: &[u16],
        link: Link,
        lasts: Duration,
    ) -> anyhow::Result<()> {
        let nodes = cluster.manifest()?.nodes;
        for node in nodes.iter().filter(|node| from(node.id)) {
            faults::order(cluster, node.id, Request::Link { to: to.to_vec(), link })?;
        }
        tokio::time::sleep(lasts).await;
        for node in nodes {
            faults::order(cluster, node.id, Request::Link { to: Vec::new(), link: Link::WHOLE })?;
        }
        Ok(())
    }

    /// One node alone, or two halves.
    fn groups(&mut self, nodes: usize) -> [BTreeSet<usize>; 2] {
        let mut ids: Vec<usize> = (0..nodes).collect();
        ids.shuffle(&mut self.random);
        let size = if self.random.random_bool(0.5) { 1 } else { nodes / 2 };
        let rest = ids.split_off(size);
        [ids.into_iter().collect(), rest.into_iter().collect()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_by_name() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse(), Ok(fault));
        }
        assert!("fire".parse::<Fault>().is_err_and(|error| error.contains("kill, pause")));
    }

    #[test]
    fn groups_hold_everyone_once() {
        let mut nemesis = Nemesis::new(&Fault::ALL, 7);
        let mut sizes = BTreeSet::new();
        for _ in 0..50 {
            let [one, two] = nemesis.groups(4);
            sizes.insert(one.len());
            assert!(one.is_disjoint(&two) && one.len() + two.len() == 4);
        }
        assert_eq!(sizes, BTreeSet::from([1, 2]));
    }
}
