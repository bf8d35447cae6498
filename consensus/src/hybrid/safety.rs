//! Every promise of a validator: what must be on disk before a message that makes it leaves.
//!
//! One small record, replaced whole and synced by the driver. After a restart a validator is in
//! the epoch and view of its record, votes in no lower one, and answers with what is stored here.

use bincode::{Decode, Encode};
use chain::certificate::{Ballot, Certificate, ViewCertificate, ViewStart};
use chain::codec::Bounded;
use chain::types::{Epoch, View};

use super::message::{ViewReport, ViewReports, VotedProposal};
use crate::tree::BlockRef;

/// The promises made in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Safety {
    pub epoch: Epoch,
    /// The highest view moved to: no vote below it.
    pub view: View,
    /// "I lead view v": a leader that restarts signs no further header in a view it led before.
    pub led: Option<View>,
    pub last_vote: Option<LastVote>,
    /// The last commit vote: within a view commit votes only go up.
    pub last_commit: Option<Ballot>,
    /// The view change sent for `view`.
    pub view_change: Option<ViewReport>,
    /// The acknowledgement sent for `view`.
    pub ack: Option<ViewStart>,
    /// The new-view message sent as leader of `view`.
    pub new_view: Option<ViewReports>,
    /// The certificates of the last vote's view and of `view`, where there are any.
    pub view_certificates: Vec<ViewCertificate>,
    /// The highest prepare or fast certificate of the epoch.
    pub high_qc: Option<Certificate>,
}

/// The last prepare vote with what makes it count in a view change.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct LastVote {
    pub block: BlockRef,
    pub proposal: VotedProposal,
}

impl Bounded for Safety {
    const MAX_BYTES: usize = 8 * 1024 * 1024;
}

impl Safety {
    /// A validator that has promised nothing in this epoch.
    pub fn new(epoch: Epoch, first_view: View) -> Self {
        Self {
            epoch,
            view: first_view,
            led: None,
            last_vote: None,
            last_commit: None,
            view_change: None,
            ack: None,
            new_view: None,
            view_certificates: Vec::new(),
            high_qc: None,
        }
    }

    pub fn view_certificate(&self, view: View) -> Option<&ViewCertificate> {
        self.view_certificates.iter().find(|certificate| certificate.start.view == view)
    }

    /// Keeps a certificate and drops those that no report needs any more.
    pub fn add_view_certificate(&mut self, certificate: ViewCertificate) {
        if self.view_certificate(certificate.start.view).is_none() {
            self.view_certificates.push(certificate);
        }
        let view = self.view;
        let voted = self.last_vote.as_ref().map(|vote| vote.block.position.view);
        self.view_certificates
            .retain(|kept| kept.start.view >= view || Some(kept.start.view) == voted);
    }

    /// Moves up to a view; what was said in lower ones need not be said again.
    pub fn move_to(&mut self, view: View) {
        assert!(view >= self.view, "views only grow: at {}, to {view}", self.view);
        if view > self.view {
            self.view = view;
            self.view_change = None;
            self.ack = None;
            self.new_view = None;
        }
    }

    /// The view has its certificate: what was said to get there need not be said again.
    pub fn forget_view_change(&mut self) {
        self.view_change = None;
        self.new_view = None;
    }

    /// Remembers the certificate if it is the highest of the epoch. One from ahead is not for this
    /// validator to report: it has not been in that view.
    pub fn raise_high_qc(&mut self, certificate: &Certificate) {
        if certificate.ballot.position.view > self.view {
            return;
        }
        let higher = self.high_qc.as_ref().is_none_or(|held| {
            (held.ballot.position, held.signatures.count())
                < (certificate.ballot.position, certificate.signatures.count())
        });
        if higher {
            self.high_qc = Some(certificate.clone());
        }
    }
}
