//! Sends its blocks to some only, and its votes to some only.

use std::collections::BTreeMap;

use chain::types::{Epoch, ValidatorIndex, View};

use consensus::message::EngineMessage;

use super::{Behaviour, Hand};

/// Who is starved, drawn anew for each view that it leads.
#[derive(Debug, Default)]
pub(super) struct Withhold {
    starved: BTreeMap<(Epoch, View, ValidatorIndex), bool>,
}

impl<M: EngineMessage> Behaviour<M> for Withhold {
    fn send(
        &mut self,
        to: ValidatorIndex,
        message: &M,
        hand: &mut Hand,
        out: &mut Vec<(ValidatorIndex, M)>,
    ) {
        let place = message
            .proposals()
            .first()
            .map(|block| (block.header.epoch, block.header.view))
            .or_else(|| {
                let position = message.votes().first()?.ballot.position;
                Some((position.epoch, position.view))
            });
        let starved = place.is_some_and(|(epoch, view)| {
            *self.starved.entry((epoch, view, to)).or_insert_with(|| hand.dice.below(2) == 0)
        });
        if !starved {
            out.push((to, message.clone()));
        }
    }
}
