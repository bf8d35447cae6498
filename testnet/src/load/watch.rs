//! Final blocks as every validator reports them, without gaps, through restarts.

use std::time::{Duration, Instant};

use anyhow::bail;
use chain::block::Mode;
use chain::types::{Digest, Height, ValidatorIndex, View};
use jsonrpsee::ws_client::WsClient;
use node_api::ChainApiClient;
use node_api::block::{Block, BlockEvent, BlockNotice, BlockRef, BlockStatus, Detail};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::cluster::manifest::NodeEntry;
use crate::rpc;

/// A final block, reported by one validator.
#[derive(Clone, Debug)]
pub struct SeenBlock {
    /// Who reported it.
    pub node: usize,
    pub height: Height,
    pub hash: Digest,
    pub view: View,
    pub mode: Mode,
    pub proposer: ValidatorIndex,
    /// When it was proposed, Unix milliseconds.
    pub timestamp_ms: u64,
    pub transactions: Vec<Digest>,
    /// Places of the transactions that execution refused.
    pub failed: Vec<u32>,
    /// When the report came.
    pub seen: Instant,
}

/// Reports of all validators. Ends when dropped.
#[derive(Debug)]
pub struct Watch {
    pub blocks: mpsc::Receiver<SeenBlock>,
    _tasks: JoinSet<()>,
}

/// Starts to follow every validator from its present height on.
pub async fn follow_all(nodes: &[NodeEntry]) -> Watch {
    let (sender, blocks) = mpsc::channel(1024);
    let mut tasks = JoinSet::new();
    for node in nodes.iter().cloned() {
        let sender = sender.clone();
        // Known before anything is submitted, so that nothing is missed while it connects.
        let from = match rpc::http(&node, rpc::PATIENCE) {
            Ok(client) => ChainApiClient::status(&client).await.ok().map(|now| now.height_final),
            Err(_) => None,
        };
        let mut follower = Follower { node, next: from.map(Height::next), sender };
        tasks.spawn(async move {
            while !follower.sender.is_closed() {
                // It is dead, paused or just started: every error here is answered by a new try.
                let _ = follower.follow().await;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
    }
    Watch { blocks, _tasks: tasks }
}

struct Follower {
    node: NodeEntry,
    /// The first height that was not reported yet.
    next: Option<Height>,
    sender: mpsc::Sender<SeenBlock>,
}

impl Follower {
    async fn follow(&mut self) -> anyhow::Result<()> {
        let client = rpc::websocket(&self.node).await?;
        let mut events = client.subscribe_blocks(Some(BlockStatus::Final), Some(true)).await?;
        let now = ChainApiClient::status(&client).await?.height_final;
        self.next.get_or_insert(now.next());
        self.fill(&client, now.next()).await?;
        while let Some(event) = events.next().await {
            // After a lag the gap shows in the next height.
            let BlockEvent::Block(notice) = event? else {
                continue;
            };
            self.fill(&client, notice.height).await?;
            if self.next == Some(notice.height) {
                self.report(SeenBlock::of_notice(self.node.id, notice)).await?;
            }
        }
        bail!("the subscription ended")
    }

    /// Asks for the blocks below `end` that were not reported.
    async fn fill(&mut self, client: &WsClient, end: Height) -> anyhow::Result<()> {
        while let Some(height) = self.next.filter(|next| *next < end) {
            let block = client.block(BlockRef::Height(height), Some(Detail::Hashes)).await?;
            self.report(SeenBlock::of_block(self.node.id, block)).await?;
        }
        Ok(())
    }

    async fn report(&mut self, block: SeenBlock) -> anyhow::Result<()> {
        let next = block.height.next();
        self.sender.send(block).await?;
        self.next = Some(next);
        Ok(())
    }
}

impl SeenBlock {
    fn of_notice(node: usize, notice: BlockNotice) -> Self {
        Self {
            node,
            height: notice.height,
            hash: notice.hash,
            view: notice.view,
            mode: notice.mode,
            proposer: notice.proposer,
            timestamp_ms: notice.timestamp_ms,
            transactions: notice.transactions.unwrap_or_default(),
            failed: notice.failed.unwrap_or_default(),
            seen: Instant::now(),
        }
    }

    fn of_block(node: usize, block: Block) -> Self {
        Self {
            node,
            height: block.header.height,
            hash: block.hash,
            view: block.header.view,
            mode: block.header.mode,
            proposer: block.header.proposer,
            timestamp_ms: block.header.timestamp_ms,
            transactions: block.transaction_hashes.unwrap_or_default(),
            failed: Vec::new(),
            seen: Instant::now(),
        }
    }
}
