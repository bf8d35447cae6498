//! What a proof says, in a sentence.

use super::{Claim, FinalBlock, Proof, is_within_a_view, signers_of_both};
use crate::crypto::PublicKey;
use crate::evidence::Evidence;
use crate::governance::{Change, GovernanceAction, Parameter, Proposal, ProposalStatus};
use crate::namespace::NamespaceAction;
use crate::receipt::Outcome;
use crate::state::{RecordKey, RecordValue};
use crate::transaction::{Body, Transaction};
use crate::types::Digest;
use crate::validator::ValidatorSet;

/// Most bytes of a key or a value that a sentence shows; the rest stands in the file.
const MAX_SHOWN: usize = 64;

impl Proof {
    /// What the proof says. True only if it [verifies](Self::verify).
    pub fn statement(&self) -> String {
        let chain = &self.chain_id;
        match &self.claim {
            Claim::Transaction { transaction, receipt, block, .. } => {
                let result = match &receipt.outcome {
                    Outcome::Success => "executed successfully".to_owned(),
                    Outcome::Written { version } => {
                        format!("executed successfully, writing version {version}")
                    }
                    Outcome::Failed(reason) => format!("without effect because {reason}"),
                };
                format!(
                    "Transaction {} is final in block {} of chain {chain}, {result}: {}.",
                    transaction.hash(chain),
                    block.header.height,
                    action(transaction)
                )
            }
            Claim::Record { key, value, block, .. } => format!(
                "After block {} of chain {chain} {}.",
                block.header.height,
                record(key, value.as_ref())
            ),
            Claim::Equivocation { accused, evidence } => equivocation(chain, accused, evidence),
            Claim::Fork { first, second } => fork(chain, first, second),
        }
    }
}

/// What a transaction asked for.
fn action(transaction: &Transaction) -> String {
    let signed = match transaction {
        Transaction::Signed(signed) => signed,
        Transaction::Evidence(evidence) => {
            let (accused, epoch) = (evidence.accused(), evidence.epoch());
            return format!("validator {accused} of epoch {epoch} was caught equivocating");
        }
    };
    let what = match &signed.payload.body {
        Body::Transfer { to, amount, .. } => format!("pays {amount} to {to}"),
        Body::Put { key, value } => format!("puts {} under the key {}", shown(value), shown(key)),
        Body::Delete { key } => format!("deletes the key {}", shown(key)),
        Body::CompareAndSwap { key, value, .. } => {
            format!("puts {} under the key {} if that is as expected", shown(value), shown(key))
        }
        Body::Namespace(NamespaceAction::Create { name, .. }) => {
            format!("creates the namespace {}", shown(name))
        }
        Body::Namespace(NamespaceAction::SetRules { name, .. }) => {
            format!("sets the rules of the namespace {}", shown(name))
        }
        Body::Namespace(NamespaceAction::Transfer { name, owner }) => {
            format!("gives the namespace {} to {owner}", shown(name))
        }
        Body::RotateKey { new_key, .. } => format!("lets the key {new_key} sign from now on"),
        Body::Governance(action) => governance(action),
    };
    format!("{} {what}", signed.sender())
}

fn governance(action: &GovernanceAction) -> String {
    match action {
        GovernanceAction::Propose { change: what } => format!("proposes to {}", change(what)),
        GovernanceAction::Approve { proposal } => format!("approves proposal {proposal}"),
        GovernanceAction::Withdraw { proposal } => format!("withdraws proposal {proposal}"),
        GovernanceAction::Ready { proposal, height, .. } => {
            format!("is ready for proposal {proposal}, with the chain up to block {height}")
        }
    }
}

fn change(change: &Change) -> String {
    match change {
        Change::AddValidator { candidate } => {
            format!("add the validator {}", candidate.consensus_key)
        }
        Change::RemoveValidator { validator } => format!("remove the validator {validator}"),
        Change::RotateKey { validator, key, new_key } => {
            format!("replace the {key} key of the validator {validator} by {new_key}")
        }
        Change::Jail { validator } => format!("jail the validator {validator}"),
        Change::Pardon { validator } => format!("pardon the validator {validator}"),
        Change::SetParameter { parameter } => match parameter {
            Parameter::Access(access) => format!("set access to {access}"),
            Parameter::ProposalLifetime(blocks) => format!("set proposal_lifetime to {blocks}"),
            Parameter::BlockTransactions(most) => format!("set block_transactions to {most}"),
            Parameter::BlockBytes(most) => format!("set block_bytes to {most}"),
        },
        Change::Grant { account, role } => format!("grant the role {role} to {account}"),
        Change::Revoke { account, role } => format!("revoke the role {role} of {account}"),
    }
}

/// What the state holds under a key.
fn record(key: &RecordKey, value: Option<&RecordValue>) -> String {
    match value {
        Some(value) => present(key, value),
        None => absent(key),
    }
}

