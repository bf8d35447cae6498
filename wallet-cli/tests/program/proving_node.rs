//! A node whose chain is real, with proofs, and which lies where it is told to.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use chain::block::{Block, Header, Justification, Mode, SealedBlock};
use chain::certificate::{Ballot, Certificate, Signatures, VoteKind};
use chain::codec;
use chain::crypto::{Ed25519, Keypair, Signature, Signer as _};
use chain::evidence::Evidence;
use chain::ledger::{BuildKind, BuildLimits, BuildTask, Ledger, Tip};
use chain::light::{Claim, EpochChange, FinalBlock, FinalityPath, Lineage, Proof};
use chain::mempool::VerifiedTransaction;
use chain::receipt::Receipt;
use chain::state::{RecordKey, State};
use chain::transaction::{Body, Payload, SignedTransaction};
use chain::types::{Address, Amount, Digest, Height, ValidatorIndex, View};
use genesis::Genesis;
use jsonrpsee::RpcModule;
use jsonrpsee::server::{Server, ServerHandle};
use jsonrpsee::types::ErrorObjectOwned;
use node_api::account::Account;
use node_api::block::BlockStatus;
use node_api::chain::{ValidatorInfo, ValidatorList};
use node_api::kv::{KvEntry, KvPage, KvValue};
use node_api::proof::Subject;
use node_api::{ApiError, ErrorCode, HexBytes};
use serde_json::{Value, json};

/// One way to answer wrongly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lie {
    #[default]
    None,
    /// Another balance than the state holds.
    Balance,
    /// The account of somebody else.
    OtherAccount,
    /// Another value than the state holds.
    Value,
    /// The key is not there, with a proof of another key's absence.
    Absence,
    /// A transaction that failed had its effect.
    Receipt,
    /// The transaction is in another block.
    Place,
    /// Another validator set.
    Validators,
    /// Two of four validators vouch.
    BelowQuorum,
    /// The proofs of a chain with the same accounts and other validators.
    OtherChain,
    /// The state of the first block.
    Stale,
    /// A proof with another amount in its sentence.
    Rewritten,
    /// No proof at all.
    NoProof,
}

/// A final block with all that is kept of it.
struct Kept {
    block: SealedBlock,
    receipts: Vec<Receipt>,
    state: State,
    lineage: Lineage,
}

/// A chain of four validators.
struct World {
    genesis: Genesis,
    ledger: Ledger,
    keys: Vec<Keypair>,
    kept: Vec<Kept>,
    lineage: Lineage,
    view: View,
    lie: Lie,
    /// Whose proofs are shown instead.
    other: Option<Box<World>>,
}

impl World {
    fn new(seed: u8) -> Self {
        let keys: Vec<Keypair> =
            (0..4).map(|index| Keypair::from_seed(&[seed + index; 32])).collect();
        let key = |salt: usize, index: usize| {
            Keypair::from_seed(&[(salt + index) as u8; 32]).public().to_string()
        };
        let validators: Vec<Value> = keys
            .iter()
            .enumerate()
            .map(|(index, consensus)| {
                json!({
                    "name": format!("node{index}"),
                    "consensus_key": consensus.public(),
                    "network_key": key(150, index),
                    "governance_key": key(160, index),
                })
            })
            .collect();
        let text = json!({
            "format_version": Genesis::FORMAT_VERSION,
            "chain": "proving",
            "time_ms": 1_700_000_000_000_u64,
            "engine": "hybrid",
            "validators": validators,
            "balances": [{ "address": account(1).public().address(), "amount": "1000" }],
        });
        let genesis = Genesis::from_json(text.to_string().as_bytes()).expect("a genesis");
        genesis.validate().expect("a good genesis");
        let state = genesis.state().expect("a good genesis");
        let chain_id = genesis.hash();
        let tip = Tip::genesis(chain_id, genesis.time_ms, state.validators().hash(&chain_id));
        let ledger = Ledger::new(chain_id, Arc::new(Ed25519), tip, state);
        let mut world = Self {
            genesis,
            ledger,
            keys,
            kept: Vec::new(),
            lineage: Lineage::default(),
            view: View::new(0),
            lie: Lie::None,
            other: None,
        };
        let put = |value: &str| Body::Put { key: b"colour".to_vec(), value: value.into() };
        world.send(put("blue"));
        world.send(put("red"));
        world.change_epoch();
        let amount = Amount::new(5000);
        world.send(Body::Transfer { to: account(2).public().address(), amount, memo: Vec::new() });
        world
    }

    /// A block with one transaction of account 1.
    fn send(&mut self, body: Body) {
        let sender = account(1);
        let nonce = self.ledger.state().account(&sender.public().address()).nonce;
        let (chain_id, expiry) = (self.genesis.hash(), Height::new(1000));
        let payload =
            Payload { chain_id, account: None, sender: sender.public(), nonce, expiry, body };
        self.grow(vec![payload.sign(&sender)], Vec::new());
    }

