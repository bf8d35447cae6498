//! Execution reduced to what consensus can see: a state root that depends on every block, nonces
//! that make a transaction execute once, barriers that jail whoever was caught, and transactions
//! that change the validator set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chain::block::{BlockKind, SealedBlock};
use chain::crypto::{PublicKey, Verifier};
use chain::evidence::Evidence;
use chain::transaction::{SignedTransaction, Transaction};
use chain::types::{Digest, Epoch, Height, View};
use chain::validator::ValidatorSet;
use consensus::application::{BuildKind, BuildRequest, BuiltPayload, Executed, InvalidBlock};
use sha2::{Digest as _, Sha256};

use super::change::Change;
use crate::signatures::SignatureRule;

/// Most transactions in one block.
pub(crate) const MAX_TRANSACTIONS: usize = 64;

/// Everything that the blocks so far have changed.
#[derive(Clone, Debug)]
pub struct HashChainState {
    root: Digest,
    timestamp_ms: u64,
    /// Transactions executed per sender.
    nonces: BTreeMap<PublicKey, u64>,
    /// The sets of all epochs so far, each with its hash: evidence is judged by the set of its own.
    sets: Arc<Vec<(ValidatorSet, Digest)>>,
}

impl HashChainState {
    pub fn genesis(validators: ValidatorSet, chain_id: &Digest) -> Self {
        let hash = validators.hash(chain_id);
        Self {
            root: Digest::ZERO,
            timestamp_ms: 0,
            nonces: BTreeMap::new(),
            sets: Arc::new(vec![(validators, hash)]),
        }
    }

    pub fn root(&self) -> Digest {
        self.root
    }

    pub fn validators(&self) -> &ValidatorSet {
        &self.newest().0
    }

    fn newest(&self) -> &(ValidatorSet, Digest) {
        self.sets.last().expect("genesis has a validator set")
    }

    /// The set of an epoch with its hash.
    fn set_of(&self, epoch: Epoch) -> Option<&(ValidatorSet, Digest)> {
        self.sets.iter().rev().find(|(set, _)| set.epoch == epoch)
    }

    fn nonce(&self, sender: &PublicKey) -> u64 {
        self.nonces.get(sender).copied().unwrap_or(0)
    }

    /// The set that a change makes of the newest one, in a block of this view.
    fn changed(&self, change: &Change, view: View) -> Option<ValidatorSet> {
        change.apply(self.validators(), &self.sets[0].0, view)
    }

    fn counts(&self, evidence: &Evidence, chain_id: &Digest, verifier: &dyn Verifier) -> bool {
        let Some((set, _)) = self.set_of(evidence.epoch()) else {
            return false;
        };
        let Some(accused) = set.get(evidence.accused()) else {
            return false;
        };
        let current = self.validators();
        let Some(now) = current.index_of(&accused.consensus_key).and_then(|i| current.get(i))
        else {
            return false;
        };
        !now.accused && evidence.epoch() >= now.since && evidence.verify(chain_id, set, verifier)
    }

    /// The set after a barrier of this view with evidence against these validators, and the change
    /// that was asked for.
    fn next_set(
        &self,
        accused: &BTreeSet<PublicKey>,
        changed: Option<ValidatorSet>,
        view: View,
    ) -> ValidatorSet {
        let mut set = changed.unwrap_or_else(|| self.validators().successor(view));
        let mut jailed = set.members().filter(|(_, validator)| validator.jailed).count();
        for key in accused {
            let may_jail = jailed < usize::from(set.max_faulty);
            let Some(validator) = set.index_of(key).and_then(|index| set.get_mut(index)) else {
                continue;
            };
            validator.accused = true;
            if may_jail {
                validator.jailed = true;
                jailed += 1;
            }
        }
        set
    }
}

/// An executed block that is not final.
#[derive(Clone, Debug)]
struct Overlay {
    parent: Digest,
    state: HashChainState,
    verdict: Executed,
}

/// Where a block stands.
struct Place {
    height: Height,
    view: View,
    timestamp_ms: u64,
    seal: bool,
}

/// A transaction whose signature was found good.
#[derive(Clone, Debug)]
struct Waiting {
    transaction: SignedTransaction,
    hash: Digest,
}

/// What a block does, independent of who asks.
struct Outcome {
    kind: BlockKind,
    transactions_root: Digest,
    /// Its newest set is the next epoch's, where the block is a barrier.
    state: HashChainState,
}

impl Outcome {
    fn next_validators(&self) -> Option<ValidatorSet> {
        (self.kind == BlockKind::Barrier).then(|| self.state.validators().clone())
    }
}

/// The chain's state and what is executed on top of it.
#[derive(Clone, Debug)]
pub struct HashChain {
    chain_id: Digest,
    rule: SignatureRule,
    final_hash: Digest,
    state: HashChainState,
    overlays: BTreeMap<Digest, Overlay>,
    /// Waiting transactions in the order they came.
    pool: BTreeMap<u64, Waiting>,
    known: BTreeMap<(PublicKey, u64), u64>,
    arrivals: u64,
    now_ms: u64,
}

