//! Starting from what the disk gave back. docs/protocol/raft.md, lines R80-R83.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use chain::block::SealedBlock;
use chain::types::{Digest, Height, View};

use super::configuration::Configuration;
use super::log::end_of;
use super::reads::Reads;
use super::record::Promises;
use super::rules::Rules;
use super::timers::Timers;
use super::{Out, Raft, Stance};
use crate::engine::{Config, Recovered, Request, Time};
use crate::finals::FinalsSync;
use crate::propose::{Pace, Work};
use crate::tree::{BlockRef, Tree};

pub(super) fn recover<R: Rules>(
    config: Config,
    recovered: Recovered<Promises>,
    now: Time,
    out: &mut Out,
) -> Raft<R> {
    let mut tree = Tree::of_finals(&recovered, &config.chain_id);
    let root = tree.root();
    let set = recovered.validators;
    let mut promises = recovered.record.unwrap_or(Promises {
        epoch: set.epoch,
        term: View::default(),
        voted_for: None,
        tip: root,
        lost: None,
    });
    let log = log_of(&promises.tip, &root, recovered.blocks);
    if log.is_none() {
        // R82: ahead of what the disk has: the chain was deleted since.
        if promises.tip.position.height > root.position.height {
            promises.lost = promises.lost.max(Some(end_of(promises.tip.position)));
        }
        promises.tip = root;
    }
    promises.term = promises.term.max(root.position.view);
    let log = log.unwrap_or_default();
    out.requests.extend(log.first().cloned().map(Request::Execute));
    for block in log {
        let hash = block.hash();
        tree.insert_final(block, now);
        tree.get_mut(&hash).expect("just inserted").stored = true;
    }
    let sets = vec![set.clone()];
    let configuration = Configuration::new(sets.clone());
    let mut raft = Raft {
        me: configuration.index_of(&config.me),
        configuration,
        sets,
        matched: root.position.height,
        promises,
        tree,
        stance: Stance::Follower,
        leader: None,
        incoming: None,
        granted: BTreeSet::new(),
        peers: BTreeMap::new(),
        durable: Height::default(),
        round: 0,
        proposal: None,
        pace: Pace::default(),
        work: Work::default(),
        reads: Reads::default(),
        finals: FinalsSync::new(set.indices()),
        timers: Timers::new(&config, now),
        rules: PhantomData,
        set,
        config,
        now,
    };
    raft.restart_election_timer();
    raft
}

/// R81: the entries from the last final block to the tip, ascending; `None` where one is missing.
fn log_of(tip: &BlockRef, root: &BlockRef, blocks: Vec<SealedBlock>) -> Option<Vec<SealedBlock>> {
    let mut held: BTreeMap<Digest, SealedBlock> =
        blocks.into_iter().map(|block| (block.hash(), block)).collect();
    let mut log = Vec::new();
    let mut cursor = tip.hash;
    while cursor != root.hash {
        let block = held.remove(&cursor)?;
        cursor = block.header.parent;
        log.push(block);
    }
    log.reverse();
    Some(log)
}
