//! Namespace `chain`.

use std::sync::Arc;

use chain::block::SealedBlock;
use chain::codec;
use chain::state::State;
use chain::transaction::Transaction;
use chain::types::{Digest, Epoch, Height};
use genesis::peer_id::peer_id;
use jsonrpsee::PendingSubscriptionSink;
use jsonrpsee::core::{RpcResult, SubscriptionResult, async_trait};
use node_api::block::{Block, BlockEvent, BlockRef, BlockStatus, CertificateSummary, Detail};
use node_api::chain::{
    ChainApiServer, ChainStatus, EvidenceKind, EvidenceRecord, ValidatorInfo, ValidatorList,
};
use node_api::limits::MAX_EVIDENCE;
use node_api::transaction::{TxBody, TxContent, TxInBlock};
use node_api::{ApiError, HexBytes};
use tokio::sync::broadcast::error::RecvError;

use super::kv::may_read;
use super::relay::{Passed, Relay, json};
use super::{Context, convert, errors};

pub(super) struct ChainRpc {
    context: Arc<Context>,
    relay: Relay,
}

impl ChainRpc {
    pub(super) const fn new(context: Arc<Context>, relay: Relay) -> Self {
        Self { context, relay }
    }
}

#[async_trait]
impl ChainApiServer for ChainRpc {
    async fn status(&self) -> RpcResult<ChainStatus> {
        Ok(self.context.chain_status())
    }

    async fn block(&self, block: BlockRef, detail: Option<Detail>) -> RpcResult<Block> {
        let context = Arc::clone(&self.context);
        // Reads and encodes up to some megabytes: not on a thread that others wait for.
        let read = move || {
            let found = find(&context, block)?;
            describe(&context, &found, detail.unwrap_or_default())
        };
        Ok(tokio::task::spawn_blocking(read).await.map_err(errors::panicked)??)
    }

    async fn validators(&self, epoch: Option<Epoch>) -> RpcResult<ValidatorList> {
        Ok(validators(&self.context, epoch)?)
    }

    async fn evidence(&self, from: Option<Height>) -> RpcResult<Vec<EvidenceRecord>> {
        let context = Arc::clone(&self.context);
        let read = move || evidence(&context, from.unwrap_or_default());
        Ok(tokio::task::spawn_blocking(read).await.map_err(errors::panicked)??)
    }

    async fn subscribe_blocks(
        &self,
        pending: PendingSubscriptionSink,
        status: Option<BlockStatus>,
        transactions: Option<bool>,
    ) -> SubscriptionResult {
        let wanted = transactions.unwrap_or(false);
        let detailed = if wanted { self.relay.want_transactions() } else { None };
        if wanted && detailed.is_none() {
            let problem = "too many subscribers ask for transactions already";
            pending.reject(errors::overloaded(problem)).await;
            return Ok(());
        }
        let mut blocks = self.relay.listen(status.unwrap_or(BlockStatus::Final));
        let sink = pending.accept().await?;
        let _count = self.context.metrics.rpc().subscription();
        loop {
            let passed = tokio::select! {
                () = sink.closed() => return Ok(()),
                passed = blocks.recv() => passed,
            };
            let lagged = |missed| json(&BlockEvent::Lagged { missed });
            let message = match passed {
                Ok(Passed::Block(notice)) => notice.text(wanted).unwrap_or_else(|| lagged(1)),
                Ok(Passed::Missed(missed)) | Err(RecvError::Lagged(missed)) => lagged(missed),
                Err(RecvError::Closed) => return Ok(()),
            };
            sink.send(message).await?;
        }
    }
}

impl Context {
    /// Where the chain stands, seen from this node.
    pub(super) fn chain_status(&self) -> ChainStatus {
        let Context { identity, view, pool, consensus, peers, .. } = self;
        let head = view.head();
        let status = consensus.status().borrow().clone();
        ChainStatus {
            chain_id: identity.chain_id,
            name: identity.chain.clone(),
            engine: identity.engine.clone(),
            finality: identity.finality,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            moniker: identity.moniker.clone(),
            peer_id: identity.peer_id.clone(),
            validator: status.me,
            height_final: head.height,
            height_lowest: view.lowest(),
            hash: head.hash,
            state_root: head.state.root(),
            timestamp_ms: head
                .header
                .as_ref()
                .map_or(identity.genesis_time_ms, |header| header.timestamp_ms),
            height_ordered: view.ordered_tip().0,
            epoch: status.epoch,
            view: status.view,
            mode: self.mode(&status),
            leader: status.leader,
            validators: head.state.validators().len() as u32,
            peers: peers.peers().iter().filter(|peer| peer.connected).count() as u32,
            pending: pool.size().0 as u64,
            synced: self.is_synced(head.height),
            sync: self.sync_status(),
        }
    }
}

/// A block and how safe it is.
struct Found {
    block: SealedBlock,
    status: BlockStatus,
}

fn find(context: &Context, wanted: BlockRef) -> Result<Found, ApiError> {
    let store = |error| errors::store(&error);
    let view = &context.view;
    let head = view.head();
    let (height, hash) = match wanted {
        BlockRef::Latest => (head.height, None),
        BlockRef::Height(height) => (height, None),
        BlockRef::Hash(hash) => {
            let block = view.block(&hash).map_err(store)?;
            let Some(block) = block else {
                return Err(errors::not_found(format!("no block {hash} here")));
            };
            (block.header.height, Some(hash))
        }
    };
    if height.get() == 0 {
        return Err(errors::not_found("the chain has no block yet, and genesis is none"));
    }
    let block = if height <= head.height {
        view.block_at(height).map_err(store)?.map(|block| (block, BlockStatus::Final))
    } else {
        ordered_at(context, height)?.map(|block| (block, BlockStatus::Ordered))
    };
    match block {
        Some((block, status)) if hash.is_none_or(|hash| block.hash() == hash) => {
            Ok(Found { block, status })
        }
        // Proposed blocks that nothing speaks for are nobody's business.
        _ => Err(errors::not_found(match hash {
            Some(hash) => format!("block {hash} is not on the chain"),
            None => format!("no block {height} yet: the last final one is {}", head.height),
        })),
    }
}

