//! Harms what lies on a validator's disk while it does not run: flips a bit, puts an old copy in its
//! place, gives its keys to a second process.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use genesis::config::NodeConfig;
use genesis::network::{Ports, listen_address};
use node_api::ChainApiClient;
use node_api::block::{BlockRef, Detail};
use rand::RngExt;
use rand::seq::IndexedRandom;

use super::PATIENCE;
use super::plan::{Files, Victims};
use super::player::Player;
use crate::byzantine::control::Request;
use crate::cluster::manifest::NodeEntry;
use crate::cluster::ports;
use crate::cluster::process::Launch;
use crate::disk::{self, power};
use crate::live::{self, until};
use crate::scratch::copy;
use crate::{faults, rpc};

/// How long a validator has to start, or to find out that it must not.
const START: Duration = Duration::from_secs(20);
/// Newest blocks that a validator with a flipped bit is asked for.
const ASKED: usize = 300;
/// Blocks between an old copy and its return, at least.
const AGED: u64 = 20;

/// What became of a start.
enum Started {
    Answers,
    /// It ended, with this as its last word.
    Ended(String),
}

impl Player<'_> {
    /// From when the victim is gone until something new is final.
    pub(super) async fn flip_bit(
        &mut self,
        victim: usize,
        files: Files,
    ) -> anyhow::Result<Duration> {
        self.cluster.kill(victim)?;
        let node = self.cluster.node(victim)?;
        let home = self.cluster.home(&node);
        let candidates = files.find(&home)?;
        let Some(path) = candidates.choose(&mut self.random) else {
            return self.recover(Victims::One(victim), true).await;
        };
        let bit = self.random.random_range(0..8 * fs::metadata(path)?.len());
        let before = fs::read(path)?;
        power::flip(path, bit)?;
        let what = format!("bit {bit} of {}", path.display());
        match self.start(victim).await? {
            Started::Ended(last) => {
                self.findings.damage.stopped += 1;
                // Whoever reads the log must know what to do.
                if !last.contains("error: ") {
                    bail!("{what}: the validator ended without a reason: {last}");
                }
            }
            Started::Answers => {
                self.findings.damage.went_on += 1;
                if let Some(height) = self.serves_wrong(&node).await? {
                    self.findings.damage.served.push(format!("{what}: block {height}"));
                }
                if self.cluster.node(victim)?.is_alive() {
                    self.cluster.kill(victim)?;
                }
            }
        }
        // What is still there as it was left is mended; a program that replaced the file did so.
        let mut flipped = before.clone();
        let place = usize::try_from(bit / 8)?;
        flipped[place] ^= 1 << (bit % 8);
        if fs::read(path).is_ok_and(|found| found.starts_with(&flipped)) {
            power::flip(path, bit)?;
        }
        self.recover(Victims::One(victim), true).await
    }

    async fn start(&self, id: usize) -> anyhow::Result<Started> {
        if self.cluster.start(id).is_err() {
            // So quick that nobody saw it run.
            return Ok(Started::Ended(live::last_line(&self.cluster.log(&self.cluster.node(id)?))));
        }
        let node = self.cluster.node(id)?;
        until("a damaged validator to start or end", START, async || {
            if !node.is_alive() {
                return Ok(Some(Started::Ended(live::last_line(&self.cluster.log(&node)))));
            }
            Ok(live::chain_status(&node).await.map(|_| Started::Answers))
        })
        .await
    }

    /// The height at which a validator gives another block than clients saw final. That it refuses or
    /// ends is as good as any.
    async fn serves_wrong(&self, node: &NodeEntry) -> anyhow::Result<Option<u64>> {
        let client = rpc::http(node, Duration::from_secs(2))?;
        for (height, known) in self.load.seen().newest(ASKED) {
            let asked = client.block(BlockRef::Height(height), Some(Detail::Hashes)).await;
            if asked.is_ok_and(|block| block.hash != known.hash) {
                return Ok(Some(height.get()));
            }
        }
        Ok(None)
    }

    /// Gives a validator the disk that it had some blocks ago, from before votes that it cast since.
    pub(super) async fn put_back_old_disk(&mut self, victim: usize) -> anyhow::Result<Duration> {
        let node = self.cluster.node(victim)?;
        let home = self.cluster.home(&node);
        let (data, old, newest) = (home.join("data"), home.join("old"), home.join("newest"));
        self.cluster.kill(victim)?;
        copy(&data, &old)?;
        self.recover(Victims::One(victim), true).await?;
        live::answers(self.cluster, &self.cluster.node(victim)?).await?;
        let aged = self.load.seen().highest().unwrap_or_default().get() + AGED;
        until("a vote that the old disk has not in a certificate", PATIENCE, async || {
            Ok(self.is_signer_above(victim, aged).await?.then_some(()))
        })
        .await?;
        self.cluster.kill(victim)?;
        fs::rename(&data, &newest)?;
        fs::rename(&old, &data)?;
        self.cluster.start(victim)?;
        let stopped = self.gone(victim, START).await?;
        let last = live::last_line(&self.cluster.log(&node));
        self.findings.damage.old_disks += 1;
        if stopped && last.contains("knows nothing of") {
            fs::remove_dir_all(&data)?;
            fs::rename(&newest, &data)?;
            disk::settle(&home)?;
        } else {
            let problem = format!("an old disk of validator {victim}: {last}");
            self.findings.damage.unnoticed.push(problem);
            // It voted from the old one, which is the newest by that.
            fs::remove_dir_all(&newest)?;
            if !stopped {
                self.cluster.kill(victim)?;
            }
        }
        self.recover(Victims::One(victim), true).await
    }

    /// Whether the newest block that a validator knows is final stands above a height and is
    /// certified by it too, with everybody else who runs. A quorum comes together without it where
    /// it is slow, and votes in no certificate are shown by nobody.
    async fn is_signer_above(&self, id: usize, height: u64) -> anyhow::Result<bool> {
        let Some(status) = live::chain_status(&self.cluster.node(id)?).await else {
            return Ok(false);
        };
        if status.height_final.get() < height {
            return Ok(false);
        }
        let others = self.cluster.manifest()?.nodes.into_iter().filter(|node| node.id != id);
        for node in others.filter(NodeEntry::is_alive) {
            let client = rpc::http(&node, Duration::from_secs(2))?;
            let block = client.block(BlockRef::Height(status.height_final), Some(Detail::Hashes));
            let certificate = block.await.ok().and_then(|block| block.certificate);
            let signers = certificate.map(|certificate| certificate.signers).unwrap_or_default();
            if !signers.iter().any(|signer| signer.as_usize() == id) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Starts a second process with a validator's keys, in a home of its own, and one in the same
    /// home.
    pub(super) async fn start_twin(&mut self, victim: usize) -> anyhow::Result<()> {
        let node = self.cluster.node(victim)?;
        let home = self.cluster.home(&node);
        let twin = home.with_file_name(format!("twin{victim}"));
        copy_home(&home, &twin)?;
        for (what, of, reason) in
            [("its home", &home, "is in use by"), ("its keys", &twin, "knows nothing of")]
        {
            let log = self.cluster.dir().join(format!("second-{victim}.log"));
            let _ = fs::remove_file(&log);
            let launch = Launch {
                binary: self.cluster.binary(),
                home: of,
                log: &log,
                lifeline: true,
                disk: None,
                cores: None,
            };
            let last = match launch.start() {
                Ok(started) => {
                    let deadline = Instant::now() + START;
                    while started.id.is_alive() && Instant::now() < deadline {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    started.id.kill()?;
                    live::last_line(&log)
                }
                Err(_) => live::last_line(&log),
            };
            self.findings.damage.twins += 1;
            if !last.contains(reason) {
                let problem = format!("a second process on {what} (validator {victim}): {last}");
                self.findings.damage.unnoticed.push(problem);
            }
        }
        fs::remove_dir_all(twin)?;
        // The first one is none the worse for it.
        live::answers(self.cluster, &node).await.context("after its twin")?;
        faults::order(self.cluster, victim, Request::Status).context("after its twin")?;
        Ok(())
    }
}

impl Files {
    /// Those of a home.
    fn find(self, home: &Path) -> anyhow::Result<Vec<PathBuf>> {
        let directory = match self {
            Self::Keys => home.join("keys"),
            _ => home.join("data").join("db"),
        };
        let mut found = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let name =
                path.file_name().context("a file has a name")?.to_string_lossy().into_owned();
            let fits = match self {
                Self::Log => name.ends_with(".log"),
                Self::Table => name.ends_with(".sst") || name.ends_with(".blob"),
                Self::Manifest => name.starts_with("MANIFEST") || name == "CURRENT",
                // The governance key stays with its owner; the node never reads it.
                Self::Keys => name == "validator.json" || name == "network.json",
            };
            if fits && fs::metadata(&path)?.len() > 0 {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}

/// A home with the same keys and genesis, other ports, and no data.
fn copy_home(home: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir(to)?;
    fs::set_permissions(to, fs::metadata(home)?.permissions())?;
    copy(&home.join("keys"), &to.join("keys"))?;
    fs::copy(home.join("genesis.json"), to.join("genesis.json"))?;
    let mut config = NodeConfig::from_toml(&fs::read_to_string(home.join("config.toml"))?)?;
    let free = ports::free(2)?;
    config.p2p.listen = listen_address(&Ports { p2p: free[0], rpc: free[1] });
    config.rpc.listen.set_port(free[1]);
    fs::write(to.join("config.toml"), config.to_commented_toml())?;
    Ok(())
}
