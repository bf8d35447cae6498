//! The search: every state that can be reached, once.
//!
//! A state is one node state per honest validator and a [soup](super::soup). A step changes one
//! node and adds to the soup, and what it does depends on that node and the letter alone. So node
//! states and letters get numbers, each pair of them runs through the driver once, and the search
//! combines numbers: interleavings of steps at different nodes cost a look-up, and end in one state.
//! Nothing is left out for that: the reduction is exact.
//!
//! So is the second one: words only add up. Of states with the same nodes those count in which most
//! was said, and a step that changes no node and says something is taken before all others. What can
//! happen with fewer words can happen with more: a node reads its own state and one letter, a soup
//! never shrinks, and everything that is checked of it stays wrong once it is wrong.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use chain::types::ValidatorIndex;
use consensus::engine::Engine;
use consensus::message::EngineMessage;

use super::node::{Birth, Node, Step, Stepped};
use super::scope::{Case, Scope};
use super::soup::Kitchen;

/// Most validators of a search.
const PLACES: usize = 5;

/// Node states by place, and the soup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct State {
    nodes: [u32; PLACES],
    soup: u32,
}

/// How a state was reached first.
#[derive(Clone, Copy, Debug)]
struct Origin {
    parent: u32,
    depth: u16,
    place: u8,
    step: Step,
}

/// What a step of one node in one state does.
#[derive(Clone, Debug)]
struct Effect {
    node: u32,
    said: Rc<[u32]>,
}

/// What a search has found.
#[derive(Clone, Debug)]
pub struct Found {
    pub states: usize,
    /// Steps between states that change something.
    pub transitions: usize,
    /// Steps on the longest of the shortest ways.
    pub depth: u16,
    /// States of single nodes.
    pub node_states: usize,
    /// Turns that drivers took.
    pub turns: usize,
    pub letters: usize,
    /// Whether every reachable state was seen.
    pub exhausted: bool,
    pub violation: Option<Violation>,
}

/// What went wrong and the shortest way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub what: String,
    pub steps: Vec<String>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} states, {} transitions, depth {}, {} node states, {} driver turns, {} letters, {}",
            self.states,
            self.transitions,
            self.depth,
            self.node_states,
            self.turns,
            self.letters,
            if self.exhausted { "exhausted" } else { "not exhausted" },
        )?;
        match &self.violation {
            None => Ok(()),
            Some(Violation { what, steps }) => write!(f, "\n{what}:\n  {}", steps.join("\n  ")),
        }
    }
}

/// Searches a scope, breadth first, until everything was seen, something is wrong or the scope's
/// `max_states` are reached.
pub fn explore<C: Case>(case: &C) -> Found {
    let mut search = Search::new(case);
    let stopped = search.start().and_then(|()| search.run());
    search.found(stopped)
}

/// Why a search ended early.
enum Stop {
    Full,
    Violation(Violation),
}

struct Search<'a, C: Case> {
    case: &'a C,
    scope: Scope,
    birth: Birth,
    kitchen: Kitchen<<C::Engine as Engine>::Message>,
    nodes: Vec<Node<C::Engine>>,
    node_numbers: HashMap<u128, u32>,
    effects: HashMap<(u32, Step), Option<Effect>>,
    states: Vec<State>,
    origins: Vec<Origin>,
    /// Soups by nodes: of those that were reached, the ones that no other covers.
    soups_of: HashMap<[u32; PLACES], Vec<u32>>,
    transitions: usize,
    /// Validators that run the engine.
    honest: Vec<usize>,
}

impl<'a, C: Case> Search<'a, C> {
    fn new(case: &'a C) -> Self {
        let scope = case.scope();
        assert!(scope.validators <= PLACES, "{} validators are too many", scope.validators);
        let birth = Birth::new::<C::Engine>(scope.clone());
        let kitchen = Kitchen::new(birth.genesis.chain_id, scope.validators);
        let lies = |place: &usize| case.liars().iter().any(|liar| liar.as_usize() == *place);
        let honest = (0..scope.validators).filter(|place| !lies(place)).collect();
        Self {
            case,
            scope,
            birth,
            kitchen,
            nodes: Vec::new(),
            node_numbers: HashMap::new(),
            effects: HashMap::new(),
            states: Vec::new(),
            origins: Vec::new(),
            soups_of: HashMap::new(),
            transitions: 0,
            honest,
        }
    }

