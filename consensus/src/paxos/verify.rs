//! The edge: sender and bounds of a message from outside, before the engine reads it.
//!
//! Validators may crash but do not lie, so nothing is signed: the channel says who speaks. What is
//! checked is what a mistake or another chain could bring in.

use chain::block::{BlockKind, SealedBlock};
use chain::types::{ValidatorIndex, View};
use chain::validator::ValidatorSet;

use super::catch_up::MAX_BLOCKS;
use super::message::{Lead, Message, Promise};
use super::{Paxos, Rules};
use crate::application::Finals;
use crate::edge::check;
use crate::engine::Fault;
use crate::tree::WINDOW;

pub(super) fn verify<R: Rules>(
    paxos: &Paxos<R>,
    from: ValidatorIndex,
    message: Message,
) -> Result<Message, Fault> {
    if let Some(epoch) = message.epoch().filter(|epoch| *epoch != paxos.epoch()) {
        check(from.as_usize() < ValidatorSet::MAX_SEATS, "a sender that cannot be")?;
        return Ok(paxos.status_of_other_epoch(epoch));
    }
    let edge = Edge { paxos, from };
    match &message {
        Message::Prepare { ballot, .. } | Message::Confirm { ballot, .. } => edge.owns(*ballot)?,
        Message::Promise(promise) => edge.promise(promise)?,
        Message::Accept { lead, blocks } => {
            edge.lead(lead)?;
            check(blocks.len() <= MAX_BLOCKS, "too many blocks in one message")?;
            blocks.iter().try_for_each(|block| edge.block(block))?;
        }
        Message::Chosen(lead) | Message::Heartbeat(lead) => edge.lead(lead)?,
        Message::Blocks(blocks) => {
            edge.member()?;
            check(blocks.len() <= MAX_BLOCKS, "too many blocks in one message")?;
            blocks.iter().try_for_each(|block| edge.block(block))?;
        }
        Message::Finals(finals) => edge.finals(finals)?,
        Message::Accepted { .. }
        | Message::Nack { .. }
        | Message::Confirmed { .. }
        | Message::Read { .. }
        | Message::ReadAt { .. } => edge.member()?,
        // Observers catch up as well.
        Message::FetchBlocks { .. } | Message::FetchFinals { .. } | Message::Status { .. } => {
            check(from.as_usize() < ValidatorSet::MAX_SEATS, "a sender that cannot be")?;
        }
    }
    Ok(message)
}

/// The checks, by what this validator knows.
struct Edge<'a, R: Rules> {
    paxos: &'a Paxos<R>,
    from: ValidatorIndex,
}

impl<R: Rules> Edge<'_, R> {
    fn member(&self) -> Result<(), Fault> {
        let member = self.paxos.set.get(self.from).is_some();
        check(member, "sender is not a validator of this epoch")
    }

    fn owns(&self, ballot: View) -> Result<(), Fault> {
        self.member()?;
        check(ballot > self.paxos.set.first_view, "a ballot that nobody owns")?;
        check(self.paxos.owner(ballot) == self.from, "a ballot of somebody else")
    }

    fn lead(&self, lead: &Lead) -> Result<(), Fault> {
        self.owns(lead.ballot)?;
        let (head, chosen) = (lead.head.position, lead.chosen.position);
        check(chosen.height <= head.height, "more chosen than proposed")
    }

    fn promise(&self, promise: &Promise) -> Result<(), Fault> {
        self.member()?;
        check(promise.accepted.len() as u64 <= 2 * WINDOW, "too many acceptances")?;
        let ordered = promise.accepted.windows(2).all(|pair| pair[0].slot < pair[1].slot);
        check(ordered, "acceptances out of order")?;
        let below = promise.accepted.iter().all(|entry| entry.ballot <= promise.ballot);
        check(below, "an acceptance above the promise")
    }

    fn block(&self, block: &SealedBlock) -> Result<(), Fault> {
        let Paxos { config, set, .. } = self.paxos;
        let header = &block.header;
        check(header.chain_id == config.chain_id, "a block of another chain")?;
        check(header.epoch == set.epoch, "a block of another epoch")?;
        check(header.view > set.first_view, "a block of a ballot before the epoch")?;
        check(
            header.proposer == self.paxos.owner(header.view),
            "a block of one who does not own its ballot",
        )?;
        check(header.kind != BlockKind::Seal, "a seal where nothing is sealed")?;
        check(block.matches_header(), "a block whose content does not belong to its header")
    }

    fn finals(&self, finals: &Finals) -> Result<(), Fault> {
        self.member()?;
        let blocks = &finals.blocks;
        check(!blocks.is_empty(), "an empty part of the chain")?;
        check(blocks.len() <= Finals::MAX_BLOCKS, "too many blocks at once")?;
        for pair in blocks.windows(2) {
            check(
                pair[1].header.parent == pair[0].hash()
                    && pair[1].header.height == pair[0].header.height.next(),
                "final blocks that do not hang together",
            )?;
        }
        blocks.iter().try_for_each(|block| self.block(block))
    }
}