impl HashChain {
    pub fn new(
        chain_id: Digest,
        rule: SignatureRule,
        state: HashChainState,
        final_hash: Digest,
    ) -> Self {
        Self {
            chain_id,
            rule,
            final_hash,
            state,
            overlays: BTreeMap::new(),
            pool: BTreeMap::new(),
            known: BTreeMap::new(),
            arrivals: 0,
            now_ms: 0,
        }
    }

    pub fn set_time(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
    }

    pub fn submit(&mut self, transaction: &SignedTransaction) -> bool {
        let place = (transaction.payload.sender, transaction.payload.nonce);
        let fresh = place.1 >= self.state.nonce(&place.0)
            && !self.known.contains_key(&place)
            && transaction.verify_signature(self.rule.verifier().as_ref());
        if fresh {
            self.known.insert(place, self.arrivals);
            let (transaction, hash) = (transaction.clone(), transaction.hash());
            self.pool.insert(self.arrivals, Waiting { transaction, hash });
            self.arrivals += 1;
        }
        fresh
    }

    fn state_of(&self, block: &Digest) -> &HashChainState {
        if *block == self.final_hash {
            return &self.state;
        }
        &self
            .overlays
            .get(block)
            .unwrap_or_else(|| panic!("engine broke its contract: {block:?} was never executed"))
            .state
    }

    pub fn build(&mut self, request: &BuildRequest) -> BuiltPayload {
        let parent = self.state_of(&request.parent).clone();
        let mut transactions: Vec<Transaction> = Vec::new();
        let mut hashes = Vec::new();
        if request.kind == BuildKind::Ordinary {
            let verifier = self.rule.verifier();
            let mut accused = BTreeSet::new();
            for evidence in &request.evidence {
                if parent.counts(evidence, &self.chain_id, verifier.as_ref())
                    && accused.insert(evidence.accused())
                {
                    transactions.push(Transaction::Evidence(Box::new(evidence.clone())));
                    hashes.push(evidence.hash(&self.chain_id));
                }
            }
            let mut nonces = parent.nonces.clone();
            let mut changes = false;
            for waiting in self.pool.values() {
                if transactions.len() >= MAX_TRANSACTIONS {
                    break;
                }
                let payload = &waiting.transaction.payload;
                let nonce = nonces.entry(payload.sender).or_default();
                let change = Change::of(&payload.body).is_some();
                if *nonce == payload.nonce && !(change && changes) {
                    changes |= change;
                    *nonce += 1;
                    transactions.push(Transaction::Signed(waiting.transaction.clone()));
                    hashes.push(waiting.hash);
                }
            }
        }
        let timestamp_ms = self.now_ms.max(parent.timestamp_ms + 1);
        let place = Place {
            height: request.height,
            view: request.view,
            timestamp_ms,
            seal: request.kind == BuildKind::Seal,
        };
        let outcome = self
            .apply(&parent, &place, &transactions, &hashes)
            .expect("a block is built from what applies");
        BuiltPayload {
            kind: outcome.kind,
            timestamp_ms,
            transactions_root: outcome.transactions_root,
            receipts_root: Digest::ZERO,
            state_root: outcome.state.root,
            next_validators_hash: outcome.state.newest().1,
            transactions,
        }
    }

    pub fn execute(&mut self, block: &SealedBlock) -> Result<Executed, InvalidBlock> {
        if let Some(known) = self.overlays.get(&block.hash()) {
            return Ok(known.verdict.clone());
        }
        let header = &block.header;
        let parent = self.state_of(&header.parent).clone();
        let refuse = |why: &str| Err(InvalidBlock(why.to_owned()));
        if header.timestamp_ms <= parent.timestamp_ms {
            return refuse("the time is not after the parent's");
        }
        let place = Place {
            height: header.height,
            view: header.view,
            timestamp_ms: header.timestamp_ms,
            seal: header.kind == BlockKind::Seal,
        };
        let outcome = self
            .apply(&parent, &place, &block.transactions, block.transaction_hashes())
            .map_err(|why| InvalidBlock(why.to_owned()))?;
        if outcome.kind != header.kind {
            return refuse("the kind is wrong");
        }
        if outcome.transactions_root != header.transactions_root {
            return refuse("the transactions root is wrong");
        }
        if outcome.state.root != header.state_root || header.receipts_root != Digest::ZERO {
            return refuse("the state root is wrong");
        }
        let voting = parent.set_of(header.epoch);
        if voting.map(|(_, hash)| *hash) != Some(header.validators_hash)
            || header.next_validators_hash != outcome.state.newest().1
        {
            return refuse("a validator set's hash is wrong");
        }
        let next_validators = outcome.next_validators();
        let verdict = Executed { next_validators, early: Duration::ZERO };
        self.overlays.insert(
            block.hash(),
            Overlay { parent: header.parent, state: outcome.state, verdict: verdict.clone() },
        );
        Ok(verdict)
    }

