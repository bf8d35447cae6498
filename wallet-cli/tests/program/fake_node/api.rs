//! The interface over it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chain::block::Mode;
use chain::crypto::Keypair;
use chain::governance::Parameters;
use chain::quorum::Quorums;
use chain::transaction::Transaction;
use chain::types::{Address, Amount, Digest, Epoch, Height, ValidatorIndex, View};
use jsonrpsee::core::{RpcResult, SubscriptionResult, async_trait};
use jsonrpsee::{PendingSubscriptionSink, RpcModule};
use node_api::account::Account;
use node_api::block::{Block, BlockEvent, BlockNotice, BlockRef, BlockStatus, Detail, Finality};
use node_api::chain::{ChainStatus, EvidenceRecord, SyncStatus, ValidatorInfo, ValidatorList};
use node_api::consensus::{ConsensusState, Role};
use node_api::governance::{GovernanceParameters, ProposalFilter, ProposalInfo, ProposalList};
use node_api::transaction::{TxInBlock, TxState, TxStatus};
use node_api::tx::{SubmitResult, Submitted, Wait};
use node_api::{
    AccountApiServer, ChainApiServer, ConsensusApiServer, ErrorCode, GovernanceApiServer, HexBytes,
    KvApiServer, TxApiServer,
};

use super::governance::QUORUM;
use super::ledger::{Ledger, refuse};
use super::{CHAIN, validator as validator_seed};

#[derive(Clone)]
pub(super) struct Api(pub(super) Arc<Mutex<Ledger>>);

impl Api {
    pub(super) fn methods(&self) -> RpcModule<()> {
        let mut module = RpcModule::new(());
        module.merge(ChainApiServer::into_rpc(self.clone())).expect("distinct names");
        module.merge(AccountApiServer::into_rpc(self.clone())).expect("distinct names");
        module.merge(GovernanceApiServer::into_rpc(self.clone())).expect("distinct names");
        module.merge(KvApiServer::into_rpc(self.clone())).expect("distinct names");
        module.merge(TxApiServer::into_rpc(self.clone())).expect("distinct names");
        module.merge(ConsensusApiServer::into_rpc(self.clone())).expect("distinct names");
        module
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().expect("no panic in the server")
    }
}

#[async_trait]
impl ChainApiServer for Api {
    async fn status(&self) -> RpcResult<ChainStatus> {
        let height = Height::new(self.ledger().height);
        Ok(ChainStatus {
            chain_id: CHAIN,
            name: "fake".into(),
            engine: "hybrid".into(),
            finality: Finality::Certified,
            version: "0.0.0".into(),
            moniker: "node1".into(),
            peer_id: "12D3KooWfake".into(),
            validator: Some(ValidatorIndex::new(1)),
            height_lowest: Height::new(1),
            height_final: height,
            hash: Digest([1; 32]),
            state_root: Digest([0xaa; 32]),
            timestamp_ms: 1_750_000_000_000,
            height_ordered: height,
            epoch: Epoch::new(0),
            view: View::new(3),
            mode: Some(Mode::Pbft),
            leader: Some(ValidatorIndex::new(3)),
            validators: 4,
            peers: 3,
            pending: 0,
            synced: true,
            sync: SyncStatus { fetching: false, target: height, peers: 3, heard: 4 },
        })
    }

    async fn block(&self, block: BlockRef, _: Option<Detail>) -> RpcResult<Block> {
        let ledger = self.ledger();
        let height = match block {
            BlockRef::Latest => ledger.height,
            BlockRef::Height(height) if height.get() <= ledger.height => height.get(),
            _ => return Err(refuse(ErrorCode::NotFound, &format!("no block {block}")).into()),
        };
        let transactions: Vec<TxInBlock> = ledger
            .transactions
            .values()
            .filter(|(status, _)| status.height == Some(Height::new(height)))
            .map(|(status, transaction)| TxInBlock {
                hash: status.hash,
                content: (&Transaction::Signed(transaction.clone())).into(),
                receipt: status.receipt.clone(),
            })
            .collect();
        Ok(Block {
            hash: Digest([height as u8; 32]),
            status: BlockStatus::Final,
            finality: Some(Finality::Certified),
            header: ledger.header(height),
            size_bytes: 1000,
            transaction_count: transactions.len() as u32,
            transaction_hashes: None,
            transactions: Some(transactions),
            certificate: None,
        })
    }

    async fn validators(&self, _: Option<Epoch>) -> RpcResult<ValidatorList> {
        let validator = |index: u16| {
            let key = Keypair::from_seed(&[validator_seed(index as u8); 32]).public();
            ValidatorInfo {
                index: ValidatorIndex::new(index),
                name: Some(format!("node{index}")),
                consensus_key: key,
                network_key: key,
                governance_key: key,
                peer_id: "12D3KooWfake".into(),
                jailed: index == 2,
                accused: index == 2,
                since: Epoch::new(0),
                signed_last: Some(true),
                took_part: Some(Height::new(9)),
                connected: true,
            }
        };
        Ok(ValidatorList {
            epoch: Epoch::new(0),
            first_view: View::new(0),
            quorums: Quorums::new(4, 1).expect("4 tolerate 1"),
            leader: Some(ValidatorIndex::new(3)),
            validators: (0..4).map(validator).collect(),
        })
    }