/// The ordered block at a height above the last final one.
fn ordered_at(context: &Context, height: Height) -> Result<Option<SealedBlock>, ApiError> {
    let (mut at, mut hash) = context.view.ordered_tip();
    let lowest = context.view.head().height;
    while at >= height && at > lowest {
        let Some(block) = context.view.block(&hash).map_err(|error| errors::store(&error))? else {
            return Ok(None);
        };
        if at == height {
            return Ok(Some(block));
        }
        (at, hash) = (at.previous(), block.header.parent);
    }
    Ok(None)
}

fn describe(context: &Context, found: &Found, detail: Detail) -> Result<Block, ApiError> {
    let store = |error| errors::store(&error);
    let Found { block, status } = found;
    let height = block.header.height;
    let is_final = *status == BlockStatus::Final;
    let chain_id = &context.identity.chain_id;
    let hashes = || -> Vec<Digest> {
        block.transactions.iter().map(|transaction| transaction.hash(chain_id)).collect()
    };
    let transactions = if detail == Detail::Full {
        // The block that the node's chain begins with is here without them.
        let kept = is_final && height >= context.view.lowest();
        let receipts = if kept { context.view.receipts(height).map_err(store)? } else { None };
        let receipt = |place: usize| Some(convert::receipt(receipts.as_ref()?.get(place)?));
        let state = context.view.head().state.clone();
        let listed = block.transactions.iter().zip(hashes()).enumerate();
        let all = listed.map(|(place, (transaction, hash))| TxInBlock {
            hash,
            content: content(&state, transaction),
            receipt: receipt(place),
        });
        Some(all.collect())
    } else {
        None
    };
    let proof = if is_final { context.view.proof(height).map_err(store)? } else { None };
    Ok(Block {
        hash: block.hash(),
        status: *status,
        finality: is_final.then_some(context.identity.finality),
        header: block.header.clone(),
        size_bytes: block.encoded().len() as u64,
        transaction_count: block.transactions.len() as u32,
        transaction_hashes: (detail == Detail::Hashes).then(hashes),
        transactions,
        certificate: proof.map(|proof| CertificateSummary::from(&proof.certificate)),
    })
}

/// What a transaction says, as far as everybody may read it.
fn content(state: &State, transaction: &Transaction) -> TxContent {
    let mut content = transaction.into();
    if let (Transaction::Signed(signed), TxContent::Account { body, .. }) =
        (transaction, &mut content)
        && let Some(key) = signed.payload.body.key()
        && may_read(state, key, None).is_err()
    {
        let name = chain::namespace::name_of(key).unwrap_or_default();
        *body = TxBody::Hidden { namespace: String::from_utf8_lossy(name).into_owned() };
    }
    content
}

pub(super) fn validators(
    context: &Context,
    epoch: Option<Epoch>,
) -> Result<ValidatorList, ApiError> {
    let state = context.view.head().state.clone();
    let current = state.validators();
    let set = match epoch {
        Some(epoch) => state.validators_of(epoch).ok_or_else(|| {
            let newest = current.epoch;
            errors::not_found(format!("no epoch {epoch} yet: the current one is {newest}"))
        })?,
        None => current,
    };
    let status = context.consensus.status().borrow().clone();
    let certificate = status
        .certificate
        .as_ref()
        .filter(|certificate| certificate.ballot.position.epoch == set.epoch);
    let connected = context.connected();
    let took_part = state.took_part();
    let validators = set.members().map(|(index, validator)| {
        let peer_id = peer_id(&validator.network_key);
        ValidatorInfo {
            index,
            name: context.identity.validator_names.get(&validator.consensus_key).cloned(),
            consensus_key: validator.consensus_key,
            network_key: validator.network_key,
            governance_key: validator.governance_key,
            jailed: validator.jailed,
            accused: validator.accused,
            since: validator.since,
            signed_last: certificate
                .map(|certificate| certificate.signatures.signers().any(|s| s == index)),
            took_part: took_part.get(&validator.consensus_key).copied(),
            connected: peer_id == context.identity.peer_id || connected.contains(&peer_id),
            peer_id,
        }
    });
    Ok(ValidatorList {
        epoch: set.epoch,
        first_view: set.first_view,
        quorums: set.quorums(),
        leader: status.leader.filter(|_| status.epoch == set.epoch),
        validators: validators.collect(),
    })
}

fn evidence(context: &Context, from: Height) -> Result<Vec<EvidenceRecord>, ApiError> {
    let all = context.view.evidence().map_err(|error| errors::store(&error))?;
    let state = context.view.head().state.clone();
    let records =
        all.into_iter().filter(|found| found.height >= from).take(MAX_EVIDENCE as usize).map(
            |found| {
                let evidence = &found.evidence;
                let accused = evidence.accused();
                EvidenceRecord {
                    height: found.height,
                    hash: evidence.hash(&context.identity.chain_id),
                    kind: EvidenceKind::from(evidence),
                    accused,
                    consensus_key: state
                        .validators_of(evidence.epoch())
                        .and_then(|set| set.get(accused))
                        .map(|validator| validator.consensus_key),
                    epoch: evidence.epoch(),
                    view: evidence.view(),
                    at_height: evidence.height(),
                    evidence: HexBytes(codec::encode(evidence)),
                }
            },
        );
    Ok(records.collect())
}
