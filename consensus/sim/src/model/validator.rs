//! What an honest validator knows, and what of it survives a crash.

use super::blocks::{BlockId, GENESIS};
use super::rules::Rules;

/// Epoch and view.
pub type Period = (u64, u64);

/// The last prepare vote, and the tip of its view as far as the view's certificate is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastVote {
    pub block: BlockId,
    pub start: Option<BlockId>,
}

/// What is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The highest epoch and view it has moved to: no vote in a lower one.
    pub period: Period,
    /// The block that opened the epoch, and the one view that needs no certificate.
    pub opening: BlockId,
    pub first_view: u64,
    pub last_vote: Option<LastVote>,
    /// The highest prepare certificate.
    pub high_qc: Option<BlockId>,
    /// The last view whose tip it acknowledged.
    pub acknowledged: Period,
    /// The last view it led.
    pub led: Period,
}

/// An honest validator: what it holds in memory, and the part of it on disk.
#[derive(Clone, Debug)]
pub struct Validator {
    pub now: Stored,
    disk: Stored,
    /// The tip of the current view, once its certificate is held.
    pub start: Option<BlockId>,
    /// The last block it proposed since it started, as leader of the current view.
    pub proposed: Option<BlockId>,
    /// The prepare certificates it holds, as a bit set of blocks.
    pub certificates: u64,
}

impl Validator {
    /// In the first view of the first epoch.
    pub fn new() -> Self {
        let now = Stored {
            period: (1, 1),
            opening: GENESIS,
            first_view: 1,
            last_vote: None,
            high_qc: None,
            acknowledged: (0, 0),
            led: (0, 0),
        };
        Self { now, disk: now, start: Some(GENESIS), proposed: None, certificates: 0 }
    }

    /// Goes to a view of the current epoch, whose certificate it does not hold yet.
    pub fn move_to(&mut self, view: u64) {
        self.now.period.1 = view;
        self.start = None;
        self.proposed = None;
    }

    /// Goes to the first view of an epoch, with nothing to report.
    pub fn open_epoch(&mut self, period: Period, opening: BlockId, rules: &Rules) {
        self.now.period = period;
        self.now.opening = opening;
        self.now.first_view = period.1;
        self.start = Some(opening);
        self.proposed = None;
        if rules.reports_of_own_epoch {
            self.now.last_vote = None;
            self.now.high_qc = None;
            self.certificates = 0;
        }
    }

    pub fn sync_vote(&mut self, rules: &Rules) {
        if rules.vote_synced {
            self.sync_period();
            // An epoch's first view has no certificate to lose.
            let kept = rules.view_certificate_synced || self.now.period.1 == self.now.first_view;
            self.disk.last_vote = self
                .now
                .last_vote
                .map(|vote| LastVote { start: vote.start.filter(|_| kept), ..vote });
        }
    }

    pub fn sync_commit(&mut self, rules: &Rules) {
        self.sync_period();
        if rules.prepare_certificate_synced {
            self.disk.high_qc = self.now.high_qc;
        }
    }

    pub fn sync_view_change(&mut self, rules: &Rules) {
        if rules.view_change_synced {
            self.sync_period();
        }
    }

    pub fn sync_acknowledgement(&mut self, rules: &Rules) {
        if rules.view_ack_synced {
            self.sync_period();
            self.disk.acknowledged = self.now.acknowledged;
        }
    }

    pub fn sync_leader_mark(&mut self, rules: &Rules) {
        if rules.leader_mark_synced {
            self.sync_period();
            self.disk.led = self.now.led;
        }
    }

    /// The period, and with a new epoch what opened it. Only what a promise needs is written: all
    /// else is lost in a crash, which is the worst that can happen.
    fn sync_period(&mut self) {
        if self.disk.period.0 != self.now.period.0 {
            let Stored { acknowledged, led, .. } = self.disk;
            let kept = Stored { last_vote: None, high_qc: None, acknowledged, led, ..self.now };
            self.disk = kept;
        }
        self.disk.period = self.now.period;
    }

    /// Loses what is not on disk.
    pub fn crash(&mut self) {
        self.now = self.disk;
        self.proposed = None;
        self.certificates = self.now.high_qc.map_or(0, |block| 1 << block);
    }
}

impl Default for Validator {
    fn default() -> Self {
        Self::new()
    }
}
