//! What the fake node knows: accounts, keys and transactions.

use std::collections::BTreeMap;

use chain::block::{BlockKind, Header, Mode};
use chain::crypto::{Ed25519, PublicKey, Verifier as _};
use chain::mempool::MempoolLimits;
use chain::namespace::{Namespace, NamespaceAction};
use chain::receipt::FailureReason;
use chain::state::Entry;
use chain::transaction::{Body, SignedTransaction, key_rotation_digest};
use chain::types::{Address, Digest, Epoch, Height, ValidatorIndex, View};
use jsonrpsee::server::ServerHandle;
use node_api::block::Finality;
use node_api::kv::{Cursor, KvChange};
use node_api::transaction::{Receipt, TxState, TxStatus};
use node_api::{ApiError, ErrorCode, HexBytes};

use super::governance::Governance;
use super::{CHAIN, Fate};

#[derive(Default)]
pub(super) struct Ledger {
    pub(super) fate: Fate,
    pub(super) height: u64,
    pub(super) balances: BTreeMap<Address, u128>,
    pub(super) nonces: BTreeMap<Address, u64>,
    /// Keys that sign instead of those that addresses are made from.
    pub(super) keys: BTreeMap<Address, PublicKey>,
    pub(super) governance: Governance,
    pub(super) store: BTreeMap<Vec<u8>, Entry>,
    pub(super) namespaces: BTreeMap<Vec<u8>, Namespace>,
    /// Of the keys, oldest first.
    pub(super) changes: Vec<KvChange>,
    pub(super) transactions: BTreeMap<Digest, (TxStatus, SignedTransaction)>,
    pub(super) submitted: Vec<SignedTransaction>,
    /// The server itself, if it is to stop once it has sent the blocks that somebody watches.
    pub(super) stop_after_watch: Option<ServerHandle>,
}

impl Ledger {
    pub(super) fn take(&mut self, bytes: &HexBytes) -> Result<Digest, ApiError> {
        let transaction: SignedTransaction = chain::codec::decode(&bytes.0)
            .map_err(|error| refuse(ErrorCode::Malformed, &error.to_string()))?;
        transaction
            .check_form(&CHAIN)
            .map_err(|error| refuse(ErrorCode::OtherChain, &error.to_string()))?;
        if !transaction.verify_signature(&Ed25519) {
            return Err(refuse(ErrorCode::BadSignature, "the signature does not match"));
        }
        let sender = transaction.sender();
        let key = self.keys.get(&sender).map_or(sender, PublicKey::address);
        if key != transaction.payload.sender.address() {
            return Err(refuse(ErrorCode::BadSignature, "this key does not sign for the account"));
        }
        let nonce = self.nonces.entry(sender).or_default();
        if transaction.payload.nonce < *nonce {
            return Err(refuse(ErrorCode::BadNonce, "the nonce was used before"));
        }
        let spent = match &transaction.payload.body {
            Body::Transfer { amount, .. } => amount.get(),
            _ => 0,
        };
        if self.balances.get(&sender).copied().unwrap_or(0) < spent {
            return Err(refuse(ErrorCode::InsufficientBalance, "the balance is too small"));
        }
        if transaction.payload.expiry.get() > self.height + MempoolLimits::LIFETIME {
            return Err(refuse(ErrorCode::ExpiryTooFar, "it expires too far ahead"));
        }
        *nonce += 1;
        self.submitted.push(transaction.clone());
        let hash = transaction.hash();
        self.settle(hash, transaction);
        Ok(hash)
    }