    /// A barrier, because the third validator voted twice.
    fn change_epoch(&mut self) {
        let tip = &self.kept.last().expect("a block").block.header;
        let vote = |salt: u8| {
            let block = Digest([salt; 32]);
            let ballot = Ballot { kind: VoteKind::Commit, position: tip.position(), block };
            let signature = self.keys[2].sign(&ballot.digest(&tip.chain_id));
            chain::certificate::Vote { ballot, voter: ValidatorIndex::new(2), signature }
        };
        let evidence = Evidence::from_votes(&vote(1), &vote(2), &tip.chain_id).expect("two votes");
        self.grow(Vec::new(), vec![evidence]);
    }

    fn grow(&mut self, transactions: Vec<SignedTransaction>, evidence: Vec<Evidence>) {
        let parent = *self.ledger.tip();
        let task = BuildTask {
            parent: parent.hash,
            view: self.view,
            kind: BuildKind::Ordinary,
            evidence: &evidence,
            now_ms: 1_700_000_000_000 + parent.height.get(),
        };
        let candidates = transactions
            .into_iter()
            .map(|signed| VerifiedTransaction::check(signed, &Ed25519).expect("well signed"));
        let candidates: Vec<_> = candidates.collect();
        let built = self
            .ledger
            .build(&task, candidates, &BuildLimits::default())
            .expect("a tip to build on");
        let state = self.ledger.state();
        let chain_id = self.genesis.hash();
        let header = Header {
            chain_id,
            epoch: state.chain().epoch,
            view: self.view,
            height: parent.height.next(),
            mode: Mode::Fast,
            kind: built.kind,
            parent: parent.hash,
            proposer: ValidatorIndex::new(0),
            timestamp_ms: built.timestamp_ms,
            transactions_root: built.transactions_root,
            receipts_root: built.receipts_root,
            state_root: built.state_root,
            validators_hash: state.validators().hash(&chain_id),
            next_validators_hash: built.next_validators_hash,
            justification_hash: Justification::default().hash(&chain_id),
        };
        let block = SealedBlock::new(Block {
            header,
            signature: Signature([0; 64]),
            justification: Justification::default(),
            transactions: built.transactions,
        });
        let next = self.ledger.execute(&block, &|_| true).expect("a valid block");
        let executed = self.ledger.executed(&block.hash()).expect("just now").clone();
        self.ledger.commit(&block.hash()).expect("just executed");
        self.kept.push(Kept {
            block: block.clone(),
            receipts: executed.receipts.clone(),
            state: self.ledger.state().clone(),
            lineage: self.lineage.clone(),
        });
        if let Some(validators) = next {
            self.view = validators.first_view;
            let finality = self.finality(&block.header, 3);
            let barrier = block.header.clone();
            self.lineage.0.push(EpochChange { barrier, finality, validators });
        }
    }

    fn finality(&self, header: &Header, voters: usize) -> FinalityPath {
        let block = header.hash(&header.chain_id);
        let ballot = Ballot { kind: VoteKind::Commit, position: header.position(), block };
        let digest = ballot.digest(&header.chain_id);
        let votes: Vec<_> = (0..)
            .zip(&self.keys[..voters])
            .map(|(index, key)| (ValidatorIndex::new(index), key.sign(&digest)))
            .collect();
        let signatures = Signatures::new(self.keys.len(), &votes);
        FinalityPath { certificate: Certificate { ballot, signatures }, headers: Vec::new() }
    }

    fn head(&self) -> &Kept {
        self.kept.last().expect("a block")
    }

    /// Where a transaction is: its block and its place there.
    fn find(&self, hash: &Digest) -> Option<(&Kept, usize)> {
        self.kept.iter().find_map(|kept| {
            let index = kept.receipts.iter().position(|receipt| receipt.transaction == *hash)?;
            Some((kept, index))
        })
    }

    fn account(&self, address: Address) -> Account {
        let kept = self.head();
        let account = kept.state.account(&address);
        let more = if self.lie == Lie::Balance { 1000 } else { 0 };
        Account {
            address: if self.lie == Lie::OtherAccount { account_address(9) } else { address },
            balance: Amount::new(account.balance.get() + more),
            nonce: account.nonce,
            next_nonce: account.nonce,
            key: account.key,
            roles: Vec::new(),
            height: kept.block.header.height,
        }
    }

