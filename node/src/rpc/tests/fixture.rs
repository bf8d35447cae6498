//! A chain of one validator with the real application, store and pool, served on a free port.
//! Consensus and the network are the test's own.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::chain::access::AccessMode;
use ::chain::block::{Block, Header, Justification, Mode, SealedBlock, proposal_digest};
use ::chain::certificate::{Ballot, Certificate, Signatures, VoteKind};
use ::chain::codec;
use ::chain::crypto::{Ed25519, Keypair, Signer as _};
use ::chain::finality::FinalityProof;
use ::chain::mempool::MempoolLimits;
use ::chain::transaction::{Body, Payload, SignedTransaction};
use ::chain::types::{Address, Amount, Digest, Epoch, Height, ValidatorIndex, View};
use ::consensus::application::{Application as _, BuildKind, BuildRequest, Commit};
use ::consensus::engine::{Event, Role, Status};
use ::consensus::registry::EngineName;
use genesis::Genesis;
use genesis::spec::{GenesisBalance, GenesisValidator, GovernanceParameters};
use jsonrpsee::http_client::{HttpClient, HttpClientBuilder};
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use node_api::HexBytes;
use tokio::sync::{Notify, broadcast, mpsc, watch};

use super::super::*;
use crate::application::NodeApplication;
use crate::pool::PoolHooks;
use crate::snapshot::UpkeepHandle;
use crate::storage::{CheckpointPolicy, GenesisState, Store};

/// Somebody with money.
pub(super) fn alice() -> Keypair {
    Keypair::from_seed(&[1; 32])
}

pub(super) const RICHES: u128 = 1_000_000;

/// What the network pretends to be.
#[derive(Default)]
pub(super) struct FakePeers(Mutex<Height>);

impl FakePeers {
    pub(super) fn show_height(&self, height: u64) {
        *self.0.lock().unwrap() = Height::new(height);
    }
}

impl Peers for FakePeers {
    fn peers(&self) -> Vec<PeerInfo> {
        Vec::new()
    }

    fn best_final(&self) -> Height {
        *self.0.lock().unwrap()
    }
}

/// A served chain.
pub(super) struct Fixture {
    pub(super) genesis: Genesis,
    pub(super) server: RpcServer,
    pub(super) application: NodeApplication,
    pub(super) view: ChainView,
    pub(super) status: watch::Sender<Status>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) consensus: ConsensusHandle,
    /// Notified when a read waits for a quorum.
    pub(super) reading: Arc<Notify>,
    pub(super) peers: Arc<FakePeers>,
    pub(super) sync: watch::Sender<SyncProgress>,
    /// Of the next block.
    pub(super) mode: Mode,
    validator: Keypair,
    tip: (Height, Digest),
    // Kept open: transactions go nowhere, but they go.
    _gossip: mpsc::Receiver<Vec<Arc<::chain::mempool::VerifiedTransaction>>>,
    _directory: tempfile::TempDir,
}

fn genesis_of(validator: &Keypair, engine: EngineName) -> Genesis {
    let key = |seed| Keypair::from_seed(&[seed; 32]).public();
    Genesis {
        format_version: Genesis::FORMAT_VERSION,
        chain: "test".into(),
        time_ms: 1_700_000_000_000,
        engine,
        consensus: Default::default(),
        limits: Default::default(),
        validators: vec![GenesisValidator {
            name: "only".into(),
            consensus_key: validator.public(),
            network_key: key(102),
            governance_key: key(103),
        }],
        access: AccessMode::Open,
        governance: GovernanceParameters::default(),
        roles: Vec::new(),
        balances: vec![GenesisBalance {
            address: alice().public().address(),
            amount: Amount::new(RICHES),
        }],
    }
}

