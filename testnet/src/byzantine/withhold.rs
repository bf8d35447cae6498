//! A leader that streams blocks and keeps their certificates to itself.

use consensus::engine::Recipients;
use consensus::hybrid::Message;

use super::{Identity, Misbehaviour, Sent};

/// Takes the certificates out of what it sends. A block that carries one on chain is held back:
/// without it the block would be another block.
#[derive(Debug)]
pub(super) struct Withhold;

impl Misbehaviour for Withhold {
    fn twist(&mut self, me: &Identity, to: Recipients, message: &Message) -> Option<Sent> {
        match message {
            Message::Append(append) => {
                let tells = |block: &chain::block::SealedBlock| {
                    me.proposed(block) && block.justification.certificate.is_some()
                };
                if append.certificates.is_empty() && !append.blocks.iter().any(tells) {
                    return None;
                }
                let mut append = append.clone();
                append.certificates.clear();
                append.blocks.retain(|block| !tells(block));
                Some(vec![(to, Message::Append(append))])
            }
            Message::Decided(_) | Message::Finals(_) => Some(Vec::new()),
            _ => None,
        }
    }
}
