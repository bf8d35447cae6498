//! What every leader does alike: when to build a block, and the header that follows from it.

use chain::block::{Header, Justification, Mode};
use chain::types::{Digest, ValidatorIndex};
use chain::validator::ValidatorSet;

use crate::application::{BuildRequest, BuiltPayload};
use crate::engine::{Config, Time};

/// What execution has to do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Work {
    pub(crate) oldest_pending: Option<Digest>,
    pub(crate) pending_count: usize,
}

/// The rhythm of a leader's proposals.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pace {
    /// A build was asked for and not answered.
    building: bool,
    last: Option<Time>,
    /// Nothing could be built: try again then.
    retry_at: Option<Time>,
}

impl Pace {
    pub(crate) const fn is_building(&self) -> bool {
        self.building
    }

    /// Execution is asked for a block.
    pub(crate) fn ask(&mut self) {
        assert!(!self.building, "one block is built at a time");
        self.building = true;
    }

    /// Execution answered, and the block is proposed.
    pub(crate) fn propose(&mut self, now: Time) {
        self.building = false;
        self.last = Some(now);
        self.retry_at = None;
    }

    /// Execution answered, and the block is worth nothing: it is empty, or too late.
    pub(crate) fn discard(&mut self, now: Time, config: &Config) {
        self.building = false;
        self.retry_at = Some(now + config.block_interval);
    }

    /// When the waiting transactions are worth a block: at once if none is in flight or they fill
    /// one, else when the block interval is over. `None` where nothing waits, or a block is being
    /// built.
    pub(crate) fn due(&self, work: &Work, in_flight: bool, config: &Config) -> Option<Time> {
        if self.building || work.pending_count == 0 {
            return None;
        }
        let at_once = !in_flight || work.pending_count >= config.batch;
        let paced = self.last.map_or(Time::default(), |last| last + config.block_interval);
        let due = if at_once { Time::default() } else { paced };
        Some(self.retry_at.map_or(due, |retry| due.max(retry)))
    }
}

/// The header of a block whose payload execution built.
pub(crate) fn header(
    config: &Config,
    set: &ValidatorSet,
    proposer: ValidatorIndex,
    mode: Mode,
    request: &BuildRequest,
    payload: &BuiltPayload,
    justification: &Justification,
) -> Header {
    Header {
        chain_id: config.chain_id,
        epoch: request.epoch,
        view: request.view,
        height: request.height,
        mode,
        kind: payload.kind,
        parent: request.parent,
        proposer,
        timestamp_ms: payload.timestamp_ms,
        transactions_root: payload.transactions_root,
        receipts_root: payload.receipts_root,
        state_root: payload.state_root,
        validators_hash: set.hash(&config.chain_id),
        next_validators_hash: payload.next_validators_hash,
        justification_hash: justification.hash(&config.chain_id),
    }
}