impl Fixture {
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut RpcConfig)) -> Self {
        Self::of(EngineName::Hybrid, change).await
    }

    pub(super) async fn of(engine: EngineName, change: impl FnOnce(&mut RpcConfig)) -> Self {
        Self::made(engine, change, |_| {}).await
    }

    /// With files in the home that the settings name.
    pub(super) async fn with_files(
        change: impl FnOnce(&mut RpcConfig),
        write: impl FnOnce(&Path),
    ) -> Self {
        Self::made(EngineName::Hybrid, change, write).await
    }

    async fn made(
        engine: EngineName,
        change: impl FnOnce(&mut RpcConfig),
        write: impl FnOnce(&Path),
    ) -> Self {
        let validator = Keypair::from_seed(&[101; 32]);
        let genesis = genesis_of(&validator, engine);
        genesis.validate().unwrap();
        let start = GenesisState::new(&genesis).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let verifier = Arc::new(Ed25519);
        let opened = Store::open::<::chain::certificate::Vote>(
            directory.path(),
            &start,
            verifier.clone(),
            CheckpointPolicy::default(),
            &CancellationToken::new(),
        )
        .unwrap();
        let view = ChainView::new(opened.store.clone(), opened.ledger.state().clone()).unwrap();
        let (gossip, gossiped) = mpsc::channel(64);
        let pool = TransactionPool::start(
            start.chain_id,
            MempoolLimits::default(),
            start.state.clone(),
            Height::new(0),
            verifier,
            PoolHooks { wake: Box::new(|| {}), gossip },
        )
        .unwrap();
        let application = NodeApplication::new(
            opened.ledger,
            opened.store.clone(),
            pool.clone(),
            view.clone(),
            UpkeepHandle::idle(),
            Box::new(|_| true),
            Arc::new(|_| {}),
        );
        let (status, status_receiver) = watch::channel(status_of(start.chain_id));
        let (events, _) = broadcast::channel(16);
        let peers = Arc::new(FakePeers::default());
        let metrics = Arc::new(Metrics::default());
        metrics.add_sources(crate::metrics::Sources {
            status: status_receiver.clone(),
            pool: pool.clone(),
            peers: peers.clone(),
            execution: application.counters(),
            store: opened.store,
        });
        let heard = SyncProgress { heard: 1, needed: 1, ..SyncProgress::unknown() };
        let (sync_sender, sync) = watch::channel(heard);
        let reading = Arc::new(Notify::new());
        let asked = Arc::clone(&reading);
        let consensus =
            ConsensusHandle::fake(status_receiver, events.clone(), move || asked.notify_one());
        let context = Context {
            identity: Identity::new(&genesis, "tester", &genesis.validators[0].network_key),
            view: view.clone(),
            pool,
            consensus: consensus.clone(),
            peers: peers.clone(),
            sync,
            metrics,
            traffic: Traffic::default(),
        };
        let mut config =
            RpcConfig { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..RpcConfig::default() };
        change(&mut config);
        write(directory.path());
        let listener = RpcListener::bind(&config, directory.path()).await.unwrap();
        let server = RpcServer::start(listener, &config, context);
        Self {
            tip: (Height::new(0), start.chain_id),
            genesis,
            server,
            application,
            view,
            status,
            events,
            consensus,
            reading,
            peers,
            sync: sync_sender,
            mode: Mode::Fast,
            validator,
            _gossip: gossiped,
            _directory: directory,
        }
    }

    pub(super) fn http(&self) -> HttpClient {
        HttpClientBuilder::default().build(format!("http://{}", self.server.address)).unwrap()
    }

    pub(super) async fn ws(&self) -> WsClient {
        let url = format!("ws://{}", self.server.address);
        WsClientBuilder::default().build(url).await.unwrap()
    }

    /// A transaction of Alice's, encoded.
    pub(super) fn transaction(&self, nonce: u64, body: Body) -> (Digest, HexBytes) {
        let transaction = self.signed(nonce, body);
        (transaction.hash(), HexBytes(codec::encode(&transaction)))
    }

    pub(super) fn signed(&self, nonce: u64, body: Body) -> SignedTransaction {
        let (sender, expiry) = (alice().public(), Height::new(1000));
        Payload { chain_id: self.genesis.hash(), account: None, sender, nonce, expiry, body }
            .sign(&alice())
    }

    pub(super) fn transfer(&self, nonce: u64, amount: u128) -> (Digest, HexBytes) {
        self.transaction(
            nonce,
            Body::Transfer { to: bob(), amount: Amount::new(amount), memo: vec![] },
        )
    }

    /// Builds and executes the next block from what waits in the pool.
    pub(super) fn propose(&mut self) -> SealedBlock {
        let (height, parent) = self.tip;
        let request = BuildRequest {
            parent,
            height: height.next(),
            epoch: Epoch::new(0),
            view: View::new(0),
            kind: BuildKind::Ordinary,
            bytes: Block::MAX_TRANSACTION_BYTES,
            evidence: Vec::new(),
        };
        let built = self.application.build(&request);
        let chain_id = self.genesis.hash();
        let justification = Justification::default();
        let validators_hash = self.genesis.validator_set().hash(&chain_id);
        let header = Header {
            chain_id,
            epoch: request.epoch,
            view: request.view,
            height: request.height,
            mode: self.mode,
            kind: built.kind,
            parent,
            proposer: ValidatorIndex::new(0),
            timestamp_ms: built.timestamp_ms,
            transactions_root: built.transactions_root,
            receipts_root: built.receipts_root,
            state_root: built.state_root,
            validators_hash,
            next_validators_hash: built.next_validators_hash,
            justification_hash: justification.hash(&chain_id),
        };
        let signature = self.validator.sign(&proposal_digest(&chain_id, &header.hash(&chain_id)));
        let transactions = built.transactions;
        let block = SealedBlock::new(Block { header, signature, justification, transactions });
        self.application.execute(&block).unwrap();
        block
    }

    /// Makes a proposed block final.
    pub(super) fn finalize(&mut self, block: &SealedBlock) {
        let ballot = Ballot {
            kind: VoteKind::Commit,
            position: block.header.position(),
            block: block.hash(),
        };
        let vote = self.validator.sign(&ballot.digest(&self.genesis.hash()));
        let signatures = Signatures::new(1, &[(ValidatorIndex::new(0), vote)]);
        let certificate = Certificate { ballot, signatures };
        let proof = Some(FinalityProof { certificate: certificate.clone(), headers: Vec::new() });
        self.application.commit(&[Commit { block: block.clone(), proof }]).unwrap();
        self.tip = (block.header.height, block.hash());
        self.status.send_modify(|status| {
            status.final_height = block.header.height;
            status.final_hash = block.hash();
            status.certificate = Some(certificate);
        });
    }

    /// The next block, final.
    pub(super) fn make_block(&mut self) -> SealedBlock {
        let block = self.propose();
        self.finalize(&block);
        block
    }
}

/// Somebody without money.
pub(super) fn bob() -> Address {
    Keypair::from_seed(&[2; 32]).public().address()
}

fn status_of(genesis: Digest) -> Status {
    Status {
        role: Role::Leader,
        epoch: Epoch::new(0),
        view: View::new(0),
        leader: Some(ValidatorIndex::new(0)),
        mode: Mode::Fast,
        mode_reason: "the first view".into(),
        final_height: Height::new(0),
        final_hash: genesis,
        ordered_height: Height::new(0),
        head_height: Height::new(0),
        timeout: Duration::from_millis(500),
        pacing: None,
        me: Some(ValidatorIndex::new(0)),
        certificate: None,
        evidence_pending: 0,
    }
}
