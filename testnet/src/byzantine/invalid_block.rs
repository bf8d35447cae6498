//! A leader whose blocks claim a false state.

use consensus::engine::Recipients;
use consensus::hybrid::Message;
use consensus::tree::BlockRef;

use super::{Identity, Misbehaviour, Sent};

/// Changes the state root of the blocks that it proposes, and signs them anew.
#[derive(Debug)]
pub(super) struct InvalidBlock;

impl Misbehaviour for InvalidBlock {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &Message) -> Option<Sent> {
        let Message::Append(append) = message else {
            return None;
        };
        if !append.blocks.iter().any(|block| me.proposed(block)) {
            return None;
        }
        let mut append = append.clone();
        for block in &mut append.blocks {
            if me.proposed(block) {
                let mut false_block = (**block).clone();
                false_block.header.state_root.0[0] ^= 1;
                *block = me.seal(false_block);
            }
        }
        if let Some(last) = append.blocks.last() {
            append.head = BlockRef { position: last.header.position(), hash: last.hash() };
        }
        // Its vote is for the true block, which nobody is to see.
        append.votes.clear();
        Some(vec![(to, Message::Append(append))])
    }
}
