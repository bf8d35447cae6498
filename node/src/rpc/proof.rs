//! Namespace `proof`: what outsiders can check with the genesis alone.

use std::sync::Arc;

use chain::codec;
use chain::light::{Claim, FinalBlock, Lineage, Proof};
use chain::state::RecordKey;
use chain::transaction::Transaction;
use chain::types::{Digest, Epoch};
use jsonrpsee::core::{RpcResult, async_trait};
use node_api::block::Finality;
use node_api::proof::{ProofApiServer, ProofFile, Subject};
use node_api::{ApiError, ErrorCode, HexBytes};

use super::{Context, errors, kv};
use crate::chain_view::{ChainView, TxStatus};
use crate::storage::{StoreError, TxLocation};

pub(super) struct ProofRpc(pub(super) Arc<Context>);

#[async_trait]
impl ProofApiServer for ProofRpc {
    async fn get(&self, subject: Subject, auth: Option<HexBytes>) -> RpcResult<ProofFile> {
        let token = kv::token(&self.0, auth.as_ref())?;
        let Context { identity, view, .. } = self.0.as_ref();
        if identity.finality == Finality::CrashFinal {
            return Err(errors::not_found(format!(
                "{} has no certificates: what it calls final cannot be proven to outsiders",
                identity.engine
            ))
            .into());
        }
        let chain_id = identity.chain_id;
        let found = match &subject {
            Subject::Transaction(hash) => Some(locate(view, hash).await?),
            _ => None,
        };
        let prove = move |view: &ChainView| {
            let claim = match (subject, found) {
                (_, Some(location)) => transaction(view, &location),
                (Subject::Evidence(hash), None) => equivocation(view, &chain_id, &hash),
                (subject, None) => record(view, record_key(subject)?),
            }?;
            if let Some(key) = key_of(&claim) {
                kv::may_read(&view.head().state, key, token.as_ref())?;
            }
            let epoch = claim.epoch();
            file(&Proof { chain_id, claim, lineage: lineage(view, epoch)? })
        };
        Ok(view.read(prove).await?)
    }
}

async fn locate(view: &ChainView, hash: &Digest) -> Result<TxLocation, ApiError> {
    match view.transaction(hash).await.map_err(|error| errors::store(&error))? {
        TxStatus::Final(location) => Ok(location),
        TxStatus::Ordered { height, .. } => Err(errors::not_found(format!(
            "transaction {hash} is ordered in block {height} and not final yet: nothing is proven \
             of it before"
        ))),
        TxStatus::Unknown => {
            Err(errors::not_found(format!("no transaction {hash} in a final block here")))
        }
    }
}

fn transaction(view: &ChainView, at: &TxLocation) -> Result<Claim, ApiError> {
    let missing = || missing(&format!("block {} or its receipts", at.height));
    let block = view.block_at(at.height).map_err(store)?.ok_or_else(missing)?;
    let receipts = view.receipts(at.height).map_err(store)?.ok_or_else(missing)?;
    let proof = view.proof(at.height).map_err(store)?.ok_or_else(missing)?;
    Claim::transaction(&block, proof.into(), &receipts, at.index as usize).ok_or_else(missing)
}

/// What the state after the last final block holds. That block always has a proof: it is the last
/// of a commit.
fn record(view: &ChainView, key: RecordKey) -> Result<Claim, ApiError> {
    let head = view.head();
    let none = || errors::not_found("the chain has no block yet, and the genesis needs no proof");
    let header = head.header.clone().ok_or_else(none)?;
    let unproven = || missing(&format!("the proof of block {}", head.height));
    let proof = view.proof(head.height).map_err(store)?.ok_or_else(unproven)?;
    Ok(Claim::record(FinalBlock { header, finality: proof.into() }, &head.state, key))
}

/// The key of the key-value store that a claim tells of.
fn key_of(claim: &Claim) -> Option<&[u8]> {
    match claim {
        Claim::Transaction { transaction: Transaction::Signed(signed), .. } => {
            signed.payload.body.key()
        }
        Claim::Record { key: RecordKey::Entry(key), .. } => Some(key),
        _ => None,
    }
}

fn record_key(subject: Subject) -> Result<RecordKey, ApiError> {
    match subject {
        Subject::Account(address) => Ok(RecordKey::Account(address)),
        Subject::Key(key) => {
            super::kv::check_key("key", &key)?;
            Ok(RecordKey::Entry(key.0))
        }
        Subject::Validators(epoch) => Ok(RecordKey::Validators(epoch)),
        Subject::Record(key) => codec::decode(&key.0)
            .map_err(|error| errors::invalid(format!("record is not the key of one: {error}"))),
        Subject::Transaction(_) | Subject::Evidence(_) => {
            Err(errors::invalid("a transaction or evidence is no record of the state"))
        }
    }
}

fn equivocation(view: &ChainView, chain_id: &Digest, hash: &Digest) -> Result<Claim, ApiError> {
    let all = view.evidence().map_err(store)?;
    let found = all.into_iter().map(|found| found.evidence).find(|one| one.hash(chain_id) == *hash);
    let evidence =
        found.ok_or_else(|| errors::not_found(format!("no evidence {hash} in a final block")))?;
    let set = view.validators(evidence.epoch());
    let accused = set.as_ref().and_then(|set| set.get(evidence.accused()));
    let accused = accused.ok_or_else(|| missing("who is accused"))?.consensus_key;
    Ok(Claim::Equivocation { accused, evidence })
}

fn lineage(view: &ChainView, epoch: Epoch) -> Result<Lineage, ApiError> {
    view.lineage(epoch).map_err(store)?.ok_or_else(|| missing("the changes of the validator set"))
}

fn file(proof: &Proof) -> Result<ProofFile, ApiError> {
    let file = proof.to_json();
    if file.len() > Proof::MAX_FILE_BYTES {
        let (len, most) = (file.len(), Proof::MAX_FILE_BYTES);
        let problem = format!("the proof would have {len} bytes, and files have at most {most}");
        return Err(ApiError::new(ErrorCode::TooLarge, problem));
    }
    Ok(ProofFile { file })
}

fn store(error: StoreError) -> ApiError {
    errors::store(&error)
}

/// A part of the chain that the store should hold and does not.
fn missing(what: &str) -> ApiError {
    errors::not_found(format!("this node does not have {what}: ask another"))
}
