//! The edge: bounds of what comes from outside. Nothing is signed: the channel says who speaks, and
//! within the fault model everybody tells the truth.

use chain::block::SealedBlock;
use chain::types::{Digest, ValidatorIndex};
use chain::validator::ValidatorSet;

use super::message::{Append, Message};
use crate::application::Finals;
use crate::edge::check;
use crate::engine::Fault;

/// Most blocks in one append.
pub(super) const MAX_BLOCKS: usize = 64;

/// A sender need not be in a set that this server knows: it may be the one that is behind (4.1).
pub(super) fn verify(
    chain_id: &Digest,
    from: ValidatorIndex,
    message: Message,
) -> Result<Message, Fault> {
    check(from.as_usize() < ValidatorSet::MAX_SEATS, "sender cannot be a validator")?;
    match &message {
        Message::Append(append) => check_append(chain_id, append)?,
        Message::Finals(finals) => check_finals(chain_id, finals)?,
        _ => {}
    }
    Ok(message)
}

fn check_append(chain_id: &Digest, append: &Append) -> Result<(), Fault> {
    check(append.blocks.len() <= MAX_BLOCKS, "too many blocks in one append")?;
    let mut parent = append.previous.hash;
    let mut height = append.previous.position.height;
    for block in &append.blocks {
        let header = &block.header;
        height = height.next();
        check(header.parent == parent && header.height == height, "blocks that do not follow")?;
        check(header.view <= append.term, "an entry of a term to come")?;
        check_block(chain_id, block)?;
        parent = block.hash();
    }
    Ok(())
}

fn check_finals(chain_id: &Digest, finals: &Finals) -> Result<(), Fault> {
    let count = finals.blocks.len();
    check((1..=Finals::MAX_BLOCKS).contains(&count), "no or too many final blocks")?;
    for pair in finals.blocks.windows(2) {
        let (below, above) = (&pair[0], &pair[1]);
        let follows = above.header.parent == below.hash()
            && above.header.height == below.header.height.next();
        check(follows, "final blocks that do not follow")?;
    }
    finals.blocks.iter().try_for_each(|block| check_block(chain_id, block))
}

fn check_block(chain_id: &Digest, block: &SealedBlock) -> Result<(), Fault> {
    check(block.header.chain_id == *chain_id, "a block of another chain")?;
    check(block.matches_header(), "a block that is not what its header says")
}