    fn settle(&mut self, hash: Digest, transaction: SignedTransaction) {
        self.height += 1;
        let mut status = TxStatus::outside(hash, TxState::Pending);
        status.height = Some(Height::new(self.height));
        status.block = Some(Digest([self.height as u8; 32]));
        status.index = Some(0);
        let refused = Receipt {
            ok: false,
            version: None,
            code: Some("insufficient_balance".into()),
            reason: Some("the sender owns less".into()),
        };
        (status.status, status.receipt) = match self.fate {
            Fate::Final => match self.apply(&transaction) {
                Ok(()) => {
                    let receipt = Receipt { ok: true, version: None, code: None, reason: None };
                    (TxState::Final, Some(receipt))
                }
                Err(reason) => {
                    let (code, reason) = (reason.code().into(), reason.to_string());
                    let receipt = Receipt {
                        ok: false,
                        version: None,
                        code: Some(code),
                        reason: Some(reason),
                    };
                    (TxState::Failed, Some(receipt))
                }
            },
            Fate::Ordered => (TxState::Ordered, None),
            Fate::Failed => (TxState::Failed, Some(refused)),
            Fate::Pending => {
                status = TxStatus::outside(hash, TxState::Pending);
                (TxState::Pending, None)
            }
            Fate::Expired => {
                self.height = transaction.payload.expiry.get() + 1;
                status = TxStatus::outside(hash, TxState::Unknown);
                (TxState::Unknown, None)
            }
        };
        status.finality = status.status.is_settled().then_some(Finality::CrashFinal);
        self.transactions.insert(hash, (status, transaction));
    }

    fn apply(&mut self, transaction: &SignedTransaction) -> Result<(), FailureReason> {
        match &transaction.payload.body {
            Body::Transfer { to, amount, .. } => {
                *self.balances.entry(transaction.sender()).or_default() -= amount.get();
                *self.balances.entry(*to).or_default() += amount.get();
            }
            Body::Put { key, value } | Body::CompareAndSwap { key, value, .. } => {
                let before = self.store.get(key).map_or(0, |entry| entry.version);
                let entry = Entry { value: value.clone(), version: before + 1 };
                self.note_change(transaction.hash(), key, Some(&entry));
                self.store.insert(key.clone(), entry);
            }
            Body::Delete { key } => {
                self.note_change(transaction.hash(), key, None);
                self.store.remove(key);
            }
            Body::RotateKey { new_key, possession } => {
                let account = transaction.sender();
                let digest = key_rotation_digest(&CHAIN, &account);
                if !Ed25519.verify(new_key, &digest, possession) {
                    return Err(FailureReason::KeyNotProven);
                }
                self.keys.insert(account, *new_key);
            }
            Body::Governance(action) => {
                self.governance.apply(action, transaction.sender(), self.height)?;
            }
            Body::Namespace(action) => {
                let owner = transaction.sender();
                let changed = match action {
                    NamespaceAction::Create { rules, .. }
                    | NamespaceAction::SetRules { rules, .. } => {
                        Namespace { owner, rules: rules.clone() }
                    }
                    NamespaceAction::Transfer { name, owner } => {
                        Namespace { owner: *owner, ..self.namespaces[name].clone() }
                    }
                };
                self.namespaces.insert(action.name().to_vec(), changed);
            }
        }
        Ok(())
    }

    fn note_change(&mut self, transaction: Digest, key: &[u8], entry: Option<&Entry>) {
        let height = Height::new(self.height);
        self.changes.push(KvChange {
            cursor: Cursor { height, index: 1 },
            height,
            transaction,
            key: HexBytes(key.to_vec()),
            value: entry.map(|entry| HexBytes(entry.value.clone())),
            version: entry.map(|entry| entry.version),
        });
    }

    pub(super) fn header(&self, height: u64) -> Header {
        Header {
            chain_id: CHAIN,
            epoch: Epoch::new(0),
            view: View::new(3),
            height: Height::new(height),
            mode: Mode::Fast,
            kind: BlockKind::Ordinary,
            parent: Digest([height as u8 - 1; 32]),
            proposer: ValidatorIndex::new(3),
            timestamp_ms: 1_750_000_000_000 + height,
            transactions_root: Digest::ZERO,
            receipts_root: Digest::ZERO,
            state_root: Digest([0xaa; 32]),
            validators_hash: Digest::ZERO,
            next_validators_hash: Digest::ZERO,
            justification_hash: Digest::ZERO,
        }
    }
}

pub(super) fn refuse(code: ErrorCode, message: &str) -> ApiError {
    ApiError::new(code, message)
}