fn present(key: &RecordKey, value: &RecordValue) -> String {
    match (key, value) {
        (RecordKey::Account(address), RecordValue::Account(account)) => format!(
            "the account {address} owns {} and has sent {} transactions{}",
            account.balance,
            account.nonce,
            account.key.map_or_else(String::new, |key| format!("; the key {key} signs for it"))
        ),
        (RecordKey::Entry(name), RecordValue::Entry(entry)) => format!(
            "the key {} holds {} in version {}",
            shown(name),
            shown(&entry.value),
            entry.version
        ),
        (RecordKey::Validators(_), RecordValue::Validators(set)) => validators(set),
        (RecordKey::Chain, RecordValue::Chain(chain)) => {
            format!("epoch {} votes, and all balances sum to {}", chain.epoch, chain.total_supply)
        }
        (RecordKey::Parameters, RecordValue::Parameters(rules)) => format!(
            "access is {}, proposals live for {} blocks, and blocks hold at most {} transactions \
             in {} bytes",
            rules.access, rules.proposal_lifetime, rules.block_transactions, rules.block_bytes
        ),
        (RecordKey::Proposal(_), RecordValue::Proposal(proposal)) => proposed(proposal),
        (RecordKey::Roles(address), RecordValue::Roles(roles)) => {
            let all =
                [("member", roles.member), ("observer", roles.observer), ("reader", roles.reader)];
            let held: Vec<&str> =
                all.iter().filter(|(_, held)| *held).map(|(name, _)| *name).collect();
            format!("the address {address} has the roles {}", held.join(", "))
        }
        (RecordKey::Namespace(name), RecordValue::Namespace(namespace)) => {
            format!("the namespace {} belongs to {}", shown(name), namespace.owner)
        }
        (RecordKey::Recent(_), RecordValue::Recent(block)) => {
            format!("block {} below is {}", block.height, block.hash)
        }
        (key, value) => {
            let (key, value) = (key.hash(), value.hash());
            format!("the record with the key hash {key} has the value hash {value}")
        }
    }
}

fn absent(key: &RecordKey) -> String {
    match key {
        RecordKey::Account(address) => {
            format!("the account {address} owns nothing and has sent no transaction")
        }
        RecordKey::Entry(name) => format!("the key {} does not exist", shown(name)),
        RecordKey::Validators(epoch) => format!("no epoch {epoch} has begun"),
        RecordKey::Proposal(id) => format!("there is no record of a proposal {id}"),
        RecordKey::Roles(address) => format!("the address {address} has no role"),
        RecordKey::Namespace(name) => format!("the namespace {} does not exist", shown(name)),
        RecordKey::Chain | RecordKey::Parameters | RecordKey::Governance | RecordKey::Recent(_) => {
            format!("there is no record with the key hash {}", key.hash())
        }
    }
}

fn validators(set: &ValidatorSet) -> String {
    let keys: Vec<String> = set
        .members()
        .map(|(index, one)| {
            let jailed = if one.jailed { ", jailed" } else { "" };
            format!("{} ({index}{jailed})", one.consensus_key)
        })
        .collect();
    format!("the validators of epoch {} are {}", set.epoch, keys.join(", "))
}

fn proposed(proposal: &Proposal) -> String {
    let status = match proposal.status {
        ProposalStatus::Open => "is open".to_owned(),
        ProposalStatus::AwaitsReady => "waits for the joiner".to_owned(),
        ProposalStatus::Executed { height } => format!("was executed in block {height}"),
        ProposalStatus::Withdrawn { height } => format!("was withdrawn in block {height}"),
    };
    format!(
        "proposal {}, to {}, {status} with {} approvals, and could be approved up to block {}",
        proposal.id,
        change(&proposal.change),
        proposal.approvals.len(),
        proposal.expires
    )
}

fn equivocation(chain: &Digest, accused: &PublicKey, evidence: &Evidence) -> String {
    let what = match evidence {
        Evidence::Proposals { .. } => "proposed two different blocks",
        Evidence::Votes { .. } => "voted for two different blocks",
    };
    format!(
        "The validator with the consensus key {accused}, number {} of epoch {} of chain {chain}, \
         equivocated: it {what} at view {}, height {}.",
        evidence.accused(),
        evidence.epoch(),
        evidence.view(),
        evidence.height()
    )
}

fn fork(chain: &Digest, first: &FinalBlock, second: &FinalBlock) -> String {
    let signers: Vec<String> =
        signers_of_both(first, second).iter().map(ToString::to_string).collect();
    let guilt = if is_within_a_view(first, second) {
        "in one view, which no honest validator does"
    } else {
        "in different views: enough of them lied"
    };
    format!(
        "Two blocks are final at height {} of chain {chain}: {} and {}. The validators {} of epoch {} \
         signed for both, {guilt}.",
        first.header.height,
        first.header.hash(chain),
        second.header.hash(chain),
        signers.join(", "),
        first.header.epoch
    )
}

/// Bytes as quoted text where they are plain, else in hexadecimal; long ones by their beginning.
fn shown(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(MAX_SHOWN)];
    let plain = start.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"\"\\".contains(byte));
    let text = if plain {
        format!("\"{}\"", start.escape_ascii())
    } else {
        format!("0x{}", hex::encode(start))
    };
    if start.len() == bytes.len() { text } else { format!("{text}… ({} bytes)", bytes.len()) }
}
