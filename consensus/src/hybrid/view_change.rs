//! Leaving a view and entering the next.
//!
//! docs/protocol/hybrid.md, lines W1-W9.

use chain::certificate::{Ballot, Finality, Signatures, ViewCertificate, ViewStart, VoteKind};
use chain::types::{ValidatorIndex, View};

use super::message::{
    Append, Draft, LeaveReason, Message, NewView, Suspect, ViewAck, ViewChange, ViewReport,
    ViewReports,
};
use super::rules::Rules;
use super::{Hybrid, Out, reason_of};
use crate::engine::{Event, Outgoing, Reason, Recipients};

impl<R: Rules> Hybrid<R> {
    /// W1: f+1 suspicions end a view; fewer bind nothing.
    pub(super) fn handle_suspect(&mut self, suspect: &Suspect, out: &mut Out) {
        if suspect.view < self.view() {
            return self.show_view(suspect.sender, out);
        }
        if suspect.view != self.view() {
            return;
        }
        let again = self.suspects.insert(suspect.sender, self.now).is_some();
        if suspect.sender == self.leader() {
            self.leader_abdicates(out);
        }
        let fresh = self.now_suspected_by();
        if fresh > self.quorums.f && self.may_promise() {
            self.leave_after_suspicions(out);
        } else if again {
            // Nobody joins in: the leader may be cut off from this one alone, who then hears from
            // nobody what is final.
            let final_height = self.tree.root().position.height;
            let status = Message::Status { epoch: self.epoch(), final_height };
            out.send.push(Outgoing::Ready(Recipients::One(suspect.sender), status));
        }
    }

    /// W2: gives up all lower views for `view`: from then on no vote below it.
    pub(super) fn leave_view(&mut self, view: View, reason: LeaveReason, out: &mut Out) {
        assert!(view > self.view(), "a view is left upwards: at {}, to {view}", self.view());
        out.events.push(Event::ViewLeft {
            epoch: self.epoch(),
            view: self.view(),
            reason: reason_of(reason),
        });
        self.note_reason(view, reason);
        self.move_to(view);
        self.report(reason, out);
    }

    fn note_reason(&mut self, view: View, reason: LeaveReason) {
        let known = self.reasons.entry(view).or_insert(reason_of(reason));
        if reason == LeaveReason::Evidence {
            *known = Reason::Equivocation;
        }
        while self.reasons.len() > 64 {
            self.reasons.pop_first();
        }
    }

    /// Into a higher view without its certificate.
    fn move_to(&mut self, view: View) {
        self.timers.view_was_fruitless();
        self.safety.move_to(view);
        self.active = false;
        self.clear_view();
    }

    fn clear_view(&mut self) {
        self.suspects.clear();
        self.acks.clear();
        self.deep_finals.clear();
        self.tree.drop_loose(self.safety.view);
        self.timers.enter_view(self.now);
        self.reset_proposing();
        self.changes.retain(|_, (_, change)| change.report.view >= self.safety.view);
    }

    /// W3: tells everyone what this validator voted for, once that it moved is on disk.
    fn report(&mut self, reason: LeaveReason, out: &mut Out) {
        let report = ViewReport {
            epoch: self.epoch(),
            view: self.view(),
            high_qc: self.safety.high_qc.clone(),
            last_vote: self.safety.last_vote.as_ref().map(|vote| vote.proposal.clone()),
            final_certificate: self.final_certificate().cloned(),
            reason,
        };
        self.safety.view_change = Some(report.clone());
        out.persist = true;
        let draft = Draft::ViewChange(report);
        out.send_after_persist.push(Outgoing::Sign(Recipients::Others, draft));
    }

    /// Says again, unchanged, what this validator said for the view it wants to enter.
    pub(super) fn offer_view_change(&mut self, out: &mut Out) {
        match self.safety.view_change.clone() {
            Some(report) => {
                let draft = Draft::ViewChange(report);
                out.send_after_persist.push(Outgoing::Sign(Recipients::Others, draft));
            }
            None => self.report(LeaveReason::Timeout, out),
        }
        if let Some(start) = self.safety.new_view.clone() {
            let draft = Draft::NewView(start);
            out.send_after_persist.push(Outgoing::Sign(Recipients::Others, draft));
        }
        if let Some(start) = self.safety.ack {
            self.send_ack(start, out);
        }
    }

