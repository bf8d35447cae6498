//! Elections: who asks, who votes, and how a leader hands over.
//!
//! docs/protocol/raft.md, lines R1-R19.

use chain::crypto::PublicKey;
use chain::types::{ValidatorIndex, View};

use super::log::end_of;
use super::message::{Message, VoteReply, VoteRequest};
use super::replicate::Progress;
use super::rules::Rules;
use super::{Out, Raft, Stance};
use crate::engine::{Event, Outgoing, Reason, Recipients};

impl<R: Rules> Raft<R> {
    /// R1: no word from a leader for an election timeout. Asks first whether it could win.
    pub(super) fn campaign(&mut self, out: &mut Out) {
        self.timers.election_failed();
        self.restart_election_timer();
        self.forget_leader(out);
        // A log that was lost is fetched again before anything else.
        if self.log_end() > end_of(self.tip().position) {
            return self.ask_around(out);
        }
        if !R::asks_before_election() {
            return self.become_candidate(false, out);
        }
        let Some(me) = self.me else { return };
        self.stance = Stance::PreCandidate;
        self.granted = [me].into();
        let request = VoteRequest {
            term: self.term().next(),
            log: self.log_end(),
            asks_first: true,
            transfer: false,
        };
        for to in self.other_members() {
            out.send.push(Outgoing::Ready(Recipients::One(to), Message::VoteRequest(request)));
        }
        self.try_win(out);
    }

    /// R5: a new term, and the own vote in it on disk before anybody is asked for theirs.
    fn become_candidate(&mut self, transfer: bool, out: &mut Out) {
        if self.me.is_none() {
            return;
        }
        self.move_to(self.term().next(), out);
        self.stance = Stance::Candidate;
        self.promises.voted_for = Some(self.config.me);
        self.granted.clear();
        out.persist = true;
        let request =
            VoteRequest { term: self.term(), log: self.log_end(), asks_first: false, transfer };
        for to in self.other_members() {
            let message = Message::VoteRequest(request);
            out.send_after_persist.push(Outgoing::Ready(Recipients::One(to), message));
        }
        let own = self.reply_to(self.config.me, &request, true);
        out.send_after_persist.push(Outgoing::SignForSelf(own));
    }

    /// R8-R12: at most one vote in a term, for a log that lacks nothing committed.
    pub(super) fn handle_vote_request(
        &mut self,
        from: ValidatorIndex,
        request: &VoteRequest,
        out: &mut Out,
    ) {
        let Some(candidate) = self.key_of(from) else { return };
        // R8: whoever hears a leader does not help to depose it (4.2.3).
        let content = R::checks_quorum() && !request.transfer && self.hears_leader();
        if !content && !request.asks_first && request.term > self.term() {
            self.become_follower(request.term, out);
        }
        let voted = self.promises.voted_for;
        let free = request.term > self.term()
            || (request.term == self.term() && voted.is_none_or(|voted| voted == candidate));
        let granted = !content && free && R::is_up_to_date(request.log, self.log_end());
        if granted && !request.asks_first {
            self.promises.voted_for = Some(candidate);
            out.persist = true;
            self.restart_election_timer();
        }
        let reply = self.reply_to(candidate, request, granted);
        out.send_after_persist.push(Outgoing::Ready(Recipients::One(from), reply));
    }

    fn reply_to(&self, candidate: PublicKey, request: &VoteRequest, granted: bool) -> Message {
        Message::VoteReply(VoteReply {
            term: if granted { request.term } else { self.term() },
            candidate,
            asks_first: request.asks_first,
            granted,
            final_height: self.root().position.height,
        })
    }

    /// R13: counts a vote.
    pub(super) fn handle_vote_reply(
        &mut self,
        from: ValidatorIndex,
        reply: &VoteReply,
        out: &mut Out,
    ) {
        if reply.final_height > self.root().position.height {
            self.finals.is_ahead(from, reply.final_height);
            self.fetch_finals(out);
        }
        let promised = reply.granted && reply.asks_first;
        if reply.term > self.term() && !promised {
            return self.become_follower(reply.term, out);
        }
        let counts = match self.stance {
            Stance::PreCandidate => reply.asks_first && reply.term == self.term().next(),
            Stance::Candidate => !reply.asks_first && reply.term == self.term(),
            Stance::Follower | Stance::Leader => false,
        };
        if counts && reply.granted && reply.candidate == self.config.me {
            self.granted.insert(from);
            self.try_win(out);
        }
    }

    /// R14: a majority, of both sets while members change.
    fn try_win(&mut self, out: &mut Out) {
        if !self.is_quorum(&self.granted) {
            return;
        }
        match self.stance {
            Stance::PreCandidate => self.become_candidate(false, out),
            Stance::Candidate => self.become_leader(out),
            Stance::Follower | Stance::Leader => {}
        }
    }

