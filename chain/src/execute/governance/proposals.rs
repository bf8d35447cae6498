//! The book of proposals: a record each, and the list of those that have one.

use crate::execute::Executor;
use crate::governance::{CLOSED_PROPOSALS, GovernanceRecord, Proposal, ProposalId, ProposalStatus};
use crate::receipt::GovernanceRefusal;
use crate::state::{RecordKey, RecordValue};
use crate::validator::ValidatorSet;

impl Executor<'_> {
    pub(super) fn open_proposal(&self, id: ProposalId) -> Result<Proposal, GovernanceRefusal> {
        let proposal = self.draft.proposal(id).filter(|proposal| proposal.status.is_open());
        let proposal = proposal.ok_or(GovernanceRefusal::NoSuchProposal)?;
        if !proposal.is_open(self.context.height()) {
            return Err(GovernanceRefusal::Expired);
        }
        Ok(proposal.clone())
    }

    /// Enters a new proposal, and sweeps up those that expired.
    pub(super) fn enter(&mut self, proposal: Proposal) {
        let mut record = self.draft.governance();
        let height = self.context.height();
        let (open, expired): (Vec<_>, Vec<_>) = record.open.iter().partition(|id| {
            self.draft.proposal(**id).is_some_and(|proposal| proposal.is_open(height))
        });
        record.newest = proposal.id;
        record.open = open;
        record.open.push(proposal.id);
        record.closed.extend(expired);
        self.write_book(record);
        self.save(proposal);
    }

    /// Writes a proposal that is in the book.
    pub(super) fn save(&mut self, proposal: Proposal) {
        let (id, is_open) = (proposal.id, proposal.status.is_open());
        self.draft.put(RecordKey::Proposal(id), RecordValue::Proposal(Box::new(proposal)));
        if !is_open {
            let mut record = self.draft.governance();
            record.open.retain(|open| *open != id);
            record.closed.push(id);
            self.write_book(record);
        }
    }

    /// Withdraws the open proposals of those who are in the set no more.
    pub(super) fn close_orphans(&mut self, next: &ValidatorSet) {
        let height = self.context.height();
        let record = self.draft.governance();
        let orphans: Vec<Proposal> = record
            .open
            .iter()
            .filter_map(|id| self.draft.proposal(*id))
            .filter(|proposal| next.index_of(&proposal.proposer).is_none())
            .cloned()
            .collect();
        for orphan in orphans {
            self.save(Proposal { status: ProposalStatus::Withdrawn { height }, ..orphan });
        }
    }

    /// Writes the book, and forgets what was closed too long ago.
    fn write_book(&mut self, mut record: GovernanceRecord) {
        let forgotten = record.closed.len().saturating_sub(CLOSED_PROPOSALS);
        for id in record.closed.drain(..forgotten) {
            self.draft.erase(RecordKey::Proposal(id));
        }
        self.draft.put(RecordKey::Governance, RecordValue::Governance(record));
    }
}