    fn start(&mut self) -> Result<(), Stop> {
        let mut state = State { nodes: [u32::MAX; PLACES], soup: 0 };
        let mut said = Vec::new();
        let broken = |what| Stop::Violation(Violation { what, steps: Vec::new() });
        for place in self.honest.clone() {
            let index = ValidatorIndex::new(place as u16);
            let started = Node::start(&self.birth, index).map_err(broken)?;
            let effect = self.note(started);
            state.nodes[place] = effect.node;
            said.extend(effect.said.iter());
        }
        state.soup = self.kitchen.cook(self.case, said).map_err(broken)?;
        let origin = Origin { parent: 0, depth: 0, place: 0, step: Step::Timeout };
        self.add(state, origin);
        Ok(())
    }

    fn run(&mut self) -> Result<(), Stop> {
        let mut current = 0;
        while current < self.states.len() {
            self.expand(current as u32)?;
            current += 1;
        }
        Ok(())
    }

    fn expand(&mut self, number: u32) -> Result<(), Stop> {
        let state = self.states[number as usize];
        if self.is_dominated(&state) || self.speak_first(number, &state)? {
            return Ok(());
        }
        let alive = state.nodes.iter().filter(|node| **node != u32::MAX);
        let crashes: u8 = alive.map(|node| self.nodes[*node as usize].crashes).sum();
        for place in self.honest.clone() {
            let mail = self.kitchen.mail(state.soup, place).to_vec();
            for letter in &mail {
                self.take(number, place, Step::Deliver(*letter))?;
            }
            if self.nodes[state.nodes[place] as usize].timeouts < self.scope.timeouts[place] {
                self.take(number, place, Step::Timeout)?;
            }
            if crashes < self.scope.crashes {
                for loses_finals in [false, true] {
                    self.take(number, place, Step::Crash { loses_finals })?;
                }
                for letter in &mail {
                    self.take(number, place, Step::CrashAtWrite(*letter))?;
                }
            }
        }
        Ok(())
    }

    /// Whether a state was reached with the same nodes and with all that was said in this one, and
    /// more. From there everything can happen that can happen from here, since more letters forbid
    /// nothing; and whatever is wrong with some words is wrong with more.
    fn is_dominated(&self, state: &State) -> bool {
        !self.soups_of[&state.nodes].contains(&state.soup)
    }