    /// What transactions with these hashes do on top of a parent.
    fn apply(
        &self,
        parent: &HashChainState,
        place: &Place,
        transactions: &[Transaction],
        hashes: &[Digest],
    ) -> Result<Outcome, &'static str> {
        if transactions.len() > MAX_TRANSACTIONS {
            return Err("too many transactions");
        }
        let mut state = parent.clone();
        let (mut accused, mut changes, mut changed) = (BTreeSet::new(), false, None);
        for transaction in transactions {
            match transaction {
                Transaction::Signed(signed) => {
                    self.check(signed, place.height)?;
                    let payload = &signed.payload;
                    let nonce = state.nonces.entry(payload.sender).or_default();
                    if *nonce != payload.nonce {
                        return Err("a transaction's nonce is wrong");
                    }
                    *nonce += 1;
                    if let Some(change) = Change::of(&payload.body) {
                        if std::mem::replace(&mut changes, true) {
                            return Err("two changes of the validator set");
                        }
                        changed = parent.changed(&change, place.view);
                    }
                }
                Transaction::Evidence(evidence) => {
                    let key = parent
                        .set_of(evidence.epoch())
                        .and_then(|(set, _)| set.get(evidence.accused()))
                        .map(|validator| validator.consensus_key);
                    let verifier = self.rule.verifier();
                    let counts = parent.counts(evidence, &self.chain_id, verifier.as_ref());
                    if !counts || !key.is_some_and(|key| accused.insert(key)) {
                        return Err("evidence does not count");
                    }
                }
            }
        }
        let transactions_root = chain::merkle::List::Transactions.root(hashes);
        state.timestamp_ms = place.timestamp_ms;
        if place.seal {
            let kind = BlockKind::Seal;
            let outcome = Outcome { kind, transactions_root, state };
            let empty = transactions.is_empty();
            return if empty { Ok(outcome) } else { Err("a seal carries transactions") };
        }
        let mut root = Sha256::new();
        root.update(parent.root.0);
        root.update(place.height.get().to_le_bytes());
        root.update(transactions_root.0);
        state.root = Digest(root.finalize().into());
        let kind = if accused.is_empty() && changed.is_none() {
            BlockKind::Ordinary
        } else {
            let next = parent.next_set(&accused, changed, place.view);
            let hash = next.hash(&self.chain_id);
            Arc::make_mut(&mut state.sets).push((next, hash));
            BlockKind::Barrier
        };
        Ok(Outcome { kind, transactions_root, state })
    }

    /// Whether a transaction is one of this chain, now, by its sender.
    fn check(&self, signed: &SignedTransaction, height: Height) -> Result<(), &'static str> {
        let payload = &signed.payload;
        if payload.chain_id != self.chain_id || payload.expiry < height {
            return Err("a transaction is not for this chain and height");
        }
        let arrival = self.known.get(&(payload.sender, payload.nonce));
        let waiting = arrival.and_then(|arrival| self.pool.get(arrival));
        let verified = waiting.is_some_and(|waiting| waiting.transaction == *signed);
        if !verified && !signed.verify_signature(self.rule.verifier().as_ref()) {
            return Err("a transaction's signature is wrong");
        }
        Ok(())
    }

    /// Makes an executed child of the last final block final; gives the state after it.
    pub fn commit(&mut self, block: &SealedBlock) -> HashChainState {
        let hash = block.hash();
        assert_eq!(block.header.parent, self.final_hash, "final blocks form one chain");
        assert_ne!(block.header.kind, BlockKind::Seal, "a seal is never part of the chain");
        self.state = self.state_of(&hash).clone();
        self.final_hash = hash;
        self.forget_abandoned();
        let state = &self.state;
        self.pool.retain(|_, waiting| {
            let payload = &waiting.transaction.payload;
            payload.nonce >= state.nonce(&payload.sender)
        });
        self.known.retain(|(sender, nonce), _| *nonce >= state.nonce(sender));
        self.state.clone()
    }

    fn forget_abandoned(&mut self) {
        let mut kept = BTreeSet::new();
        loop {
            let before = kept.len();
            for (hash, overlay) in &self.overlays {
                if overlay.parent == self.final_hash || kept.contains(&overlay.parent) {
                    kept.insert(*hash);
                }
            }
            if kept.len() == before {
                break;
            }
        }
        self.overlays.retain(|hash, _| kept.contains(hash));
    }

    pub fn oldest_pending(&self) -> Option<Digest> {
        self.pool
            .values()
            .find(|waiting| {
                let payload = &waiting.transaction.payload;
                payload.nonce == self.state.nonce(&payload.sender)
            })
            .map(|waiting| waiting.hash)
    }

    pub fn pending_count(&self) -> usize {
        self.pool.len()
    }

    pub fn evidence_counts(&self, evidence: &Evidence) -> bool {
        self.state.counts(evidence, &self.chain_id, self.rule.verifier().as_ref())
    }
}
