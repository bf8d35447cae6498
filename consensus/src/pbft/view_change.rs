//! Leaving a view and entering the next.
//!
//! docs/protocol/pbft.md, lines B10 to B15.

use chain::types::{ValidatorIndex, View};

use super::message::{Draft, Message, NewView, Report, ViewChange, ViewStart};
use super::rules::Rules;
use super::select::{Selection, select};
use super::{Out, Pbft};
use crate::engine::{Event, Outgoing, Reason, Recipients};

impl<R: Rules> Pbft<R> {
    /// B11: gives up all lower views for `view`: from then on no vote below it. Says what it
    /// prepared, once that it moved is on disk.
    pub(super) fn leave_view(&mut self, view: View, reason: Reason, out: &mut Out) {
        self.move_to(view, reason, out);
        self.timers.double();
        let report = Report {
            epoch: self.epoch(),
            view,
            final_certificate: self.final_certificate().cloned(),
            prepared: self.promises.prepared.clone(),
        };
        self.promises.view_change = Some(report.clone());
        let draft = Draft::ViewChange(report);
        out.send_after_persist.push(Outgoing::Sign(Recipients::Others, draft));
    }

    fn move_to(&mut self, view: View, reason: Reason, out: &mut Out) {
        out.events.push(Event::ViewLeft { epoch: self.epoch(), view: self.view(), reason });
        self.promises.move_to(view);
        out.persist = true;
        self.tree.drop_loose(view);
        self.changes.retain(|_, change| change.report.view >= view);
        self.restore_view();
    }

    /// A report. Of each sender only the highest counts.
    pub(super) fn handle_view_change(
        &mut self,
        from: ValidatorIndex,
        change: ViewChange,
        out: &mut Out,
    ) {
        let (sender, view) = (change.sender, change.report.view);
        if change.report.epoch != self.epoch() {
            return;
        }
        if let Some(certificate) = change.report.final_certificate.clone() {
            self.note_final(certificate, out);
        }
        // The certificate may have made a barrier final: the report is of a closed epoch then.
        if change.report.epoch != self.epoch() {
            return;
        }
        if view < self.view() || (view == self.view() && self.active()) {
            if from == sender && Some(from) != self.me {
                self.show_view(sender, out);
            }
            return;
        }
        if self.changes.get(&sender).is_none_or(|held| held.report.view < view) {
            self.changes.insert(sender, change);
        }
        self.join_others(sender, out);
        self.try_new_view(out);
    }

    /// B12: f+1 others above this view cannot all be wrong; and a primary that left its view will
    /// not lead it.
    fn join_others(&mut self, sender: ValidatorIndex, out: &mut Out) {
        if !self.may_promise() {
            return;
        }
        let others = self.changes.iter().filter(|(sender, _)| Some(**sender) != self.me);
        let mut views: Vec<View> = others.map(|(_, change)| change.report.view).collect();
        views.sort_unstable_by(|a, b| b.cmp(a));
        let joined = views.get(self.quorums.f).copied().filter(|view| *view > self.view());
        if let Some(view) = joined {
            self.leave_view(view, Reason::Timeout, out);
        } else if self.active() && sender == self.primary() && Some(sender) != self.me {
            self.leave_view(self.view().next(), Reason::Timeout, out);
        }
    }

    /// Whether enough replicas are in this view or above for its timer to run.
    pub(super) fn view_has_quorum(&self) -> bool {
        let here = self.changes.values().filter(|change| change.report.view >= self.view());
        here.count() >= self.quorums.view_change_quorum
    }

    /// B13: the primary of the view goes on with n-f reports, its own among them.
    pub(super) fn try_new_view(&mut self, out: &mut Out) {
        let waits = self.is_primary() && !self.active() && self.starting != Some(self.view());
        let Some(me) = self.me.filter(|_| waits) else {
            return;
        };
        let here = |change: &&ViewChange| change.report.view == self.view();
        let own = self.changes.get(&me).filter(here).cloned();
        let others = self.changes.values().filter(here).filter(|change| change.sender != me);
        let mut changes: Vec<ViewChange> = own.into_iter().chain(others.cloned()).collect();
        let quorum = self.quorums.view_change_quorum;
        if changes.first().is_none_or(|change| change.sender != me) || changes.len() < quorum {
            return;
        }
        changes.truncate(quorum);
        changes.sort_by_key(|change| change.sender);
        let Selection { base: (base, _), chosen, null } = self.select(&changes);
        self.starting = Some(self.view());
        let (epoch, view) = (self.epoch(), self.view());
        let draft = Draft::NewView(ViewStart { epoch, view, changes, base, chosen, null });
        out.send.push(Outgoing::SignForSelf(draft));
    }

    /// B14 on the reports of this epoch.
    pub(super) fn select(&self, changes: &[ViewChange]) -> Selection {
        select::<R>((self.opening.position.height, self.opening.hash), changes)
    }

    /// B15: the new view starts here. The edge has checked its signatures and recomputed what it
    /// chooses.
    pub(super) fn handle_new_view(&mut self, new_view: NewView, out: &mut Out) {
        let start = &new_view.start;
        let is_over =
            |view: View, active: bool| start.view < view || (start.view == view && active);
        if start.epoch != self.epoch() || is_over(self.view(), self.active()) {
            return;
        }
        let proven = start
            .changes
            .iter()
            .filter_map(|change| change.report.final_certificate.clone())
            .max_by_key(|certificate| certificate.ballot.position.height);
        if let Some(certificate) = proven {
            self.note_final(certificate, out);
            if start.epoch != self.epoch() {
                return;
            }
        }
        if start.view > self.view() {
            self.move_to(start.view, Reason::Timeout, out);
        }
        self.enter_view(new_view, out);
    }

    fn enter_view(&mut self, new_view: NewView, out: &mut Out) {
        self.promises.view_change = None;
        self.promises.new_view = Some(new_view.clone());
        out.persist = true;
        if self.is_primary() {
            // Its new-view message is the pre-prepare of all that it chooses.
            self.promises.led = Some(self.view());
            let message = Message::NewView(new_view);
            out.send_after_persist.push(Outgoing::Ready(Recipients::Others, message));
        }
        self.restore_view();
        self.changes.retain(|_, change| change.report.view > self.promises.view);
        self.announce_view(out);
        self.try_accept(out);
    }

    pub(super) fn announce_view(&self, out: &mut Out) {
        out.events.push(Event::ViewStarted {
            epoch: self.epoch(),
            view: self.view(),
            leader: self.primary(),
        });
    }
}