    /// A step that changes no node and adds words leads to a state that dominates this one: where
    /// there is such a step, all others of this state are left out.
    fn speak_first(&mut self, number: u32, state: &State) -> Result<bool, Stop> {
        for place in self.honest.clone() {
            let node = state.nodes[place];
            for at in 0..self.kitchen.mail(state.soup, place).len() {
                let step = Step::Deliver(self.kitchen.mail(state.soup, place)[at]);
                let Ok(Some(effect)) = self.effect(node, step) else { continue };
                if effect.node == node && !self.kitchen.has(state.soup, &effect.said) {
                    self.take(number, place, step)?;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Takes one step from a state.
    fn take(&mut self, parent: u32, place: usize, step: Step) -> Result<(), Stop> {
        let before = self.states[parent as usize];
        let depth = self.origins[parent as usize].depth + 1;
        let origin = Origin { parent, depth, place: place as u8, step };
        let effect = match self.effect(before.nodes[place], step) {
            Ok(Some(effect)) => effect,
            Ok(None) => return Ok(()),
            Err(what) => return Err(self.violation(what, origin)),
        };
        let mut after = before;
        after.nodes[place] = effect.node;
        if !effect.said.is_empty() {
            match self.kitchen.grow(self.case, before.soup, &effect.said) {
                Ok(soup) => after.soup = soup,
                Err(what) => return Err(self.violation(what, origin)),
            }
        }
        if after != before {
            self.transitions += 1;
            self.add(after, origin);
        }
        if self.states.len() >= self.scope.max_states { Err(Stop::Full) } else { Ok(()) }
    }

    fn effect(&mut self, node: u32, step: Step) -> Result<Option<Effect>, String> {
        if let Some(known) = self.effects.get(&(node, step)) {
            return Ok(known.clone());
        }
        let letter = match step {
            Step::Deliver(letter) | Step::CrashAtWrite(letter) => Some(self.kitchen.letter(letter)),
            Step::Timeout | Step::Crash { .. } => None,
        };
        let actor = &self.nodes[node as usize];
        let arrives = letter
            .is_none_or(|letter| self.case.delivers(letter, actor.place(), &actor.promises()));
        let stepped = if arrives { actor.step(&self.birth, step, letter)? } else { None };
        let effect = stepped.map(|stepped| self.note(stepped));
        self.effects.insert((node, step), effect.clone());
        Ok(effect)
    }

    /// Gives numbers to what came of a step.
    fn note(&mut self, stepped: Stepped<C::Engine>) -> Effect {
        let Stepped { node, letters, facts } = stepped;
        let mut said: Vec<u32> = Vec::new();
        for letter in letters.into_iter().filter(|letter| self.case.keeps(letter)) {
            said.push(self.kitchen.add_letter(letter));
        }
        said.extend(facts.into_iter().map(|fact| self.kitchen.add_fact(fact)));
        said.sort_unstable();
        let fresh = self.nodes.len() as u32;
        let node_number =
            *self.node_numbers.entry(node.fingerprint(self.case.ignores())).or_insert(fresh);
        if node_number == fresh {
            self.nodes.push(node);
        }
        Effect { node: node_number, said: said.into() }
    }

    /// Keeps a state unless one with the same nodes and at least as many words was reached before.
    fn add(&mut self, state: State, origin: Origin) {
        let known = self.soups_of.entry(state.nodes).or_default();
        if known.iter().any(|soup| self.kitchen.covers(*soup, state.soup)) {
            return;
        }
        known.retain(|soup| !self.kitchen.covers(state.soup, *soup));
        known.push(state.soup);
        self.states.push(state);
        self.origins.push(origin);
    }

    fn violation(&self, what: String, last: Origin) -> Stop {
        let mut steps = vec![self.describe(&last)];
        let mut at = last.parent;
        while at != 0 {
            let origin = self.origins[at as usize];
            steps.push(self.describe(&origin));
            at = origin.parent;
        }
        steps.reverse();
        Stop::Violation(Violation { what, steps })
    }

    fn describe(&self, origin: &Origin) -> String {
        let place = origin.place;
        let named = |number: u32| {
            let letter = self.kitchen.letter(number);
            format!("{} of {}: {:?}", letter.message.kind(), letter.from, letter.message)
        };
        match origin.step {
            Step::Deliver(letter) => format!("{place} gets {}", named(letter)),
            Step::Timeout => format!("{place}: a timer fires"),
            Step::Crash { loses_finals } => {
                format!("{place} crashes and restarts, final blocks lost: {loses_finals}")
            }
            Step::CrashAtWrite(letter) => format!("{place} crashes writing on {}", named(letter)),
        }
    }

    fn found(&self, stopped: Result<(), Stop>) -> Found {
        let (letters, _) = self.kitchen.counts();
        let exhausted = stopped.is_ok();
        let violation = match stopped {
            Err(Stop::Violation(violation)) => Some(violation),
            Ok(()) | Err(Stop::Full) => None,
        };
        Found {
            states: self.states.len(),
            transitions: self.transitions,
            depth: self.origins.iter().map(|origin| origin.depth).max().unwrap_or(0),
            node_states: self.nodes.len(),
            turns: self.effects.len(),
            letters,
            exhausted,
            violation,
        }
    }
}
