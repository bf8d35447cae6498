//! What is final was asked for: every client transaction in the final chain was sent by a client.
//! Cachin, Guerraoui, Rodrigues, "Introduction to Reliable and Secure Distributed Programming",
//! external validity of total-order broadcast.

use std::collections::BTreeSet;

use chain::transaction::Transaction;
use chain::types::Digest;

use super::{Facts, Invariant, Observation};

#[derive(Debug, Default)]
pub(super) struct Validity {
    submitted: BTreeSet<Digest>,
}

impl Invariant for Validity {
    fn name(&self) -> &'static str {
        "validity"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        match seen {
            Observation::Submitted { transaction } => {
                self.submitted.insert(*transaction);
                Ok(())
            }
            Observation::Finalized { block, .. } => {
                for transaction in &block.commit.block.transactions {
                    let hash = transaction.hash(&facts.genesis.chain_id);
                    let client = matches!(transaction, Transaction::Signed(_));
                    if client && !self.submitted.contains(&hash) {
                        let block = &block.commit.block;
                        return Err(format!("{block:?} holds {hash:?}, which no client sent"));
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
