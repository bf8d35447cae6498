//! Starting from what the disk gave back: at any point, also after a crash in the middle.

use std::marker::PhantomData;

use chain::block::SealedBlock;

use super::message::Message;
use super::read::Reads;
use super::record::{Entry, Record};
use super::timers::Timers;
use super::{Ahead, Out, Part, Paxos, Rules};
use crate::catch_up::CatchUp;
use crate::decided::Decided;
use crate::engine::{Config, Outgoing, Recipients, Recovered, Request, Time};
use crate::propose::{Pace, Work};
use crate::tree::Tree;

pub(super) fn recover<R: Rules>(
    config: Config,
    recovered: Recovered<Record>,
    now: Time,
    out: &mut Out,
) -> Paxos<R> {
    let tree = Tree::of_finals(&recovered, &config.chain_id);
    let set = recovered.validators;
    let first_start = recovered.record.is_none() && recovered.final_block.is_none();

    let (mut blocks, mut ahead) = (recovered.blocks, None);
    let record = match recovered.record {
        Some(record) if record.epoch == set.epoch => record,
        // The chain was deleted since, and is to be fetched again.
        Some(record) if record.epoch > set.epoch => {
            ahead = Some(Ahead { record, blocks: std::mem::take(&mut blocks) });
            Record::new(set.epoch, set.first_view)
        }
        // A record of an epoch that has ended binds nothing any more.
        _ => Record::new(set.epoch, set.first_view),
    };
    let mut paxos = Paxos {
        me: set.index_of(&config.me).filter(|_| ahead.is_none()),
        opening: recovered.opening_height,
        highest: record.promised,
        record,
        ahead,
        tree,
        chosen: Decided::default(),
        part: Part::Follower,
        proposal: None,
        pace: Pace::default(),
        work: Work::default(),
        timers: Timers::new(now),
        catch_up: CatchUp::new(&set),
        reads: Reads::default(),
        rules: PhantomData,
        set,
        config,
        now,
    };
    paxos.restore(blocks, out);
    paxos.rearm();
    // Where nobody ever led, the owner of the lowest ballot need not wait for silence.
    if first_start && paxos.me == Some(paxos.owner(paxos.record.promised.next())) {
        paxos.timers.deadline = now;
    }
    let status = Message::Status { epoch: paxos.epoch(), final_height: paxos.final_height() };
    out.send.push(Outgoing::Ready(Recipients::Others, status));
    paxos
}

impl<R: Rules> Paxos<R> {
    /// Accepted blocks go back into the tree and are executed again. What else the disk holds was
    /// replaced in its slot, and would take up room.
    pub(super) fn restore(&mut self, mut blocks: Vec<SealedBlock>, out: &mut Out) {
        // An accepted block leaves the disk only when it is final: what is not there any more was
        // final here once, before the chain was deleted.
        let last_final = self.final_height();
        let is_there = |entry: &Entry| blocks.iter().any(|block| block.hash() == entry.block);
        let lost = self.record.accepted.iter().rfind(|e| e.slot > last_final && !is_there(e));
        if let Some(slot) = lost.map(|entry| entry.slot) {
            self.record.prune(slot);
        }
        blocks.sort_by_key(|block| block.header.height);
        for block in blocks {
            let accepted = self.record.accepted.iter().any(|held| held.block == block.hash());
            if !accepted || !self.tree.restore(block.clone(), self.now) {
                continue;
            }
            if self.tree.is_valid(&block.header.parent) {
                out.requests.push(Request::Execute(block));
            }
        }
    }
}