    /// W4: a report. Of each sender only the highest counts; whoever sees f+1 others above itself
    /// follows them.
    pub(super) fn handle_view_change(
        &mut self,
        from: ValidatorIndex,
        change: ViewChange,
        out: &mut Out,
    ) {
        let sender = change.sender;
        for header in change.report.last_vote.iter().flat_map(|vote| &vote.headers) {
            self.note_header(header, out);
        }
        if change.report.epoch != self.epoch() {
            return;
        }
        if from == sender {
            self.show_finality(sender, &change.report, out);
        }
        for certificate in [&change.report.high_qc, &change.report.final_certificate] {
            if let Some(certificate) = certificate.clone() {
                self.handle_certificate(sender, certificate, out);
            }
        }
        // A certificate may have made a barrier final: the report is of a closed epoch then.
        if change.report.epoch != self.epoch() {
            return;
        }
        if change.report.view < self.view() || (change.report.view == self.view() && self.active) {
            if from == sender && Some(from) != self.me {
                self.show_view(sender, out);
            }
            return;
        }
        self.note_reason(change.report.view, change.report.reason);
        let newer =
            self.changes.get(&sender).is_none_or(|(_, held)| held.report.view < change.report.view);
        if newer {
            self.arrivals += 1;
            self.changes.insert(sender, (self.arrivals, change));
        }
        self.join_others(out);
        self.try_new_view(out);
    }

    /// One who is behind in finality, perhaps alone in a high view, gets the newest certificate.
    fn show_finality(&mut self, to: ValidatorIndex, report: &ViewReport, out: &mut Out) {
        let Some(newest) = self.final_certificate().filter(|_| Some(to) != self.me) else {
            return;
        };
        let known = report.final_certificate.as_ref().map(|held| held.ballot.position.height);
        if known.is_none_or(|height| height < newest.ballot.position.height) {
            let message = Message::Decided(newest.clone());
            out.send.push(Outgoing::Ready(Recipients::One(to), message));
        }
    }

    fn join_others(&mut self, out: &mut Out) {
        let mut views: Vec<View> = self
            .changes
            .iter()
            .filter(|(sender, _)| Some(**sender) != self.me)
            .map(|(_, (_, change))| change.report.view)
            .collect();
        views.sort_unstable_by(|a, b| b.cmp(a));
        let Some(view) = views.get(self.quorums.f).copied() else {
            return;
        };
        if view > self.view() && self.may_promise() {
            let reason = match self.reasons.get(&view) {
                Some(Reason::Equivocation) => LeaveReason::Evidence,
                _ => LeaveReason::Timeout,
            };
            self.leave_view(view, reason, out);
        }
    }

    /// Whether enough validators are in this view or above for its timer to run.
    pub(super) fn view_has_quorum(&self) -> bool {
        let here =
            self.changes.values().filter(|(_, change)| change.report.view >= self.view()).count();
        here >= self.quorums.view_change_quorum
    }

    /// One who is behind in views gets this view's certificate.
    fn show_view(&mut self, to: ValidatorIndex, out: &mut Out) {
        if !self.active || Some(to) == self.me {
            return;
        }
        let append = Append {
            epoch: self.epoch(),
            view: self.view(),
            head: self.tree.root(),
            view_certificate: self.safety.view_certificate(self.view()).cloned(),
            certificates: self.final_certificate().cloned().into_iter().collect(),
            blocks: Vec::new(),
            votes: Vec::new(),
        };
        out.send.push(Outgoing::Ready(Recipients::One(to), Message::Append(append)));
    }

    /// W5: the leader of the view goes on with the first `view_change_quorum` complete reports.
    pub(super) fn try_new_view(&mut self, out: &mut Out) {
        let leads = self.is_leader() && self.may_promise() && !self.active;
        if !leads || self.safety.new_view.is_some() {
            return;
        }
        let mut arrived: Vec<(u64, ViewChange)> = self
            .changes
            .values()
            .filter(|(_, change)| change.report.view == self.view())
            .cloned()
            .collect();
        arrived.sort_by_key(|(order, _)| *order);
        let mut complete: Vec<ViewChange> = Vec::new();
        for (_, change) in arrived {
            if self.is_complete(&change, change.sender, out) {
                complete.push(change);
            }
        }
        self.fetch(out);
        while complete.len() >= self.quorums.view_change_quorum {
            let mut reports = complete[..self.quorums.view_change_quorum].to_vec();
            reports.sort_by_key(|change| change.sender);
            match self.select(&reports) {
                Ok(_) => {
                    let start = ViewReports { epoch: self.epoch(), view: self.view(), reports };
                    self.safety.new_view = Some(start.clone());
                    out.persist = true;
                    let draft = Draft::NewView(start);
                    out.send_after_persist.push(Outgoing::Sign(Recipients::Others, draft));
                    return;
                }
                Err(equivocator) => complete.retain(|change| change.sender != equivocator),
            }
        }
    }

    /// W6: the leader's choice of reports, verified; checked and acknowledged once the tip is here.
    pub(super) fn handle_new_view(&mut self, new_view: NewView, out: &mut Out) {
        let view = new_view.start.view;
        if new_view.start.epoch != self.epoch()
            || view < self.view()
            || (view == self.view() && self.active)
        {
            return;
        }
        for change in new_view.start.reports.clone() {
            self.handle_view_change(change.sender, change, out);
        }
        if new_view.start.epoch == self.epoch() && view >= self.view() {
            self.pending_new_view = Some(new_view);
            self.try_ack(out);
        }
    }

