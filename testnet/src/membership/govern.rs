//! Decisions of the validators: the testnet holds all their governance keys.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chain::codec;
use chain::crypto::{Keypair, PublicKey};
use chain::governance::{Change, GovernanceAction, KeyKind, ProposalId};
use chain::transaction::{Body, SignedTransaction};
use chain::types::{Digest, Height};
use jsonrpsee::http_client::HttpClient;
use node_api::chain::ValidatorInfo;
use node_api::governance::{ProposalFilter, ProposalInfo, ProposalState};
use node_api::transaction::TxStatus;
use node_api::tx::Wait;
use node_api::{
    AccountApiClient, ApiError, ChainApiClient, GovernanceApiClient, HexBytes, TxApiClient,
};

use crate::cluster::Cluster;
use crate::cluster::manifest::NodeEntry;
use crate::live::until;
use crate::rpc;
use crate::transfer::{LIFETIME, Slot};

/// How long a decision may take to become final, whoever is killed meanwhile.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one node is waited for before another is asked.
const ONE_NODE: Duration = Duration::from_secs(2);

/// A validator whose governance key the testnet holds.
struct Voter {
    /// Number of its node.
    id: usize,
    consensus_key: PublicKey,
    key: Keypair,
}

/// The chain executed a transaction and refused what it asked for.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Stable name of the reason, like `no_slack`.
    pub code: String,
    pub reason: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {}

impl Refusal {
    /// Whether the same may be taken a moment later: members come back, epochs begin.
    pub fn may_pass_later(error: &anyhow::Error) -> bool {
        let refusal = error.downcast_ref::<Self>();
        refusal.is_some_and(|refusal| ["no_slack", "change_in_flight"].contains(&&*refusal.code))
    }
}

/// Has the validators propose and approve a change, until it needs no more approvals. `tell` hears
/// how it goes.
///
/// # Errors
/// Where the chain refuses, with its reason, or does not make it final in time.
pub async fn pass(
    cluster: &Cluster,
    change: &Change,
    mut tell: impl FnMut(String),
) -> anyhow::Result<ProposalInfo> {
    let voters = voters(cluster).await?;
    let proposer = voters.first().context("the testnet holds no validator's governance key")?;
    let propose = GovernanceAction::Propose { change: change.clone() };
    send(cluster, &proposer.key, propose).await.context("the proposal is refused")?;
    let mut proposal = newest_of(cluster, &proposer.consensus_key, change).await?;
    tell(format!(
        "proposal {} by validator {}: {} of {} approvals",
        proposal.id, proposer.id, proposal.counted, proposal.quorum
    ));
    for voter in &voters[1..] {
        if proposal.status != ProposalState::Open {
            break;
        }
        let approve = GovernanceAction::Approve { proposal: proposal.id };
        if let Err(refused) = send(cluster, &voter.key, approve).await {
            let withdraw = GovernanceAction::Withdraw { proposal: proposal.id };
            send(cluster, &proposer.key, withdraw).await?;
            return Err(refused.context(format!("proposal {} is refused", proposal.id)));
        }
        proposal = find(cluster, proposal.id).await?;
        tell(format!(
            "validator {} approves: {} of {}{}",
            voter.id,
            proposal.counted,
            proposal.quorum,
            match proposal.status {
                ProposalState::Executed => ", in force",
                ProposalState::AwaitsReady => ", waits for the new key's node",
                _ => "",
            }
        ));
    }
    match proposal.status {
        ProposalState::Executed | ProposalState::AwaitsReady => Ok(proposal),
        status => bail!("proposal {} ended as {status:?}", proposal.id),
    }
}

/// A proposal as the chain knows it now.
///
/// # Errors
/// Where no node answers, or there is none of this number.
pub async fn find(cluster: &Cluster, id: ProposalId) -> anyhow::Result<ProposalInfo> {
    ask(cluster, async |client| Ok(client.proposal(id).await?)).await
}

/// The validators of the newest epoch that any node tells of.
///
/// # Errors
/// Where no node answers.
pub async fn validators(cluster: &Cluster) -> anyhow::Result<Vec<ValidatorInfo>> {
    let list = ask(cluster, async |client| Ok(client.validators(None).await?)).await?;
    Ok(list.validators)
}

async fn voters(cluster: &Cluster) -> anyhow::Result<Vec<Voter>> {
    let validators = validators(cluster).await?;
    let mut voters = Vec::new();
    for node in cluster.manifest()?.nodes {
        let key = cluster.key(&node, KeyKind::Governance)?;
        let found = validators.iter().find(|validator| validator.governance_key == key.public());
        if let Some(validator) = found {
            voters.push(Voter { id: node.id, consensus_key: validator.consensus_key, key });
        }
    }
    Ok(voters)
}

