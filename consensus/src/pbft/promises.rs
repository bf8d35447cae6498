//! Every promise of a replica: what must be on disk before a message that makes it leaves.
//!
//! One small record, replaced whole and synced by the driver. After a restart a replica is in the
//! epoch and view of its record, votes in no lower one, and answers with what is stored here.

use bincode::{Decode, Encode};
use chain::certificate::{Ballot, Certificate, VoteKind};
use chain::codec::Bounded;
use chain::types::{Epoch, Height, View};

use super::message::{NewView, Prepared, Report};

/// The promises made in one epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Promises {
    pub epoch: Epoch,
    /// The highest view moved to: no vote below it.
    pub view: View,
    /// "I am the primary of view v": who restarts pre-prepares nothing more in a view it led.
    pub led: Option<View>,
    /// Own votes of `view` above the last final block.
    pub votes: Vec<Ballot>,
    /// Per height above the last final block what was prepared in the highest view, ascending.
    pub prepared: Vec<Prepared>,
    /// The certificate of the last final block, where it is of this epoch. The block itself may
    /// be lost in a crash; with this and the voted blocks it becomes final again.
    pub final_certificate: Option<Certificate>,
    /// The view change sent for `view`, until that starts.
    pub view_change: Option<Report>,
    /// What `view` started from; none in the epoch's first view.
    pub new_view: Option<NewView>,
}

impl Bounded for Promises {
    const MAX_BYTES: usize = 8 * 1024 * 1024;
}

impl Promises {
    /// A replica that has promised nothing in this epoch.
    pub fn new(epoch: Epoch, first_view: View) -> Self {
        Self {
            epoch,
            view: first_view,
            led: None,
            votes: Vec::new(),
            prepared: Vec::new(),
            final_certificate: None,
            view_change: None,
            new_view: None,
        }
    }

    /// The final height that the record vouches for.
    pub(super) fn final_height(&self) -> Option<Height> {
        self.final_certificate.as_ref().map(|certificate| certificate.ballot.position.height)
    }

    /// Moves up to a view; what was voted in lower ones is over, what was prepared there stays.
    pub(super) fn move_to(&mut self, view: View) {
        assert!(view > self.view, "views only grow: at {}, to {view}", self.view);
        self.view = view;
        self.votes.clear();
        self.view_change = None;
        self.new_view = None;
    }

    /// The own vote of a kind at a height of the current view.
    pub(super) fn vote(&self, kind: VoteKind, height: Height) -> Option<&Ballot> {
        self.votes.iter().find(|vote| vote.kind == kind && vote.position.height == height)
    }

    pub(super) fn prepared_at(&self, height: Height) -> Option<&Prepared> {
        self.prepared.iter().find(|prepared| prepared.height() == height)
    }

    /// Keeps the prepared block of the highest view per height.
    pub(super) fn prepare(&mut self, prepared: Prepared) {
        let height = prepared.height();
        if self.prepared_at(height).is_some_and(|held| held.view() >= prepared.view()) {
            return;
        }
        self.prepared.retain(|held| held.height() != height);
        self.prepared.push(prepared);
        self.prepared.sort_by_key(Prepared::height);
    }

    /// A block is final: its certificate replaces everything at and below its height.
    pub(super) fn finalize(&mut self, certificate: &Certificate) {
        let height = certificate.ballot.position.height;
        if self.final_height().is_none_or(|known| known < height) {
            self.final_certificate = Some(certificate.clone());
            self.votes.retain(|vote| vote.position.height > height);
            self.prepared.retain(|prepared| prepared.height() > height);
        }
    }
}
