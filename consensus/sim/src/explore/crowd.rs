//! Nodes that ran for a while, to be given messages that nobody meant.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use chain::block::Mode;
use chain::codec;
use chain::types::ValidatorIndex;
use consensus::engine::{Engine, FaultModel};
use consensus::message::EngineMessage;

use super::node::{Birth, Node, Step};
use super::scope::Scope;
use super::soup::Letter;
use crate::plan::EngineOptions;

const VALIDATORS: usize = 4;
/// How often all timers fire while the nodes run.
const ROUNDS: usize = 8;
/// Letters that are delivered between two of these, at most.
const LETTERS: usize = 2_000;
/// Messages of each kind that are kept as samples.
const SAMPLES: usize = 3;
/// The one that was down while the others went on: it asks for what it lacks.
const LATE: usize = 3;

/// Four validators of one engine, some views into their chain.
pub struct Crowd<E: Engine> {
    birth: Birth,
    nodes: Vec<Node<E>>,
    /// Some messages of every kind that was said.
    said: BTreeMap<&'static str, Vec<E::Message>>,
}

impl<E: Engine> fmt::Debug for Crowd<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crowd").field("kinds", &self.said.keys()).finish_non_exhaustive()
    }
}

impl<E: Engine + Clone + fmt::Debug> Crowd<E> {
    /// Runs them: transactions, views that end, one that missed the first half.
    ///
    /// # Panics
    /// Where an engine fails.
    pub fn new() -> Self {
        let options = EngineOptions { heartbeat: Duration::from_secs(1), ..Scope::OPTIONS };
        let scope = Scope {
            validators: VALIDATORS,
            max_faulty: u16::from(E::FAULT_MODEL == FaultModel::Byzantine),
            mode: Mode::Fast,
            transactions: 4,
            timeouts: vec![0; VALIDATORS],
            crashes: 0,
            max_states: 0,
            options,
        };
        let birth = Birth::new::<E>(scope);
        let mut mail = VecDeque::new();
        let mut nodes = Vec::new();
        for place in 0..VALIDATORS {
            let place = ValidatorIndex::new(place as u16);
            let started = Node::start(&birth, place).expect("it starts");
            mail.extend(started.letters);
            nodes.push(started.node);
        }
        let mut crowd = Self { birth, nodes, said: BTreeMap::new() };
        for round in 0..ROUNDS {
            crowd.deliver(&mut mail, round < ROUNDS / 2);
            // One alone gives its leader up, then all do.
            let impatient = if round % 2 == 0 { round / 2..round / 2 + 1 } else { 0..VALIDATORS };
            for place in impatient {
                mail.extend(crowd.step(place, Step::Timeout, None));
            }
        }
        crowd
    }

    fn deliver(&mut self, mail: &mut VecDeque<Letter<E::Message>>, without_late: bool) {
        for _ in 0..LETTERS {
            let Some(letter) = mail.pop_front() else { return };
            let kept = self.said.entry(letter.message.kind()).or_default();
            if kept.len() < SAMPLES {
                kept.push(letter.message.clone());
            }
            for place in 0..VALIDATORS {
                let meant = letter.to.is_none_or(|to| to.as_usize() == place);
                if meant && letter.from.as_usize() != place && !(without_late && place == LATE) {
                    mail.extend(self.step(place, Step::Deliver(0), Some(&letter)));
                }
            }
        }
    }

    fn step(
        &mut self,
        place: usize,
        step: Step,
        letter: Option<&Letter<E::Message>>,
    ) -> Vec<Letter<E::Message>> {
        let stepped = self.nodes[place].step(&self.birth, step, letter);
        let Some(stepped) = stepped.expect("an honest run") else { return Vec::new() };
        self.nodes[place] = stepped.node;
        stepped.letters
    }

    /// Names of what was said.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.said.keys().copied()
    }

    /// What was said, encoded.
    pub fn samples(&self) -> Vec<Vec<u8>> {
        self.said.values().flatten().map(codec::encode).collect()
    }

    /// Gives bytes to one of the nodes as the message of another, which may take it or not. Whatever it
    /// was, the node's promises are not undone.
    ///
    /// # Panics
    /// Where the node fails over it.
    pub fn hear(&mut self, bytes: &[u8]) -> bool {
        let Ok(message) = codec::decode::<E::Message>(bytes) else { return false };
        assert_eq!(codec::encode(&message), bytes, "two encodings of one message");
        let dice = bytes.iter().fold(0, |sum: usize, byte| sum.wrapping_add(usize::from(*byte)));
        let (to, from) = (dice % VALIDATORS, (dice / VALIDATORS + 1) % VALIDATORS);
        let letter = Letter { from: ValidatorIndex::new(from as u16), to: None, message };
        let stepped = self.nodes[to].step(&self.birth, Step::Deliver(0), Some(&letter));
        if let Err(panic) = stepped {
            panic!("{}: validator {to} hears {:?} from {from}: {panic}", E::NAME, letter.message);
        }
        true
    }
}

impl<E: Engine + Clone + fmt::Debug> Default for Crowd<E> {
    fn default() -> Self {
        Self::new()
    }
}