async fn newest_of(
    cluster: &Cluster,
    proposer: &PublicKey,
    change: &Change,
) -> anyhow::Result<ProposalInfo> {
    let list =
        ask(cluster, async |client| Ok(client.proposals(Some(ProposalFilter::All)).await?)).await?;
    list.proposals
        .into_iter()
        .find(|proposal| proposal.proposer == *proposer && proposal.change == *change)
        .context("the proposal is final, but the chain does not list it")
}

/// Asks the node that is furthest, and others where that does not answer.
async fn ask<T>(
    cluster: &Cluster,
    question: impl AsyncFn(&HttpClient) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    until("a node that answers", PATIENCE, async || {
        for client in furthest(cluster).await? {
            match question(&client).await {
                Ok(answer) => return Ok(Some(answer)),
                Err(error) if is_answer(&error) => return Err(error),
                Err(_) => {}
            }
        }
        Ok(None)
    })
    .await
}

/// Whether a node answered, if only with an error.
fn is_answer(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<jsonrpsee::core::ClientError>();
    error.and_then(ApiError::from_client).is_some_and(|error| !error.code.is_transient())
}

/// Clients of the nodes that answer, the highest chain first.
async fn furthest(cluster: &Cluster) -> anyhow::Result<Vec<HttpClient>> {
    let nodes = cluster.manifest()?.nodes;
    let asked = nodes.iter().filter(|node| node.is_responsive()).map(async |node: &NodeEntry| {
        let client = rpc::http(node, ONE_NODE + rpc::PATIENCE).ok()?;
        let status = tokio::time::timeout(ONE_NODE, ChainApiClient::status(&client)).await;
        Some((status.ok()?.ok()?.height_final, client))
    });
    let mut clients: Vec<(Height, HttpClient)> =
        futures::future::join_all(asked).await.into_iter().flatten().collect();
    clients.sort_by_key(|(height, _)| std::cmp::Reverse(*height));
    Ok(clients.into_iter().map(|(_, client)| client).collect())
}

/// Has an action made final, through whichever node takes it.
async fn send(cluster: &Cluster, key: &Keypair, action: GovernanceAction) -> anyhow::Result<()> {
    let transaction = sign(cluster, key, action).await?;
    let (hash, bytes) = (transaction.hash(), codec::encode(&transaction));
    let deadline = Instant::now() + PATIENCE;
    loop {
        for client in furthest(cluster).await? {
            if let Some(status) = attempt(&client, hash, bytes.clone()).await? {
                let receipt = status.receipt.context("a settled transaction has a receipt")?;
                if receipt.ok {
                    return Ok(());
                }
                let (code, reason) = (receipt.code, receipt.reason);
                let (code, reason) = (code.unwrap_or_default(), reason.unwrap_or_default());
                return Err(Refusal { code, reason }.into());
            }
        }
        if Instant::now() >= deadline {
            bail!("transaction {hash} is not final after {} s", PATIENCE.as_secs());
        }
    }
}

async fn sign(
    cluster: &Cluster,
    key: &Keypair,
    action: GovernanceAction,
) -> anyhow::Result<SignedTransaction> {
    let chain_id = cluster.manifest()?.chain_id;
    let address = key.public().address();
    let account = ask(cluster, async |client| Ok(client.get(address).await?)).await?;
    let expiry = Height::new(account.height.get() + LIFETIME);
    let slot = Slot { chain_id, nonce: account.next_nonce, expiry };
    Ok(slot.sign(key, Body::Governance(action)))
}

/// Hands a transaction to one node and waits a little. `None` where that settles nothing.
///
/// # Errors
/// Where the node refuses the transaction for good.
async fn attempt(
    client: &HttpClient,
    hash: Digest,
    bytes: Vec<u8>,
) -> anyhow::Result<Option<TxStatus>> {
    let refused = match client.submit(HexBytes(bytes)).await {
        Ok(_) => None,
        Err(error) => ApiError::from_client(&error),
    };
    let patience = u64::try_from(ONE_NODE.as_millis()).ok();
    let status = TxApiClient::status(client, hash, Some(Wait::Final), patience).await.ok();
    let settled = status.filter(|status| status.status.is_settled());
    match refused {
        // A used nonce may be that of this very transaction, handed in through another node.
        Some(error) if settled.is_none() && !error.code.is_transient() => Err(error.into()),
        _ => Ok(settled),
    }
}
