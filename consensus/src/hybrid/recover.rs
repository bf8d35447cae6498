//! Starting from what the disk gave back: at any point, also after a crash in the middle.

use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;

use super::message::Message;
use super::pacing::Pacing;
use super::policy::History;
use super::propose::Proposing;
use super::reports::DeepFinals;
use super::rules::Rules;
use super::safety::Safety;
use super::timers::Timers;
use super::{Hybrid, Out};
use crate::catch_up::CatchUp;
use crate::decided::Decided;
use crate::engine::{Config, Outgoing, Recipients, Recovered, Request, Time};
use crate::evidence_pool::EvidencePool;
use crate::headers::Headers;
use crate::propose::Work;
use crate::reads::Reads;
use crate::tree::Tree;
use crate::votes::VoteBook;

pub(super) fn recover<R: Rules>(
    config: Config,
    recovered: Recovered<Safety>,
    now: Time,
    out: &mut Out,
) -> Hybrid<R> {
    let tree = Tree::of_finals(&recovered, &config.chain_id);
    let opening = tree.opening(&recovered);
    let set = recovered.validators;
    let mut history = History::new(R::calm_needed);
    recovered.recent.iter().for_each(|block| history.push(block));

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
        headers: Headers::default(),
        pending_finals: Decided::default(),
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
        pacing: Pacing::new(&config),
        timers: Timers::new(now),
        catch_up: CatchUp::new(&set),
        deferred: VecDeque::new(),
        slow_streak: 0,
        work: Work::default(),
        reads: Reads::default(),
        rules: PhantomData,
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
fn restore_blocks<R: Rules>(
    hybrid: &mut Hybrid<R>,
    mut blocks: Vec<chain::block::SealedBlock>,
    out: &mut Out,
) {
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
