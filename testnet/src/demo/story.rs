//! The story, chapter by chapter.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use chain::block::Mode;
use chain::certificate::VoteKind;
use chain::types::Height;
use consensus::registry::EngineName;
use node_api::block::{BlockRef, Detail};
use node_api::chain::EvidenceRecord;
use node_api::consensus::{ModeChange, Reason};
use node_api::{AccountApiClient, ChainApiClient, ConsensusApiClient};

use super::narrator::Narrator;
use super::report::{Report, Step};
use crate::audit::audit;
use crate::byzantine::control::{Behaviour, Request};
use crate::cluster::manifest::NodeEntry;
use crate::cluster::{Cluster, DEFAULT_ACCOUNTS, Spec};
use crate::faults;
use crate::live::{self, until};
use crate::load::background::Background;
use crate::load::sample::Latencies;
use crate::load::seen::Seen;
use crate::rpc;

const VALIDATORS: usize = 4;
const TRANSFERS: usize = 20;
/// Background load: enough that every moment has work.
const TPS: f64 = 100.0;
const SENDERS: usize = 1000;
/// How long a chapter's turning point may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Final blocks from which the certificates with a dead validator are judged.
const JUDGED_BLOCKS: u64 = 100;

pub(super) struct Story<'a> {
    cluster: Cluster,
    narrator: &'a Narrator,
    report: Report,
    load: Option<Background>,
}

impl<'a> Story<'a> {
    pub(super) fn new(
        engine: EngineName,
        dir: &Path,
        narrator: &'a Narrator,
    ) -> anyhow::Result<Self> {
        let spec = Spec { engine, validators: VALIDATORS as u16, accounts: DEFAULT_ACCOUNTS };
        let cluster = Cluster::create(dir, spec)?.attach(true);
        Ok(Self { cluster, narrator, report: Report::default(), load: None })
    }

    /// Takes the network down.
    pub(super) fn end(self) -> Report {
        self.report
    }

    pub(super) async fn play(&mut self) -> anyhow::Result<()> {
        self.start().await.context("starting four validators")?;
        self.transfers().await.context("sending transfers")?;
        self.load = Some(Background::start(&self.cluster, TPS, SENDERS).await?);
        self.equivocation().await.context("the leader equivocates")?;
        self.calm().await.context("calm returns")?;
        self.one_dead().await.context("one validator dies")?;
        self.end_load().await.context("the load ends")
    }

    /// Notes a check. A story in which one fails goes on: the rest may still hold.
    fn check(&mut self, name: &'static str, ok: bool, detail: String) {
        self.narrator.check(ok, name, &detail);
        self.report.steps.push(Step { name, ok, detail });
    }

    fn node(&self, id: usize) -> anyhow::Result<NodeEntry> {
        self.cluster.node(id)
    }

    async fn start(&mut self) -> anyhow::Result<()> {
        self.narrator.chapter("Four validators start");
        self.cluster.start_all()?;
        live::all_answer(&self.cluster).await?;
        for node in self.cluster.manifest()?.nodes {
            let pid = node.process.map_or(0, |process| process.pid);
            self.narrator.say(&format!("validator {} is process {pid}, {}", node.id, node.rpc()));
        }
        let first = live::make_block(&self.cluster, &self.node(0)?, live::START_PATIENCE).await?;
        let client = rpc::http(&self.node(0)?, rpc::PATIENCE)?;
        let state = client.state().await?;
        let leader = state.leader.map_or(0, |leader| leader.as_usize());
        let mode = state.mode.map_or_else(String::new, |mode| mode.to_string());
        let detail = format!("block {first} is final, validator {leader} leads, mode {mode}");
        self.check("blocks become final", state.mode == Some(Mode::Fast), detail);
        Ok(())
    }

    async fn transfers(&mut self) -> anyhow::Result<()> {
        self.narrator.chapter("A wallet sends transfers");
        let latencies = self.send_transfers().await?;
        let owner = live::probe_key(&self.cluster)?.public().address();
        let mut nonces = Vec::new();
        for node in self.cluster.manifest()?.nodes {
            let nonce = until("every validator to execute the transfers", PATIENCE, async || {
                let account = rpc::http(&node, rpc::PATIENCE)?.get(owner).await?;
                Ok((account.nonce > TRANSFERS as u64).then_some(account.nonce))
            })
            .await?;
            nonces.push(nonce);
        }
        let found = latencies.percentiles();
        let detail = format!(
            "{TRANSFERS} transfers one by one, each final after {:.1} ms (median), {:.1} ms at most",
            found.p50, found.max
        );
        let same = nonces.windows(2).all(|pair| pair[0] == pair[1]);
        self.check("transfers are final everywhere", same, detail);
        Ok(())
    }

