//! The answers of a node, each checked by what it proves.
//!
//! What is shown is what is proven. Where the node said something else of the very same block, it
//! lied, and that is told.

use chain::access::{Role, Roles};
use chain::light::ProvenBlock;
use chain::receipt::Outcome as Executed;
use chain::state::{Account as AccountRecord, Entry, RecordKey, RecordValue};
use chain::types::{Address, Digest, Height};
use chain::validator::ValidatorSet;
use node_api::HexBytes;
use node_api::account::Account;
use node_api::chain::ValidatorList;
use node_api::kv::KvEntry;
use node_api::proof::Subject;
use node_api::transaction::{TxState, TxStatus};

use super::{Proven, Verification, unproven};
use crate::connection::Node;
use crate::failure::{Failure, Outcome};

impl Verification {
    /// What an account owns. The nonce for its next transaction stays the node's word.
    pub(crate) async fn account(
        &self,
        node: &Node,
        address: Address,
        said: Account,
    ) -> Outcome<(Account, ProvenBlock)> {
        if said.address != address {
            return Err(other());
        }
        let key = RecordKey::Account(address);
        let Proven { value, block } = self.record(node, Subject::Account(address), &key).await?;
        let proven = match value {
            Some(RecordValue::Account(account)) => account,
            _ => AccountRecord::default(),
        };
        let same = (said.balance, said.nonce) == (proven.balance, proven.nonce);
        if said.height == block.height && !same {
            return Err(lied(&format!(
                "{address} owns {} and has nonce {}",
                proven.balance, proven.nonce
            )));
        }
        let account = Account {
            balance: proven.balance,
            nonce: proven.nonce,
            next_nonce: said.next_nonce.max(proven.nonce),
            key: proven.key,
            height: block.height,
            ..said
        };
        Ok((account, block))
    }

    /// The roles of an address.
    pub(crate) async fn roles(&self, node: &Node, address: Address) -> Outcome<Vec<Role>> {
        let key = RecordKey::Roles(address);
        let subject = Subject::Record(HexBytes(chain::codec::encode(&key)));
        let roles = match self.record(node, subject, &key).await?.value {
            Some(RecordValue::Roles(roles)) => roles,
            _ => Roles::default(),
        };
        Ok(Role::ALL.into_iter().filter(|role| roles.has(*role)).collect())
    }

    /// What a key holds, where the node said that it holds `said` after block `height`.
    pub(crate) async fn entry(
        &self,
        node: &Node,
        key: &HexBytes,
        said: Option<&HexBytes>,
        height: Height,
    ) -> Outcome<Proven<Option<Entry>>> {
        let record = RecordKey::Entry(key.0.clone());
        let Proven { value, block } = self.record(node, Subject::Key(key.clone()), &record).await?;
        let entry = match value {
            Some(RecordValue::Entry(entry)) => Some(entry),
            _ => None,
        };
        let same = said.map(|said| &said.0) == entry.as_ref().map(|entry| &entry.value);
        if height == block.height && !same {
            return Err(lied(&format!("the key {key} holds something else")));
        }
        Ok(Proven { value: entry, block })
    }

    /// Entries that the node listed, as they are now; without those that are gone. Whether it left
    /// some out cannot be proven.
    pub(crate) async fn entries(
        &self,
        node: &Node,
        prefix: &[u8],
        listed: Vec<KvEntry>,
        height: Height,
    ) -> Outcome<Vec<KvEntry>> {
        if listed.iter().any(|entry| !entry.key.0.starts_with(prefix)) {
            return Err(other());
        }
        let mut entries = Vec::new();
        for KvEntry { key, value, .. } in listed {
            let proven = self.entry(node, &key, Some(&value), height).await?;
            if let Some(entry) = proven.value {
                let version = entry.version;
                entries.push(KvEntry { key, value: HexBytes(entry.value), version });
            }
        }
        Ok(entries)
    }

    /// What became of a transaction, where that is settled; nothing else can be proven.
    pub(crate) async fn tx_status(
        &self,
        node: &Node,
        hash: Digest,
        said: &TxStatus,
    ) -> Outcome<Option<ProvenBlock>> {
        if said.hash != hash {
            return Err(other());
        }
        if !said.status.is_settled() {
            return Ok(None);
        }
        let Proven { value: (index, receipt), block } = self.transaction(node, hash).await?;
        let place = (said.height, said.block, said.index);
        if place != (Some(block.height), Some(block.hash), Some(index)) {
            return Err(lied(&format!("the transaction is in block {}", block.height)));
        }
        let (state, version, code) = match receipt.outcome {
            Executed::Success => (TxState::Final, None, None),
            Executed::Written { version } => (TxState::Final, Some(version), None),
            Executed::Failed(reason) => (TxState::Failed, None, Some(reason.code())),
        };
        let said_code = said.receipt.as_ref().and_then(|receipt| receipt.code.as_deref());
        let said_ok = said.receipt.as_ref().is_some_and(|receipt| receipt.ok);
        let said_version = said.receipt.as_ref().and_then(|receipt| receipt.version);
        let ok = state == TxState::Final;
        if (said.status, said_ok, said_version, said_code) != (state, ok, version, code) {
            let done = code.unwrap_or("had its effect");
            return Err(lied(&format!("the transaction's receipt says: {done}")));
        }
        Ok(Some(block))
    }

    /// Who validates the current epoch. Who leads, signed and is connected stays the node's word.
    pub(crate) async fn validators(
        &self,
        node: &Node,
        said: &ValidatorList,
    ) -> Outcome<ProvenBlock> {
        let current = Subject::Record(HexBytes(chain::codec::encode(&RecordKey::Chain)));
        let Proven { value, block } = self.record(node, current, &RecordKey::Chain).await?;
        let Some(RecordValue::Chain(chain)) = value else {
            return Err(unproven("the node proved that the chain has no epoch"));
        };
        if said.epoch > chain.epoch {
            // The epoch turned meanwhile; whoever votes in it is proven all the same.
            return self.check_set(node, said).await;
        }
        if said.epoch < chain.epoch {
            return Err(lied(&format!("the current epoch is {}", chain.epoch)));
        }
        self.check_set(node, said).await?;
        Ok(block)
    }

    async fn check_set(&self, node: &Node, said: &ValidatorList) -> Outcome<ProvenBlock> {
        let key = RecordKey::Validators(said.epoch);
        let Proven { value, block } =
            self.record(node, Subject::Validators(said.epoch), &key).await?;
        match value {
            Some(RecordValue::Validators(set)) if says(said, &set) => Ok(block),
            Some(_) => Err(lied(&format!("the validators of epoch {} are others", said.epoch))),
            None => Err(lied(&format!("no epoch {} has begun", said.epoch))),
        }
    }
}

/// Whether a list shows exactly this set.
fn says(said: &ValidatorList, set: &ValidatorSet) -> bool {
    let listed = said.validators.iter().map(|one| {
        let keys = (one.consensus_key, one.network_key, one.governance_key);
        (one.index, keys, one.jailed, one.accused, one.since)
    });
    let members = set.members().map(|(index, one)| {
        let keys = (one.consensus_key, one.network_key, one.governance_key);
        (index, keys, one.jailed, one.accused, one.since)
    });
    said.first_view == set.first_view && said.quorums == set.quorums() && listed.eq(members)
}

fn other() -> Failure {
    unproven("the node answered something else than it was asked")
}

fn lied(truth: &str) -> Failure {
    unproven(format!("the node's answer is not what it proves: {truth}"))
}
