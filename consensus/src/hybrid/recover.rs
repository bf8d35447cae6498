//! Starting from what the disk gave back: at any point, also after a crash in the middle.

use std::collections::{BTreeMap, VecDeque};

use chain::block::Header;
use chain::certificate::Position;
use chain::types::{Digest, Epoch, Height, View};

use super::message::Message;
use super::policy::History;
use super::propose::Proposing;
use super::reports::DeepFinals;
use super::safety::Safety;
use super::timers::Timers;
use super::{Hybrid, Out};
use crate::catch_up::CatchUp;
use crate::engine::{Config, Outgoing, Recipients, Recovered, Request, Time};
use crate::evidence_pool::EvidencePool;
use crate::propose::Work;
use crate::tree::{BlockRef, Tree};
use crate::votes::VoteBook;

/// Where genesis stands.
fn genesis_position() -> Position {
    Position { epoch: Epoch::new(0), view: View::new(0), height: Height::new(0) }
}

fn reference(header: &Header, chain_id: &Digest) -> BlockRef {
    BlockRef { position: header.position(), hash: header.hash(chain_id) }
}

pub(super) fn recover(
    config: Config,
    recovered: Recovered<Safety>,
    now: Time,
    out: &mut Out,
) -> Hybrid {
    let set = recovered.validators;
    let root = match &recovered.final_block {
        Some(block) => BlockRef { position: block.header.position(), hash: block.hash() },
        None => BlockRef { position: genesis_position(), hash: recovered.final_hash },
    };
    assert_eq!(root.position.height, recovered.final_height, "the final block is the final one");
    let recent = recovered.recent.iter().map(|header| reference(header, &config.chain_id));
    let tree = Tree::new(root, recent);
    let opening_height = recovered.opening_height;
    let opening = tree.final_at(opening_height).unwrap_or(BlockRef {
        position: Position { height: opening_height, ..genesis_position() },
        hash: recovered.opening_hash,
    });
    let mut history = History::default();
    recovered.recent.iter().for_each(|header| history.push(header));

    let (safety, ahead) = match recovered.record {
        Some(record) if record.epoch == set.epoch => (record, None),
        // The chain was deleted since, and is to be fetched again.
        Some(record) if record.epoch > set.epoch => {
            (Safety::new(set.epoch, set.first_view), Some(record))
        }
        // A record of an epoch that has ended binds nothing any more.
        _ => (Safety::new(set.epoch, set.first_view), None),
    };
    let place = set.index_of(&config.me);
    let mut hybrid = Hybrid {
        quorums: set.quorums(),
        me: place.filter(|_| ahead.is_none()),
        opening,
        opening_mode: recovered.opening_mode,
        led_before: safety.led,
        safety,
        ahead,
        tree,
        book: VoteBook::default(),
        final_proof: recovered.final_proof,
        headers: BTreeMap::new(),
        pending_finals: BTreeMap::new(),
        history,
        evidence: EvidencePool::default(),
        active: false,
        suspects: BTreeMap::new(),
        changes: BTreeMap::new(),
        arrivals: 0,
        pending_new_view: None,
        acks: BTreeMap::new(),
        deep_finals: DeepFinals::default(),
        final_vote: None,
        reasons: BTreeMap::new(),
        proposing: Proposing::default(),
        timers: Timers::new(now),
        catch_up: CatchUp::default(),
        deferred: VecDeque::new(),
        slow_streak: 0,
        work: Work::default(),
        set,
        config,
        now,
    };
    hybrid.active = hybrid.view_tip(hybrid.view()).is_some();
    hybrid.find_last_vote(out);
    hybrid.timers.enter_view(now);
    restore_blocks(&mut hybrid, recovered.blocks, out);
    if place.is_some() {
        let status = Message::Status {
            epoch: hybrid.epoch(),
            final_height: hybrid.tree.root().position.height,
        };
        out.send.push(Outgoing::Ready(Recipients::Others, status));
    }
    if !hybrid.active && hybrid.may_promise() {
        hybrid.offer_view_change(out);
    }
    if hybrid.active && hybrid.led_in_another_life() {
        hybrid.leader_abdicates(out);
    }
    if let Some(certificate) = hybrid.safety.high_qc.clone() {
        hybrid.accept_certificate(certificate, out);
    }
    hybrid.arm_timers();
    hybrid
}

/// The proposed blocks go back into the tree and are executed again.
fn restore_blocks(hybrid: &mut Hybrid, mut blocks: Vec<chain::block::SealedBlock>, out: &mut Out) {
    blocks.sort_by_key(|block| block.header.height);
    let now = hybrid.now;
    for block in blocks {
        if block.header.epoch != hybrid.epoch() || !hybrid.tree.restore(block.clone(), now) {
            continue;
        }
        hybrid.note_header(&block.signed_header(), out);
        if hybrid.tree.is_valid(&block.header.parent) {
            out.requests.push(Request::Execute(block));
        }
    }
}