    /// Sends one transfer after the other, each through another validator that runs.
    async fn send_transfers(&self) -> anyhow::Result<Latencies> {
        let nodes = self.cluster.manifest()?.nodes;
        let running: Vec<&NodeEntry> = nodes.iter().filter(|node| node.is_alive()).collect();
        let mut latencies = Latencies::default();
        for node in running.iter().cycle().take(TRANSFERS) {
            let start = Instant::now();
            live::make_block(&self.cluster, node, PATIENCE).await?;
            latencies.record(start.elapsed());
        }
        Ok(latencies)
    }

    async fn equivocation(&mut self) -> anyhow::Result<()> {
        self.narrator.chapter("The leader equivocates");
        let narrator = self.narrator;
        let Some(liar) = faults::leader(&self.cluster).await? else {
            bail!("nobody leads");
        };
        narrator
            .say(&format!("validator {liar} leads; from now on it signs two blocks per height"));
        faults::behave(&self.cluster, liar, Behaviour::Equivocate, |text| narrator.say(&text))
            .await?;
        let caught = Instant::now();
        let mut evidence = None;
        for node in self.cluster.manifest()?.nodes {
            let client = rpc::http(&node, rpc::PATIENCE)?;
            let record = until("evidence on chain", PATIENCE, async || {
                let records: Vec<EvidenceRecord> = client.evidence(None).await?;
                Ok(records.into_iter().next())
            })
            .await?;
            evidence = Some(record);
        }
        let record = evidence.context("a testnet has validators")?;
        let detail = format!(
            "two blocks at height {} of view {}; the proof is in block {} on every validator, {} ms later",
            record.at_height,
            record.view,
            record.height,
            caught.elapsed().as_millis()
        );
        let right = record.accused.as_usize() == liar;
        self.check("the equivocator is caught", right, detail);

        let client = rpc::http(&self.node(liar)?, rpc::PATIENCE)?;
        let list = until("the next epoch", PATIENCE, async || {
            let list = client.validators(None).await?;
            Ok((list.epoch > record.epoch).then_some(list))
        })
        .await?;
        let jailed: Vec<usize> = list
            .validators
            .iter()
            .filter(|validator| validator.jailed)
            .map(|validator| validator.index.as_usize())
            .collect();
        let detail =
            format!("epoch {} begins with {jailed:?} jailed: votes, but never leads", list.epoch);
        self.check("it is jailed", jailed == [liar], detail);
        faults::order(&self.cluster, liar, Request::Behave { behaviour: Behaviour::Off })?;

        let change = self.mode_change(|change| change.to == Mode::Pbft).await?;
        let detail = format!("fast to pbft at block {}, reason {:?}", change.height, change.reason);
        self.check("the network escalates", change.reason == Reason::Equivocation, detail);
        Ok(())
    }

    async fn calm(&mut self) -> anyhow::Result<()> {
        self.narrator.chapter("Calm returns");
        let up = self.mode_change(|change| change.to == Mode::Pbft).await?;
        let down =
            self.mode_change(|change| change.to == Mode::Fast && change.height > up.height).await?;
        let detail = format!(
            "pbft to fast at block {}, {} blocks later, reason {:?}",
            down.height,
            down.height.get() - up.height.get(),
            down.reason
        );
        self.check("the network calms down", down.reason == Reason::Calm, detail);
        Ok(())
    }

    /// Waits for a change of mode on the final chain.
    async fn mode_change(
        &self,
        wanted: impl Fn(&ModeChange) -> bool,
    ) -> anyhow::Result<ModeChange> {
        let client = rpc::http(&self.node(0)?, rpc::PATIENCE)?;
        until("a change of mode", PATIENCE, async || {
            let history = client.state().await?.mode_history;
            Ok(history.into_iter().find(|change| wanted(change)))
        })
        .await
    }

