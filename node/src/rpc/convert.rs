//! From what the node holds to what the interface shows.

use chain::receipt::{Outcome, Receipt};
use chain::types::Digest;
use consensus::engine::{Event, FaultModel, Reason, Role};
use node_api::block::{BlockStatus, Finality};
use node_api::chain::EvidenceKind;
use node_api::consensus::{self as api, ConsensusEvent};
use node_api::transaction::{self as tx, TxState};

use crate::chain_view;
use crate::storage;

pub(super) fn receipt(receipt: &Receipt) -> tx::Receipt {
    match receipt.outcome {
        Outcome::Success => tx::Receipt { ok: true, version: None, code: None, reason: None },
        Outcome::Written { version } => {
            tx::Receipt { ok: true, version: Some(version), code: None, reason: None }
        }
        Outcome::Failed(reason) => tx::Receipt {
            ok: false,
            version: None,
            code: Some(reason.code().to_owned()),
            reason: Some(reason.to_string()),
        },
    }
}

/// The status of a transaction that the chain knows; `None` where it does not.
pub(super) fn tx_status(
    hash: Digest,
    status: &chain_view::TxStatus,
    finality: Finality,
) -> Option<tx::TxStatus> {
    match status {
        chain_view::TxStatus::Unknown => None,
        chain_view::TxStatus::Ordered { height, block } => Some(tx::TxStatus {
            height: Some(*height),
            block: Some(*block),
            ..tx::TxStatus::outside(hash, TxState::Ordered)
        }),
        chain_view::TxStatus::Final(at) => {
            let ok = at.receipt.outcome.is_success();
            Some(tx::TxStatus {
                hash,
                status: if ok { TxState::Final } else { TxState::Failed },
                height: Some(at.height),
                index: Some(at.index),
                block: Some(at.block),
                receipt: Some(receipt(&at.receipt)),
                finality: Some(finality),
            })
        }
    }
}

pub(super) const fn finality(model: FaultModel) -> Finality {
    match model {
        FaultModel::Crash => Finality::CrashFinal,
        FaultModel::Byzantine => Finality::Certified,
    }
}

pub(super) const fn block_status(status: chain_view::BlockStatus) -> BlockStatus {
    match status {
        chain_view::BlockStatus::Ordered => BlockStatus::Ordered,
        chain_view::BlockStatus::Final => BlockStatus::Final,
    }
}

pub(super) const fn role(role: Role) -> api::Role {
    match role {
        Role::Leader => api::Role::Leader,
        Role::Follower => api::Role::Follower,
        Role::Changing => api::Role::Changing,
        Role::Observer => api::Role::Observer,
    }
}

const fn reason(reason: Reason) -> api::Reason {
    match reason {
        Reason::Timeout => api::Reason::Timeout,
        Reason::Equivocation => api::Reason::Equivocation,
        Reason::Calm => api::Reason::Calm,
        Reason::Epoch => api::Reason::Epoch,
    }
}

pub(super) const fn mode_change(change: &storage::ModeChange) -> api::ModeChange {
    api::ModeChange {
        height: change.height,
        from: change.from,
        to: change.to,
        reason: reason(change.reason),
    }
}

/// What subscribers hear of an event; `None` where it is not for them.
pub(super) fn event(event: &Event, chain_id: &Digest) -> Option<ConsensusEvent> {
    Some(match event {
        Event::ModeChanged { height, from, to, reason: why } => {
            ConsensusEvent::ModeChanged(api::ModeChange {
                height: *height,
                from: *from,
                to: *to,
                reason: reason(*why),
            })
        }
        Event::ViewLeft { epoch, view, reason: why } => {
            ConsensusEvent::ViewLeft { epoch: *epoch, view: *view, reason: reason(*why) }
        }
        Event::ViewStarted { epoch, view, leader } => {
            ConsensusEvent::ViewStarted { epoch: *epoch, view: *view, leader: *leader }
        }
        Event::EpochStarted { epoch, validators } => ConsensusEvent::EpochStarted {
            epoch: *epoch,
            validators: validators.len() as u32,
            jailed: validators
                .members()
                .filter(|(_, validator)| validator.jailed)
                .map(|(index, _)| index)
                .collect(),
        },
        Event::EvidenceFound { evidence } => ConsensusEvent::EvidenceFound {
            accused: evidence.accused(),
            kind: EvidenceKind::from(evidence.as_ref()),
            epoch: evidence.epoch(),
            view: evidence.view(),
            height: evidence.height(),
            hash: evidence.hash(chain_id),
        },
        Event::BlockRefused { proposer, block, reason } => ConsensusEvent::BlockRefused {
            proposer: *proposer,
            block: *block,
            reason: reason.clone(),
        },
        Event::Ordered { .. } | Event::ReadReady { .. } | Event::PeerFault { .. } => return None,
    })
}
