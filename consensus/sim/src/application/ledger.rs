//! The production ledger and pool behind a simulated validator: transfers between funded accounts,
//! and governance.

use std::sync::Arc;
use std::time::Duration;

use chain::block::{BlockKind, SealedBlock};
use chain::crypto::Verifier;
use chain::evidence::Evidence;
use chain::execute::Charter;
use chain::genesis::genesis_state;
use chain::governance::Parameters;
use chain::ledger::{self, BuildLimits, BuildTask, Ledger, MAX_CLOCK_LEAD_MS, Tip};
use chain::mempool::{Mempool, MempoolLimits, VerifiedTransaction};
use chain::receipt::Receipt;
use chain::state::{RecordValue, State};
use chain::transaction::SignedTransaction;
use chain::types::{Address, Amount, Digest, Height};
use chain::validator::ValidatorSet;
use consensus::application::{BuildKind, BuildRequest, BuiltPayload, Executed, InvalidBlock};
use consensus::engine::FaultModel;

use super::Supply;
use crate::signatures::SignatureRule;

/// What every client owns at the start.
const WEALTH: u128 = 1_000_000;

/// Blocks stay as small as those of the hash chain.
const LIMITS: BuildLimits = BuildLimits { transaction_bytes: 64 * 1024, transactions: 64 };

/// A final block, what it did, and the state after it.
#[derive(Clone, Debug)]
pub struct LedgerState {
    /// `None` is genesis.
    tip: Option<Tip>,
    state: State,
    executed: Arc<ledger::Executed>,
    charter: &'static dyn Charter,
}

impl LedgerState {
    /// Every client has the same wealth.
    pub fn genesis(
        validators: ValidatorSet,
        fault_model: FaultModel,
        clients: impl IntoIterator<Item = Address>,
        charter: &'static dyn Charter,
    ) -> Self {
        let balances = clients.into_iter().map(|client| (client, Amount::new(WEALTH)));
        let crash_only = fault_model == FaultModel::Crash;
        let parameters = Parameters { crash_only, ..Parameters::default() };
        let state = genesis_state(balances, validators, parameters, [])
            .expect("clients have different keys");
        Self { tip: None, state, executed: Arc::default(), charter }
    }

    /// Height of the block.
    pub fn height(&self) -> Height {
        self.tip.map_or_else(Height::default, |tip| tip.height)
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// One receipt per transaction of the block.
    pub fn receipts(&self) -> &[Receipt] {
        &self.executed.receipts
    }

    pub fn root(&self) -> Digest {
        self.state.root()
    }

    pub fn validators(&self) -> &ValidatorSet {
        self.state.validators()
    }

    /// What is there, counted account by account, and what should be.
    pub fn supply(&self) -> Supply {
        let balances = self.state.records().filter_map(|(_, value)| match value {
            RecordValue::Account(account) => Some(account.balance.get()),
            _ => None,
        });
        Supply { found: balances.sum(), expected: self.state.chain().total_supply.get() }
    }
}

/// The chain's state and what is executed on top of it.
pub struct LedgerChain {
    verifier: Arc<dyn Verifier>,
    ledger: Ledger,
    pool: Mempool,
    now_ms: u64,
    charter: &'static dyn Charter,
}

impl std::fmt::Debug for LedgerChain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LedgerChain").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

impl LedgerChain {
    pub fn new(chain_id: Digest, rule: SignatureRule, from: LedgerState, genesis: Digest) -> Self {
        let LedgerState { tip, state, charter, .. } = from;
        let tip =
            tip.unwrap_or_else(|| Tip::genesis(genesis, 0, state.validators().hash(&chain_id)));
        let verifier = rule.verifier();
        let pool = Mempool::new(chain_id, MempoolLimits::default(), state.clone(), tip.height);
        let ledger = Ledger::new(chain_id, Arc::clone(&verifier), tip, state).governed_by(charter);
        Self { verifier, ledger, pool, now_ms: 0, charter }
    }

    pub fn set_time(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    pub fn submit(&mut self, transaction: &SignedTransaction) -> bool {
        if self.pool.contains(&transaction.hash()) {
            return false;
        }
        VerifiedTransaction::check(transaction.clone(), self.verifier.as_ref())
            .is_ok_and(|verified| self.pool.insert(verified).is_ok())
    }

    pub fn build(&mut self, request: &BuildRequest) -> BuiltPayload {
        let ordinary = request.kind == BuildKind::Ordinary;
        let candidates = match self.ledger.state_at(&request.parent) {
            Some(state) if ordinary => self.pool.candidates(state, LIMITS.transactions),
            _ => Vec::new(),
        };
        let task = BuildTask {
            parent: request.parent,
            view: request.view,
            kind: match request.kind {
                BuildKind::Ordinary | BuildKind::Null => ledger::BuildKind::Ordinary,
                BuildKind::Seal => ledger::BuildKind::Seal,
            },
            evidence: if ordinary { &request.evidence } else { &[] },
            now_ms: self.now_ms,
        };
        let built = self
            .ledger
            .build(&task, candidates, &LIMITS)
            .unwrap_or_else(|error| panic!("the engine asked for {request:?}: {error}"));
        BuiltPayload {
            kind: built.kind,
            timestamp_ms: built.timestamp_ms,
            transactions: built.transactions,
            transactions_root: built.transactions_root,
            receipts_root: built.receipts_root,
            state_root: built.state_root,
            next_validators_hash: built.next_validators_hash,
        }
    }

    pub fn execute(&mut self, block: &SealedBlock) -> Result<Executed, InvalidBlock> {
        let pool = &self.pool;
        let next_validators = self
            .ledger
            .execute(block, &|hash| pool.contains(hash))
            .map_err(|why| InvalidBlock(why.to_string()))?;
        let latest = self.now_ms + MAX_CLOCK_LEAD_MS;
        let early = Duration::from_millis(block.header.timestamp_ms.saturating_sub(latest));
        Ok(Executed { next_validators, early })
    }

    /// Makes an executed child of the last final block final; gives the state after it.
    pub fn commit(&mut self, block: &SealedBlock) -> LedgerState {
        assert_ne!(block.header.kind, BlockKind::Seal, "a seal is never part of the chain");
        let committed = self
            .ledger
            .commit(&block.hash())
            .unwrap_or_else(|error| panic!("commit of {block:?}: {error}"));
        let [committed] = committed.as_slice() else {
            panic!("blocks are committed one after the other")
        };
        let (state, tip) = (self.ledger.state().clone(), *self.ledger.tip());
        self.pool.advance(state.clone(), tip.height, &committed.executed.changes);
        let executed = Arc::clone(&committed.executed);
        LedgerState { tip: Some(tip), state, executed, charter: self.charter }
    }

    pub fn oldest_pending(&self) -> Option<Digest> {
        self.pool.oldest_executable()
    }

    pub fn pending_count(&self) -> usize {
        self.pool.executable_count()
    }

    pub fn evidence_counts(&self, evidence: &Evidence) -> bool {
        self.ledger.evidence_counts(evidence)
    }
}
