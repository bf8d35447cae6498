//! Multi-Paxos with three validators over two ballots, crashes included.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::marker::PhantomData;

use chain::block::Mode;
use chain::types::{Digest, Height, ValidatorIndex, View};
use consensus::engine::Engine;
use consensus::paxos::Message;

use super::scope::{Case, Scope};
use super::soup::{Letter, Said};

/// Up to this ballot, and so many timers and crashes, for production Paxos or one like it with a
/// planted bug.
#[derive(Clone, Copy, Debug)]
pub struct Ballots<E> {
    pub highest: u64,
    /// How many timers of each of the three fire.
    pub timeouts: [u8; 3],
    pub crashes: u8,
    pub transactions: u64,
    pub max_states: usize,
    pub engine: PhantomData<E>,
}

impl<E: Engine<Message = Message> + Clone + Debug> Case for Ballots<E> {
    type Engine = E;

    fn scope(&self) -> Scope {
        Scope {
            validators: 3,
            max_faulty: 0,
            mode: Mode::Fast,
            transactions: self.transactions,
            timeouts: self.timeouts.to_vec(),
            crashes: self.crashes,
            max_states: self.max_states,
            options: Scope::OPTIONS,
        }
    }

    /// Left out: fetching and catching up, since whoever is behind may stay behind; signs of life,
    /// status and reads, which promise nothing; refusals, which only make a proposer give up
    /// earlier; ballots above the last one.
    fn keeps(&self, letter: &Letter<Message>) -> bool {
        let ballot = match &letter.message {
            Message::Prepare { ballot, .. } | Message::Accepted { ballot, .. } => *ballot,
            Message::Promise(promise) => promise.ballot,
            Message::Accept { lead, .. } | Message::Chosen(lead) => lead.ballot,
            _ => return false,
        };
        ballot <= View::new(self.highest)
    }

    /// A timer that fires finds everything due, whenever within the timeout that was.
    fn ignores(&self) -> &[&str] {
        &["deadline", "timeout", "draws"]
    }

    /// Value stability: once a majority has accepted a block in a slot and ballot, nobody proposes
    /// another in that slot and a higher ballot.
    fn judge(&self, said: &Said<'_, Message>) -> Result<(), String> {
        let mut accepted: BTreeMap<(Height, View, Digest), BTreeSet<ValidatorIndex>> =
            BTreeMap::new();
        let mut proposed: BTreeSet<(Height, View, Digest)> = BTreeSet::new();
        for letter in said.letters() {
            match &letter.message {
                Message::Accepted { ballot, slot, block, .. } => {
                    let place = (*slot, *ballot, *block);
                    accepted.entry(place).or_default().insert(letter.from);
                }
                Message::Accept { lead, blocks } => {
                    proposed.extend(
                        blocks.iter().map(|block| (block.header.height, lead.ballot, block.hash())),
                    );
                }
                _ => {}
            }
        }
        // A proposer's own acceptance never leaves it, so a majority counts that of the two others:
        // what it makes chosen with one of them, agreement judges.
        for ((slot, ballot, block), _) in accepted.iter().filter(|(_, who)| who.len() >= 2) {
            let other = proposed
                .iter()
                .find(|(place, later, value)| place == slot && later > ballot && value != block);
            if let Some((_, later, value)) = other {
                return Err(format!(
                    "{block:?} is chosen in {slot} at {ballot}, and {later} proposes {value:?}"
                ));
            }
        }
        Ok(())
    }
}
