//! Starting from what the disk gave back: at any point, also after a crash in the middle.
//!
//! docs/protocol/pbft.md, line B21.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use chain::block::SealedBlock;

use super::checkpoint::Checkpoints;
use super::message::Draft;
use super::promises::Promises;
use super::rules::Rules;
use super::select::Selection;
use super::timers::Timers;
use super::{Out, Pbft};
use crate::catch_up::CatchUp;
use crate::decided::Decided;
use crate::engine::{Config, Outgoing, Reason, Recipients, Recovered, Request, Time};
use crate::evidence_pool::EvidencePool;
use crate::headers::Headers;
use crate::propose::{Pace, Work};
use crate::reads::Reads;
use crate::tree::Tree;
use crate::votes::VoteBook;

pub(super) fn recover<R: Rules>(
    config: Config,
    recovered: Recovered<Promises>,
    now: Time,
    out: &mut Out,
) -> Pbft<R> {
    let tree = Tree::of_finals(&recovered, &config.chain_id);
    let opening = tree.opening(&recovered);
    let set = recovered.validators;
    let fresh = Promises::new(set.epoch, set.first_view);
    let (promises, ahead) = match recovered.record {
        Some(record) if record.epoch == set.epoch => (record, None),
        // The chain was deleted since, and is to be fetched again.
        Some(record) if record.epoch > set.epoch => (fresh, Some(record)),
        // A record of an epoch that has ended binds nothing any more.
        _ => (fresh, None),
    };
    let place = set.index_of(&config.me);
    let mut pbft = Pbft {
        quorums: set.quorums(),
        me: place.filter(|_| ahead.is_none()),
        opening,
        led_before: promises.led,
        promises,
        ahead,
        tree,
        book: VoteBook::default(),
        final_proof: recovered.final_proof,
        headers: Headers::default(),
        pending_finals: Decided::default(),
        ordered: BTreeMap::new(),
        checkpoints: Checkpoints::default(),
        evidence: EvidencePool::default(),
        selection: Selection::opening(opening.position.height, opening.hash),
        accepted: BTreeMap::new(),
        changes: BTreeMap::new(),
        starting: None,
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
    // The chain may be newer than the record: commits are written apart from it.
    if let Some(proof) = pbft.final_proof.clone()
        && proof.certificate.ballot.position.epoch == pbft.epoch()
    {
        pbft.promises.finalize(&proof.certificate);
    }
    pbft.restore_view();
    restore_blocks(&mut pbft, recovered.blocks, out);
    if let Some(certificate) = pbft.promises.final_certificate.clone() {
        pbft.note_final(certificate, out);
    }
    speak_up(&mut pbft, out);
    pbft.arm_timers();
    pbft
}

/// The proposed blocks go back into the tree and are executed again.
fn restore_blocks<R: Rules>(pbft: &mut Pbft<R>, mut blocks: Vec<SealedBlock>, out: &mut Out) {
    blocks.sort_by_key(|block| block.header.height);
    let now = pbft.now;
    for block in blocks {
        if block.header.epoch != pbft.epoch() || !pbft.tree.restore(block.clone(), now) {
            continue;
        }
        pbft.note_header(&block.signed_header(), out);
        if pbft.tree.is_valid(&block.header.parent) {
            out.requests.push(Request::Execute(block));
        }
    }
}

/// B21: says again what it said, unchanged. A primary of before the crash may have pre-prepared
/// what it does not remember, and leaves its view.
fn speak_up<R: Rules>(pbft: &mut Pbft<R>, out: &mut Out) {
    if !pbft.may_promise() {
        return;
    }
    out.send.push(Outgoing::Ready(Recipients::Others, pbft.own_status()));
    let draft = match pbft.promises.view_change.clone() {
        Some(report) => Draft::ViewChange(report),
        None if pbft.led_before == Some(pbft.view()) => {
            return pbft.leave_view(pbft.view().next(), Reason::Timeout, out);
        }
        None if pbft.promises.votes.is_empty() => return,
        None => Draft::Votes(pbft.promises.votes.clone()),
    };
    out.send_after_persist.push(Outgoing::Sign(Recipients::Others, draft));
}
