//! Blocks, as one node reports them: the one that is furthest.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use chain::certificate::VoteKind;
use chain::types::Height;
use jsonrpsee::ws_client::WsClient;
use node_api::ChainApiClient;
use node_api::block::{Block as Found, BlockEvent, BlockNotice, BlockRef, BlockStatus, Detail};

use super::Live;
use crate::dashboard::event::{Block, CertificateKind, Event};
use crate::rpc;

/// Pause between two blocks that are told.
const PACE: Duration = Duration::from_millis(50);
/// Blocks that wait to be told; of more, the oldest are skipped.
const WAITING: usize = 8;
/// Blocks of the past that are told at first.
const PAST: u64 = 20;
/// How long a witness may be behind others.
const BEHIND: Duration = Duration::from_secs(1);
/// Pause after a witness was lost.
const AGAIN: Duration = Duration::from_millis(300);

/// Follows one node after the other, for ever.
pub(super) async fn run(live: Arc<Live>) {
    // The highest block that was told as final.
    let mut told = None;
    loop {
        let furthest = live.state().furthest();
        if let Some((_, node)) = furthest
            && let Some(member) = live.member(node)
        {
            let mut witness = Witness { live: &live, node, told: &mut told, line: Line::default() };
            // It died or fell behind: another one follows.
            let _ = witness.follow(&member.rpc).await;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

struct Witness<'a> {
    live: &'a Live,
    node: usize,
    told: &'a mut Option<Height>,
    line: Line,
}

/// Final blocks that wait to be told.
#[derive(Debug, Default)]
struct Line {
    blocks: VecDeque<BlockNotice>,
    skipped: u64,
    /// When an ordered block was told last.
    ordered: Option<Instant>,
}

impl Witness<'_> {
    async fn follow(&mut self, address: &str) -> anyhow::Result<()> {
        let client = rpc::websocket_at(address).await?;
        let mut finals = client.subscribe_blocks(Some(BlockStatus::Final), None).await?;
        let mut ordered = client.subscribe_blocks(Some(BlockStatus::Ordered), None).await?;
        // What becomes final from here on is told by the subscription.
        let height = ChainApiClient::status(&client).await?.height_final;
        self.past(&client, height).await?;
        let mut ticks = tokio::time::interval(PACE);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut close = Instant::now();
        loop {
            tokio::select! {
                event = finals.next() => match event {
                    Some(Ok(BlockEvent::Block(notice))) => self.is_final(notice),
                    Some(Ok(BlockEvent::Lagged { .. })) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => bail!("the subscription ended"),
                },
                event = ordered.next() => match event {
                    Some(Ok(BlockEvent::Block(notice))) => self.is_ordered(&notice),
                    Some(Ok(BlockEvent::Lagged { .. })) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => bail!("the subscription ended"),
                },
                _ = ticks.tick() => {
                    if let Some((notice, skipped)) = self.line.pop() {
                        self.tell(&client, &notice, skipped).await?;
                    }
                    if self.is_close() {
                        close = Instant::now();
                    } else if close.elapsed() > BEHIND {
                        bail!("another node is further");
                    }
                }
            }
        }
    }

    /// Whether this node answers and none is further.
    fn is_close(&self) -> bool {
        let state = self.live.state();
        let own = state.statuses.get(&self.node).filter(|status| status.answers);
        // Looks at nodes are far apart: what it told since its last one counts.
        own.is_some() && state.furthest().is_none_or(|(height, _)| *self.told >= Some(height))
    }

    /// Tells the last blocks that are final already.
    async fn past(&mut self, client: &WsClient, height: Height) -> anyhow::Result<()> {
        let lowest = height.get().saturating_sub(PAST - 1).max(1);
        let first = self.told.map_or(lowest, |told| told.get() + 1).max(lowest);
        for height in first..=height.get() {
            let height = Height::new(height);
            // Blocks from before a snapshot are not there.
            if let Ok(found) = client.block(BlockRef::Height(height), Some(Detail::None)).await {
                self.tell_found(found, 0);
            }
        }
        *self.told = (*self.told).max(Some(height));
        Ok(())
    }

    fn is_final(&mut self, notice: BlockNotice) {
        if self.told.is_none_or(|told| notice.height > told) {
            *self.told = Some(notice.height);
            self.live.totals.block(notice.transaction_count);
            self.line.push(notice);
        }
    }

    fn is_ordered(&mut self, notice: &BlockNotice) {
        if notice.status == BlockStatus::Ordered && self.line.may_tell_ordered() {
            let block = self.block(notice, None, Vec::new(), 0);
            self.live.tell(Event::Block(Box::new(block)));
        }
    }

    async fn tell(
        &self,
        client: &WsClient,
        notice: &BlockNotice,
        skipped: u64,
    ) -> anyhow::Result<()> {
        let block = BlockRef::Height(notice.height);
        let found = client.block(block, Some(Detail::None)).await?;
        self.tell_found(found, skipped);
        Ok(())
    }

    fn tell_found(&self, found: Found, skipped: u64) {
        let notice = BlockNotice {
            status: found.status,
            height: found.header.height,
            hash: found.hash,
            epoch: found.header.epoch,
            view: found.header.view,
            mode: found.header.mode,
            proposer: found.header.proposer,
            timestamp_ms: found.header.timestamp_ms,
            transaction_count: found.transaction_count,
            transactions: None,
            failed: None,
        };
        let kind = found.certificate.as_ref().map(|certificate| match certificate.kind {
            VoteKind::Prepare | VoteKind::PbftPrepare => CertificateKind::Fast,
            VoteKind::Commit => CertificateKind::Commit,
        });
        let signers = found.certificate.map(|certificate| certificate.signers);
        let block = self.block(&notice, kind, signers.unwrap_or_default(), skipped);
        self.live.tell(Event::Final {
            node: self.node,
            height: block.height,
            view: block.view,
            block: block.hash,
        });
        self.live.tell(Event::Block(Box::new(block)));
    }

    fn block(
        &self,
        notice: &BlockNotice,
        certificate: Option<CertificateKind>,
        signers: Vec<chain::types::ValidatorIndex>,
        skipped: u64,
    ) -> Block {
        let state = self.live.state();
        Block {
            height: notice.height,
            hash: notice.hash,
            epoch: notice.epoch,
            view: notice.view,
            mode: notice.mode,
            proposer: notice.proposer,
            node: state.node_of(notice.proposer),
            transactions: notice.transaction_count,
            status: notice.status,
            certificate,
            signers,
            validators: state.statuses.get(&self.node).and_then(|status| status.validators),
            timestamp_ms: notice.timestamp_ms,
            skipped,
        }
    }
}

impl Line {
    fn push(&mut self, notice: BlockNotice) {
        self.blocks.push_back(notice);
        if self.blocks.len() > WAITING {
            self.blocks.pop_front();
            self.skipped += 1;
        }
    }

    /// The next one, and how many below it were skipped.
    fn pop(&mut self) -> Option<(BlockNotice, u64)> {
        let notice = self.blocks.pop_front()?;
        Some((notice, std::mem::take(&mut self.skipped)))
    }

    /// Whether an ordered block may be told now: they come no faster than final ones are told.
    fn may_tell_ordered(&mut self) -> bool {
        let may = self.ordered.is_none_or(|last| last.elapsed() >= PACE);
        if may {
            self.ordered = Some(Instant::now());
        }
        may
    }
}