    async fn one_dead(&mut self) -> anyhow::Result<()> {
        self.narrator.chapter("A validator dies, and returns");
        let leader =
            until("a leader", PATIENCE, async || faults::leader(&self.cluster).await).await?;
        let witness = rpc::http(&self.node(leader)?, rpc::PATIENCE)?;
        let before = self.send_transfers().await?.percentiles();
        let Some(victim) = (0..VALIDATORS).rev().find(|id| *id != leader) else {
            bail!("nobody but the leader is left to die");
        };
        self.cluster.kill(victim)?;
        let killed_at = ChainApiClient::status(&witness).await?.height_final;
        self.narrator.say(&format!(
            "validator {victim} is killed with SIGKILL under load at block {killed_at}"
        ));

        let without = self.send_transfers().await?.percentiles();
        let judged = self.certificates(&witness, victim, killed_at).await?;
        let detail = format!(
            "{} of {} blocks final by the {} prepare votes alone, none of them by validator {victim}; \
             a transfer takes {:.1} ms instead of {:.1} ms (median)",
            judged.one_round, judged.blocks, judged.signers, without.p50, before.p50
        );
        let held = judged.one_round == judged.blocks;
        self.check("one dead: finality in one round trip", held, detail);

        self.cluster.start(victim)?;
        let node = self.node(victim)?;
        let start = Instant::now();
        live::answers(&self.cluster, &node).await?;
        let goal = ChainApiClient::status(&witness).await?.height_final;
        until("the validator to catch up", PATIENCE, async || {
            let status = live::chain_status(&node).await;
            Ok(status.filter(|status| status.height_final >= goal))
        })
        .await?;
        let missed = goal.get().saturating_sub(killed_at.get());
        let detail = format!(
            "validator {victim} starts from its disk and has the {missed} blocks that it missed after {} ms",
            start.elapsed().as_millis()
        );
        self.check("a killed validator catches up", true, detail);
        Ok(())
    }

    /// How the blocks after `from` became final.
    async fn certificates(
        &self,
        witness: &jsonrpsee::http_client::HttpClient,
        dead: usize,
        from: Height,
    ) -> anyhow::Result<Judged> {
        let end = Height::new(from.get() + JUDGED_BLOCKS);
        until("blocks without the dead validator", PATIENCE, async || {
            let status = ChainApiClient::status(witness).await?;
            Ok((status.height_final > end).then_some(()))
        })
        .await?;
        let mut judged = Judged::default();
        // The first few may still be certified by what it sent before it died.
        for height in from.get() + 5..=end.get() {
            let height = BlockRef::Height(Height::new(height));
            let block = witness.block(height, Some(Detail::None)).await?;
            let certificate = block.certificate.context("a final block has its certificate")?;
            let alive = certificate.signers.iter().all(|signer| signer.as_usize() != dead);
            ensure!(alive, "validator {dead} is dead, but signed block {}", block.header.height);
            judged.blocks += 1;
            judged.one_round += u64::from(certificate.kind == VoteKind::Prepare);
            judged.signers = judged.signers.max(certificate.signers.len());
        }
        Ok(judged)
    }

    async fn end_load(&mut self) -> anyhow::Result<()> {
        self.narrator.chapter("Nothing was lost");
        let load = self.load.as_ref().context("the load runs")?;
        let seen = load.seen().clone();
        let outcome = self.load.take().context("the load runs")?.finish().await?;
        self.report.transactions_final = outcome.finalized;
        let detail = format!(
            "{} transactions submitted meanwhile, {} final",
            outcome.submitted, outcome.finalized
        );
        self.check("everything submitted is final", outcome.submitted == outcome.finalized, detail);
        self.compare(&seen).await
    }

    async fn compare(&mut self, seen: &Seen) -> anyhow::Result<()> {
        let audit = audit(&self.cluster, seen).await.context("comparing all chains")?;
        self.report.add_audit(&audit);
        let detail = format!("block by block up to {} on all four", audit.height);
        self.check("no two final blocks at one height", audit.conflicts.is_empty(), detail);
        let detail = format!("{} of those that clients saw final are missing anywhere", audit.lost);
        self.check("no final transaction is missing", audit.lost == 0, detail);
        let detail = match audit.state_roots.first() {
            Some(root) if audit.state_roots_equal() => format!("{root:?}… on all four"),
            _ => format!("{:?}", audit.state_roots),
        };
        self.check("all state roots are equal", audit.state_roots_equal(), detail);
        Ok(())
    }
}

/// How blocks became final while a validator was dead.
#[derive(Debug, Default)]
struct Judged {
    blocks: u64,
    /// By prepare votes alone: one round trip.
    one_round: u64,
    signers: usize,
}