    async fn evidence(&self, _: Option<Height>) -> RpcResult<Vec<EvidenceRecord>> {
        Ok(Vec::new())
    }

    async fn subscribe_blocks(
        &self,
        pending: PendingSubscriptionSink,
        status: Option<BlockStatus>,
        _: Option<bool>,
    ) -> SubscriptionResult {
        let sink = pending.accept().await?;
        let first = self.ledger().height;
        let mut events = vec![BlockEvent::Lagged { missed: 2 }];
        events.extend((first..first + 3).map(|height| {
            let header = self.ledger().header(height);
            BlockEvent::Block(BlockNotice {
                status: status.unwrap_or(BlockStatus::Final),
                height: header.height,
                hash: Digest([height as u8; 32]),
                epoch: header.epoch,
                view: header.view,
                mode: header.mode,
                proposer: header.proposer,
                timestamp_ms: header.timestamp_ms,
                transaction_count: 1,
                transactions: None,
                failed: None,
            })
        }));
        for event in events {
            sink.send(serde_json::value::to_raw_value(&event)?).await?;
        }
        if let Some(server) = self.ledger().stop_after_watch.take() {
            server.stop()?;
        }
        Ok(())
    }
}

#[async_trait]
impl AccountApiServer for Api {
    async fn get(&self, address: Address) -> RpcResult<Account> {
        let ledger = self.ledger();
        let nonce = ledger.nonces.get(&address).copied().unwrap_or(0);
        Ok(Account {
            address,
            balance: Amount::new(ledger.balances.get(&address).copied().unwrap_or(0)),
            nonce,
            next_nonce: nonce,
            key: ledger.keys.get(&address).copied(),
            roles: ledger.governance.roles(&address),
            height: Height::new(ledger.height),
        })
    }
}

#[async_trait]
impl GovernanceApiServer for Api {
    async fn proposals(&self, status: Option<ProposalFilter>) -> RpcResult<ProposalList> {
        let ledger = self.ledger();
        let all = status == Some(ProposalFilter::All);
        let mut proposals = ledger.governance.proposals(ledger.height);
        proposals.retain(|proposal| all || proposal.status.is_pending());
        Ok(ProposalList { proposals, height: Height::new(ledger.height) })
    }

    async fn proposal(&self, id: u64) -> RpcResult<ProposalInfo> {
        let ledger = self.ledger();
        let mut proposals = ledger.governance.proposals(ledger.height);
        proposals.retain(|proposal| proposal.id == id);
        let missing = || refuse(ErrorCode::NotFound, &format!("there is no proposal {id}"));
        Ok(proposals.pop().ok_or_else(missing)?)
    }

    async fn parameters(&self) -> RpcResult<GovernanceParameters> {
        Ok(GovernanceParameters {
            parameters: Parameters::default(),
            epoch: Epoch::new(0),
            validators: 4,
            quorum: QUORUM,
            height: Height::new(self.ledger().height),
        })
    }
}

#[async_trait]
impl TxApiServer for Api {
    async fn submit(&self, transaction: HexBytes) -> RpcResult<Submitted> {
        Ok(Submitted { hash: self.ledger().take(&transaction)? })
    }

    async fn submit_batch(&self, transactions: Vec<HexBytes>) -> RpcResult<Vec<SubmitResult>> {
        let mut ledger = self.ledger();
        Ok(transactions.iter().map(|bytes| ledger.take(bytes).into()).collect())
    }

    async fn status(
        &self,
        hash: Digest,
        wait: Option<Wait>,
        timeout_ms: Option<u64>,
    ) -> RpcResult<TxStatus> {
        let status = match self.ledger().transactions.get(&hash) {
            Some((status, _)) => status.clone(),
            None => TxStatus::outside(hash, TxState::Unknown),
        };
        let enough = match wait {
            None => true,
            Some(Wait::Ordered) => status.status == TxState::Ordered || status.status.is_settled(),
            Some(Wait::Final) => status.status.is_settled(),
        };
        if !enough {
            tokio::time::sleep(Duration::from_millis(timeout_ms.unwrap_or(1000))).await;
        }
        Ok(status)
    }
}

#[async_trait]
impl ConsensusApiServer for Api {
    async fn state(&self) -> RpcResult<ConsensusState> {
        let height = Height::new(self.ledger().height);
        Ok(ConsensusState {
            role: Role::Follower,
            validator: Some(ValidatorIndex::new(1)),
            epoch: Epoch::new(0),
            view: View::new(3),
            leader: Some(ValidatorIndex::new(3)),
            mode: Some(Mode::Pbft),
            mode_reason: "view 2 timed out".into(),
            timeout_ms: 500,
            pacing: None,
            finality: Finality::Certified,
            height_final: height,
            height_ordered: height,
            height_head: height,
            quorums: Quorums::new(4, 1).expect("4 tolerate 1"),
            pending: 0,
            evidence_pending: 0,
            certificate: None,
            mode_history: Vec::new(),
        })
    }

    async fn subscribe_events(
        &self,
        pending: PendingSubscriptionSink,
        _: Option<u64>,
        _: Option<bool>,
    ) -> SubscriptionResult {
        let _ = pending.accept().await?;
        Ok(())
    }
}