    fn entry(&self, key: &HexBytes) -> KvValue {
        let kept = self.head();
        let held = kept.state.entry(&key.0);
        KvValue {
            key: key.clone(),
            value: match self.lie {
                Lie::Value => Some(HexBytes(b"green".to_vec())),
                Lie::Absence => None,
                _ => held.map(|entry| HexBytes(entry.value.clone())),
            },
            version: held.map(|entry| entry.version),
            height: kept.block.header.height,
            block: kept.block.hash(),
            status: BlockStatus::Final,
        }
    }

    fn entries(&self, prefix: &HexBytes) -> KvPage {
        let kept = self.head();
        let entries = kept.state.scan(&prefix.0, None).map(|(key, entry)| {
            let value = if self.lie == Lie::Value { b"green" } else { &entry.value[..] };
            KvEntry {
                key: HexBytes(key.to_vec()),
                value: HexBytes(value.to_vec()),
                version: entry.version,
            }
        });
        KvPage {
            entries: entries.collect(),
            next: None,
            height: kept.block.header.height,
            block: kept.block.hash(),
            status: BlockStatus::Final,
        }
    }

    fn status_of(&self, hash: Digest) -> Value {
        let Some((kept, index)) = self.find(&hash) else {
            return json!({ "hash": hash, "status": "unknown" });
        };
        let header = &kept.block.header;
        let height = header.height.get() + u64::from(self.lie == Lie::Place);
        let outcome = &kept.receipts[index].outcome;
        let (status, receipt) = match outcome {
            chain::receipt::Outcome::Failed(reason) if self.lie != Lie::Receipt => (
                "failed",
                json!({ "ok": false, "code": reason.code(), "reason": reason.to_string() }),
            ),
            chain::receipt::Outcome::Written { version } => {
                ("final", json!({ "ok": true, "version": version }))
            }
            _ => ("final", json!({ "ok": true })),
        };
        json!({
            "hash": hash,
            "status": status,
            "height": height,
            "index": index,
            "block": kept.block.hash(),
            "receipt": receipt,
            "finality": "certified",
        })
    }

    fn submit(&mut self, bytes: &HexBytes) -> Digest {
        let transaction: SignedTransaction = codec::decode(&bytes.0).expect("a transaction");
        let hash = transaction.hash();
        self.grow(vec![transaction], Vec::new());
        hash
    }

    fn status(&self) -> Value {
        let (header, state) = (&self.head().block.header, &self.head().state);
        json!({
            "chain_id": if self.lie == Lie::OtherChain { Digest([1; 32]) } else { header.chain_id },
            "name": "proving", "engine": "hybrid", "finality": "certified", "version": "0.0.0",
            "moniker": "node1", "peer_id": "12D3KooWfake", "validator": null,
            "height_final": header.height, "height_lowest": 1, "hash": self.head().block.hash(),
            "state_root": state.root(), "timestamp_ms": header.timestamp_ms,
            "height_ordered": header.height, "epoch": state.chain().epoch, "view": 4,
            "mode": "fast", "leader": 0, "validators": 4, "peers": 3, "pending": 0, "synced": true,
            "sync": { "fetching": false, "target": header.height, "peers": 3, "heard": 4 },
        })
    }

    fn validators(&self) -> ValidatorList {
        let set = self.head().state.validators();
        let validators = set.members().map(|(index, one)| ValidatorInfo {
            index,
            name: None,
            consensus_key: one.consensus_key,
            network_key: one.network_key,
            governance_key: one.governance_key,
            peer_id: "12D3KooWfake".into(),
            jailed: one.jailed && self.lie != Lie::Validators,
            accused: one.accused,
            since: one.since,
            signed_last: Some(true),
            took_part: None,
            connected: true,
        });
        ValidatorList {
            epoch: set.epoch,
            first_view: set.first_view,
            quorums: set.quorums(),
            leader: Some(ValidatorIndex::new(0)),
            validators: validators.collect(),
        }
    }