    /// W7: one acknowledgement per view, of an executed tip.
    pub(super) fn try_ack(&mut self, out: &mut Out) {
        let Some(new_view) = self.pending_new_view.clone() else {
            return;
        };
        let start = &new_view.start;
        let stale = start.epoch != self.epoch()
            || start.view < self.view()
            || (start.view == self.view() && self.active);
        if stale || !self.may_promise() {
            self.pending_new_view = None;
            return;
        }
        let leader = self.set.leader(start.view);
        let mut complete = true;
        for change in &start.reports {
            complete &= self.is_complete(change, leader, out);
        }
        self.fetch(out);
        if !complete {
            return;
        }
        let Ok(selection) = self.select(&start.reports) else {
            // The set must be rejected: no acknowledgement, the timer runs on.
            self.pending_new_view = None;
            return;
        };
        let tip = selection.tip;
        if !self.tree.is_acceptable(&tip.hash, self.now) {
            return;
        }
        let ack = ViewStart {
            epoch: start.epoch,
            view: start.view,
            tip_height: tip.position.height,
            tip: tip.hash,
        };
        if start.view > self.view() {
            out.events.push(Event::ViewLeft {
                epoch: self.epoch(),
                view: self.view(),
                reason: Reason::Timeout,
            });
            self.move_to(start.view);
        }
        self.pending_new_view = None;
        match self.safety.ack {
            Some(said) if said != ack => return,
            Some(_) => {}
            None => {
                self.safety.ack = Some(ack);
                out.persist = true;
            }
        }
        self.send_ack(ack, out);
    }

    fn send_ack(&mut self, ack: ViewStart, out: &mut Out) {
        let leader = self.set.leader(ack.view);
        let draft = Draft::ViewAck(ack);
        out.send_after_persist.push(if self.me == Some(leader) {
            Outgoing::SignForSelf(draft)
        } else {
            Outgoing::Sign(Recipients::One(leader), draft)
        });
    }

    /// W8: a quorum of acknowledgements is the view certificate.
    pub(super) fn handle_view_ack(&mut self, ack: &ViewAck, out: &mut Out) {
        let start = ack.start;
        if start.epoch != self.epoch()
            || start.view != self.view()
            || !self.is_leader()
            || self.active
        {
            return;
        }
        self.acks.entry(ack.sender).or_insert((start, ack.signature));
        let agreeing = self.acks.iter().filter(|(_, (said, _))| *said == start);
        let signers: Vec<_> =
            agreeing.map(|(sender, (_, signature))| (*sender, *signature)).collect();
        if signers.len() >= self.quorums.quorum {
            let signatures = Signatures::new(self.set.seats(), &signers);
            self.handle_view_certificate(ViewCertificate { start, signatures }, out);
        }
    }

    /// W9: a valid view certificate moves whoever sees it into its view.
    pub(super) fn handle_view_certificate(&mut self, certificate: ViewCertificate, out: &mut Out) {
        let start = certificate.start;
        if start.epoch != self.epoch()
            || start.view < self.view()
            || (start.view == self.view() && self.active)
        {
            return;
        }
        if start.view > self.view() {
            self.timers.view_was_fruitless();
            self.safety.move_to(start.view);
        }
        self.safety.add_view_certificate(certificate);
        self.safety.forget_view_change();
        self.active = true;
        self.pending_new_view = None;
        self.clear_view();
        out.persist = true;
        out.events.push(Event::ViewStarted {
            epoch: self.epoch(),
            view: self.view(),
            leader: self.leader(),
        });
        // Blocks of this view may have come before its certificate.
        self.vote_on_waiting(out);
    }

    /// The newest vote of this view, while its block is not final: it may have been lost.
    pub(super) fn unanswered_vote(&self) -> Option<Ballot> {
        if !self.active || !self.may_promise() {
            return None;
        }
        let root = self.tree.root().position.height;
        let open =
            |ballot: &Ballot| ballot.position.view == self.view() && ballot.position.height > root;
        let prepared = self.safety.last_vote.as_ref().map(|vote| Ballot {
            kind: VoteKind::Prepare,
            position: vote.block.position,
            block: vote.block.hash,
        });
        let committed = self.safety.last_commit.filter(open);
        let not_certified = |ballot: &Ballot| {
            self.tree.get(&ballot.block).is_none_or(|node| {
                node.certificate
                    .as_ref()
                    .is_none_or(|certificate| certificate.finality(&self.set) != Finality::Final)
            })
        };
        committed.or_else(|| prepared.filter(open)).filter(not_certified)
    }
}
