//! Getting blocks that others have: which are missing, whom to ask and when, and how much to
//! answer. The engines say what they want and carry the questions in their own messages.

use std::collections::BTreeMap;
use std::time::Duration;

use chain::block::SealedBlock;
use chain::types::{Digest, Height, ValidatorIndex};
use chain::validator::ValidatorSet;

use crate::engine::{Request, Time};
use crate::finals::FinalsSync;
use crate::tree::{BlockRef, Tree};

/// Most blocks looked for at the same time.
const MAX_WANTED: usize = 64;
/// Largest answer in bytes of blocks, first block not counted.
const ANSWER_BYTES: usize = 1024 * 1024;

/// Where the one who asks stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker {
    pub(crate) me: Option<ValidatorIndex>,
    /// The last final height.
    pub(crate) root: Height,
    /// Further behind than this the final chain is asked for too, not single blocks alone.
    pub(crate) far: u64,
    pub(crate) now: Time,
    /// Time for an answer.
    pub(crate) heartbeat: Duration,
}

/// What is missing and who may have it: a few blocks by hash, or the final chain from a height on.
#[derive(Clone, Debug)]
pub(crate) struct CatchUp {
    wanted: BTreeMap<Digest, Wanted>,
    pub(crate) finals: FinalsSync,
}

#[derive(Clone, Debug)]
struct Wanted {
    height: Height,
    source: ValidatorIndex,
    /// Not asked before then: it is probably on its way.
    due: Time,
    asked: usize,
}

impl CatchUp {
    /// Of an epoch with these validators.
    pub(crate) fn new(set: &ValidatorSet) -> Self {
        Self { wanted: BTreeMap::new(), finals: FinalsSync::new(set.indices()) }
    }

    /// Notes that a block is missing, that `source` should have it, and not to ask before `due`.
    pub(crate) fn want(
        &mut self,
        block: BlockRef,
        source: ValidatorIndex,
        due: Time,
        asker: &Asker,
    ) {
        if !self.can_ask(block, source, asker) {
            return;
        }
        if let Some(wanted) = self.wanted.get_mut(&block.hash) {
            wanted.due = wanted.due.min(due);
        } else if self.wanted.len() < MAX_WANTED {
            self.wanted.insert(block.hash, Wanted::new(block, source, due));
        }
    }

    /// The same, but one who was asked already has until the retry to answer.
    pub(crate) fn want_patiently(
        &mut self,
        block: BlockRef,
        source: ValidatorIndex,
        due: Time,
        asker: &Asker,
    ) {
        if !self.can_ask(block, source, asker) || self.wanted.len() >= MAX_WANTED {
            return;
        }
        let held = self.wanted.entry(block.hash).or_insert(Wanted::new(block, source, due));
        if held.asked == 0 {
            held.due = held.due.min(due);
        }
    }

    /// Whether the block is one to ask `source` for. One far ahead shows that much is final.
    fn can_ask(&mut self, block: BlockRef, source: ValidatorIndex, asker: &Asker) -> bool {
        let height = block.position.height;
        if Some(source) == asker.me || height <= asker.root {
            return false;
        }
        if height.get() > asker.root.get() + asker.far {
            self.finals.is_ahead(source, height.previous());
        }
        true
    }

    /// The blocks to ask for now, and whom: first their source, then one after the other.
    pub(crate) fn due_blocks(
        &mut self,
        tree: &Tree,
        asker: &Asker,
    ) -> Vec<(ValidatorIndex, Digest)> {
        let Asker { me, root, now, heartbeat, .. } = *asker;
        self.wanted.retain(|hash, wanted| wanted.height > root && !tree.knows(hash));
        let mut questions = Vec::new();
        for (hash, wanted) in self.wanted.iter_mut().filter(|(_, wanted)| wanted.due <= now) {
            let first = wanted.asked == 0;
            let to = if first { wanted.source } else { self.finals.next_peer() };
            wanted.asked += 1;
            wanted.due = now + heartbeat;
            if Some(to) != me {
                questions.push((to, *hash));
            }
        }
        // Nobody had it after a few rounds of everybody: forget it; whoever needs it asks again.
        let most = 4 * self.finals.peers() + 4;
        self.wanted.retain(|_, wanted| wanted.asked < most);
        questions
    }

    /// Whom to ask for the final blocks above the root now, if anyone.
    pub(crate) fn due_finals(&mut self, asker: &Asker) -> Option<ValidatorIndex> {
        let to = self.finals.ask(asker.root, asker.now, asker.heartbeat);
        to.filter(|to| Some(*to) != asker.me)
    }

    /// When there is something to ask again.
    pub(crate) fn next_due(&self, heartbeat: Duration) -> Option<Time> {
        let blocks = self.wanted.values().map(|wanted| wanted.due).min();
        blocks.into_iter().chain(self.finals.next_due(heartbeat)).min()
    }

    /// A block that is proven final goes into the tree, whoever sent it and whatever it weighs, and
    /// is executed once its parent is.
    pub(crate) fn take_final(
        &mut self,
        block: SealedBlock,
        tree: &mut Tree,
        now: Time,
        requests: &mut Vec<Request>,
    ) {
        let above = block.header.height > tree.root().position.height;
        if !above || tree.get(&block.hash()).is_some() {
            return;
        }
        tree.insert_final(block.clone(), now);
        self.arrived(&block.hash());
        if tree.is_valid(&block.header.parent) {
            requests.push(Request::Execute(block));
        }
    }

    pub(crate) fn arrived(&mut self, hash: &Digest) {
        self.wanted.remove(hash);
    }

    /// A new epoch: what was shown in the last one says nothing any more.
    pub(crate) fn enter_epoch(&mut self, set: &ValidatorSet) {
        self.wanted.clear();
        self.finals.enter_epoch(set.indices());
    }
}

impl Wanted {
    fn new(block: BlockRef, source: ValidatorIndex, due: Time) -> Self {
        Self { height: block.position.height, source, due, asked: 0 }
    }
}

/// As many of these blocks, in ascending height, as one answer carries.
pub(crate) fn answer(blocks: impl IntoIterator<Item = SealedBlock>) -> Vec<SealedBlock> {
    let mut bytes = 0;
    blocks
        .into_iter()
        .enumerate()
        .take_while(|(place, block)| {
            bytes += block.encoded().len();
            *place == 0 || bytes <= ANSWER_BYTES
        })
        .map(|(_, block)| block)
        .collect()
}