    /// The text of a proof, or of what passes for one.
    fn prove(&self, subject: &Subject) -> Result<String, ApiError> {
        if self.lie == Lie::NoProof {
            let problem = "raft has no certificates: what it calls final cannot be proven";
            return Err(ApiError::new(ErrorCode::NotFound, problem));
        }
        let kept = if self.lie == Lie::Stale { &self.kept[0] } else { self.head() };
        let record = |kept: &Kept, key| {
            let header = kept.block.header.clone();
            let finality = self.finality(&header, self.voters());
            (Claim::record(FinalBlock { header, finality }, &kept.state, key), kept.lineage.clone())
        };
        let (claim, lineage) = match subject {
            Subject::Account(_) if self.lie == Lie::OtherAccount => {
                record(kept, RecordKey::Account(account_address(9)))
            }
            Subject::Account(address) => record(kept, RecordKey::Account(*address)),
            Subject::Key(_) if self.lie == Lie::Absence => {
                record(kept, RecordKey::Entry(b"color".to_vec()))
            }
            Subject::Key(key) => record(kept, RecordKey::Entry(key.0.clone())),
            Subject::Validators(epoch) => record(kept, RecordKey::Validators(*epoch)),
            Subject::Record(key) => record(kept, codec::decode(&key.0).expect("a record key")),
            Subject::Transaction(hash) => {
                let none = || ApiError::new(ErrorCode::NotFound, "no such transaction");
                let (kept, index) = self.find(hash).ok_or_else(none)?;
                let finality = self.finality(&kept.block.header, self.voters());
                let claim = Claim::transaction(&kept.block, finality, &kept.receipts, index);
                (claim.expect("it is there"), kept.lineage.clone())
            }
            Subject::Evidence(_) => {
                let chain::transaction::Transaction::Evidence(evidence) =
                    &self.kept[2].block.transactions[0]
                else {
                    panic!("the third block is a barrier")
                };
                let (accused, evidence) = (self.keys[2].public(), evidence.as_ref().clone());
                (Claim::Equivocation { accused, evidence }, Lineage::default())
            }
        };
        let file = Proof { chain_id: self.genesis.hash(), claim, lineage }.to_json();
        let rewritten = |file: String| file.replace("owns ", "owns 9");
        Ok(if self.lie == Lie::Rewritten { rewritten(file) } else { file })
    }

    fn voters(&self) -> usize {
        if self.lie == Lie::BelowQuorum { 2 } else { 3 }
    }

    fn proof(&self, subject: &Subject) -> Result<String, ApiError> {
        match &self.other {
            Some(other) if self.lie == Lie::OtherChain => other.prove(subject),
            _ => self.prove(subject),
        }
    }
}

/// A running server; stops when it is dropped.
pub(crate) struct ProvingNode {
    pub(crate) url: String,
    /// The genesis file of its chain.
    pub(crate) genesis: PathBuf,
    world: Arc<Mutex<World>>,
    server: ServerHandle,
    _directory: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl ProvingNode {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let mut world = World::new(10);
        world.other = Some(Box::new(World::new(50)));
        let directory = tempfile::tempdir().expect("a temporary directory");
        let genesis = directory.path().join("genesis.json");
        std::fs::write(&genesis, world.genesis.to_json()).expect("written");
        let world = Arc::new(Mutex::new(world));
        let methods = methods(&world);
        let (address, server) = runtime.block_on(async {
            let server = Server::builder()
                .build(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
                .await
                .expect("a port");
            (server.local_addr().expect("an address"), server.start(methods))
        });
        let url = format!("http://{address}");
        Self { url, genesis, world, server, _directory: directory, _runtime: runtime }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no panic in the server")
    }

    pub(crate) fn tell(&self, lie: Lie) {
        self.world().lie = lie;
    }

    pub(crate) fn genesis(&self) -> &Path {
        &self.genesis
    }

    /// The hash of the first transaction of a block.
    pub(crate) fn transaction(&self, height: usize) -> Digest {
        self.world().kept[height - 1].receipts[0].transaction
    }

    /// One block more.
    pub(crate) fn grow(&self) {
        self.world().grow(Vec::new(), Vec::new());
    }
}

impl Drop for ProvingNode {
    fn drop(&mut self) {
        let _ = self.server.stop();
    }
}

/// The methods that the wallet calls.
fn methods(world: &Arc<Mutex<World>>) -> RpcModule<Arc<Mutex<World>>> {
    type Answer = Result<Value, ErrorObjectOwned>;
    let mut module = RpcModule::new(world.clone());
    let mut serve = |name, answer: fn(&mut World, &[Value]) -> Answer| {
        let registered = module.register_method(name, move |params, world, _| {
            let params: Vec<Value> = params.parse().unwrap_or_default();
            answer(&mut world.lock().expect("no panic in the server"), &params)
        });
        registered.expect("distinct names");
    };
    serve("chain_status", |world, _| Ok(world.status()));
    serve("chain_validators", |world, _| Ok(json!(world.validators())));
    serve("account_get", |world, params| Ok(json!(world.account(read(&params[0])))));
    serve("kv_get", |world, params| Ok(json!(world.entry(&read(&params[0])))));
    serve("kv_scan", |world, params| Ok(json!(world.entries(&read(&params[0])))));
    serve("tx_status", |world, params| Ok(world.status_of(read(&params[0]))));
    serve("tx_submit", |world, params| Ok(json!({ "hash": world.submit(&read(&params[0])) })));
    serve("proof_get", |world, params| Ok(json!({ "file": world.proof(&read(&params[0]))? })));
    module
}

fn read<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("what the interface says")
}

/// The development account of a seed.
fn account(seed: u8) -> Keypair {
    Keypair::from_seed(&[seed; 32])
}

fn account_address(seed: u8) -> Address {
    account(seed).public().address()
}
