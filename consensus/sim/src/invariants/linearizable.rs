//! What clients saw could have happened one call at a time: a transaction is a write that becomes
//! the next version of a register when it is final, a read sees the version at the height that its
//! node gave. Herlihy and Wing 1990; the checker is [`crate::linearizability`].

use std::collections::BTreeMap;

use chain::transaction::Transaction;
use chain::types::{Digest, Height};
use consensus::engine::Time;

use super::{Facts, Invariant, Observation};
use crate::linearizability::{Call, Verdict, VersionedAccess, VersionedRegister, check};

#[derive(Debug, Default)]
pub(super) struct Linearizable {
    /// When clients sent what.
    asked: BTreeMap<Digest, Time>,
    /// Per height: its transactions, and when a client could learn of them first.
    finals: BTreeMap<Height, (Vec<Digest>, Time)>,
    /// When which read was asked, and with which height it was answered.
    reads: BTreeMap<u64, (Time, Option<(Height, Time)>)>,
}

impl Linearizable {
    fn history(&self) -> Vec<Call<VersionedAccess>> {
        let mut calls = Vec::new();
        let mut version = 0;
        for (hashes, answered) in self.finals.values() {
            for hash in hashes {
                version += 1;
                // A write that no client sent is for `validity` to find.
                let asked = *self.asked.get(hash).unwrap_or(answered);
                let operation = VersionedAccess::Write(version);
                calls.push(Call { operation, asked, answered: Some(*answered) });
            }
        }
        let highest = self.finals.keys().next_back().copied().unwrap_or_default();
        for (asked, answer) in self.reads.values() {
            let Some((height, answered)) = answer.filter(|(height, _)| *height <= highest) else {
                continue;
            };
            let seen: usize = self.finals.range(..=height).map(|(_, (here, _))| here.len()).sum();
            let operation = VersionedAccess::Read(seen as u64);
            calls.push(Call { operation, asked: *asked, answered: Some(answered) });
        }
        calls
    }
}

impl Invariant for Linearizable {
    fn name(&self) -> &'static str {
        "linearizable clients"
    }

    fn observe(&mut self, facts: &Facts, seen: &Observation<'_>) -> Result<(), String> {
        match seen {
            Observation::Submitted { transaction } => {
                self.asked.entry(*transaction).or_insert(facts.now);
            }
            Observation::Finalized { block, .. } => {
                let block = &block.commit.block;
                self.finals.entry(block.header.height).or_insert_with(|| {
                    let clients =
                        block.transactions.iter().filter(|t| matches!(t, Transaction::Signed(_)));
                    let hashes = clients.map(|t| t.hash(&facts.genesis.chain_id)).collect();
                    (hashes, facts.now)
                });
            }
            Observation::ReadAsked { id } => {
                self.reads.insert(*id, (facts.now, None));
            }
            Observation::ReadAnswered { id, height } => {
                if let Some((_, answer)) = self.reads.get_mut(id) {
                    answer.get_or_insert((*height, facts.now));
                }
            }
            Observation::Ended { .. } => {
                let calls = self.history();
                if let Verdict::Impossible { stuck } = check::<VersionedRegister>(0, &calls) {
                    let (count, call) = (calls.len(), &calls[stuck]);
                    return Err(format!("no order of {count} calls explains {call:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }
}