    fn become_leader(&mut self, out: &mut Out) {
        self.stance = Stance::Leader;
        self.leader = self.me;
        self.granted.clear();
        self.incoming = None;
        self.timers.lead(self.now);
        // The vote for itself was synced after all of the log.
        self.durable = self.tip().position.height;
        self.meet_peers();
        self.announce_leader(out);
        self.try_propose(out);
        if !self.pace.is_building() {
            self.heartbeat(out);
        }
    }

    pub(super) fn announce_leader(&self, out: &mut Out) {
        if let Some(leader) = self.leader {
            let (epoch, view) = (self.set.epoch, self.term());
            out.events.push(Event::ViewStarted { epoch, view, leader });
        }
    }

    fn forget_leader(&mut self, out: &mut Out) {
        if self.leader.take().is_some() {
            let (epoch, view) = (self.set.epoch, self.term());
            out.events.push(Event::ViewLeft { epoch, view, reason: Reason::Timeout });
        }
    }

    /// Goes to a higher term, in which nobody leads yet.
    fn move_to(&mut self, term: View, out: &mut Out) {
        assert!(term > self.term(), "terms only grow");
        self.forget_leader(out);
        self.promises.term = term;
        self.promises.voted_for = None;
        out.persist = true;
        self.matched = self.root().position.height;
        self.incoming = None;
    }

    /// R16: follows, in this term or in a higher one.
    pub(super) fn become_follower(&mut self, term: View, out: &mut Out) {
        if term > self.term() {
            self.move_to(term, out);
        }
        if self.is_leader() {
            self.stop_leading(out);
        }
        self.stance = Stance::Follower;
        self.granted.clear();
    }

    fn stop_leading(&mut self, out: &mut Out) {
        self.forget_leader(out);
        self.peers.clear();
        self.proposal = None;
        self.matched = self.root().position.height;
        self.reads.stop_serving();
        self.restart_election_timer();
    }

    /// Keeps track of the members that there are.
    pub(super) fn meet_peers(&mut self) {
        let others: Vec<ValidatorIndex> = self.other_members().collect();
        self.peers.retain(|peer, _| others.contains(peer));
        let next = self.tip().position.height.next();
        for peer in others {
            self.peers.entry(peer).or_insert_with(|| Progress::new(next, self.now));
        }
    }

    /// R17 (6.2): a leader that does not hear a majority within an election timeout steps down.
    pub(super) fn check_quorum(&mut self, out: &mut Out) {
        if !R::checks_quorum() {
            return;
        }
        let patience = self.timers.election_timeout() * 2;
        let heard = |progress: &Progress| self.now.since(progress.heard) < patience;
        let alive = self.peers.iter().filter(|(_, progress)| heard(progress));
        let alive = alive.map(|(peer, _)| *peer).chain(self.me).collect();
        if !self.is_quorum(&alive) {
            self.become_follower(self.term(), out);
        }
    }

    /// R18 (3.10): the leader hands over to whoever has its whole log.
    pub fn transfer_leadership(&mut self, to: ValidatorIndex, out: &mut Out) {
        let complete = self
            .peers
            .get(&to)
            .is_some_and(|progress| progress.matched >= self.tip().position.height);
        if self.is_leader() && complete {
            let message = Message::TimeoutNow { term: self.term() };
            out.send.push(Outgoing::Ready(Recipients::One(to), message));
            self.become_follower(self.term(), out);
        }
    }

    /// R19: stands for election at once: the leader wants it so.
    pub(super) fn handle_timeout_now(&mut self, from: ValidatorIndex, term: View, out: &mut Out) {
        let current = term == self.term() && self.leader == Some(from);
        if current && self.me.is_some() && self.log_end() == end_of(self.tip().position) {
            self.restart_election_timer();
            self.become_candidate(true, out);
        }
    }

    /// R55: no member any more. A leader that its own change removed hands over: what comes next
    /// belongs to the new members.
    pub(super) fn retire(&mut self, out: &mut Out) {
        if self.is_leader() {
            let height = self.tip().position.height;
            let members = self.configuration.members();
            let heir = self
                .peers
                .iter()
                .filter(|(peer, progress)| members.contains(peer) && progress.matched >= height)
                .map(|(peer, _)| *peer)
                .next();
            self.notify_commit(out);
            if let Some(heir) = heir {
                self.transfer_leadership(heir, out);
            }
        }
        self.become_follower(self.term(), out);
    }

    /// R56: a leader that cannot lead on, because the log ends in a change of an earlier term that
    /// removes it, hands over to the first new member that has all of it, once so many have it that
    /// the heir can win: who lacks the change does not know an heir that just joined.
    pub(super) fn try_hand_over(&mut self, out: &mut Out) {
        let height = self.tip().position.height;
        if !self.is_leader() || self.can_append() || !self.is_quorum(&self.replicas(height)) {
            return;
        }
        let next = self.next_set().clone();
        let heir = self
            .peers
            .iter()
            .find(|(peer, progress)| next.get(**peer).is_some() && progress.matched >= height)
            .map(|(peer, _)| *peer);
        if let Some(heir) = heir {
            self.transfer_leadership(heir, out);
        }
    }
}
