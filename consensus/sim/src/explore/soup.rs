//! All that was said and done: letters, final blocks, leaders. It only grows.
//!
//! A letter once sent can arrive at any time, any number of times, or never: loss, duplication and
//! reordering without limits. Liars cost no steps: what they can say is a function of what the
//! honest have said, and a letter that could be sent but is not is like one that is lost.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use chain::codec;
use chain::crypto::{Domain, Hasher};
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use consensus::engine::{Engine, FaultModel};
use consensus::message::{EngineMessage, Slot};

use super::scope::Case;

/// A message on its way. Without `to` it goes to everybody else.
#[derive(Clone, Debug)]
pub struct Letter<M> {
    pub from: ValidatorIndex,
    pub to: Option<ValidatorIndex>,
    pub message: M,
}

/// Something that a node did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fact {
    Final { height: Height, block: Digest },
    Leads { epoch: Epoch, view: View, validator: ValidatorIndex },
}

/// One thing said or done.
#[derive(Debug)]
pub(super) enum Item<M> {
    Letter { letter: Letter<M>, statements: Vec<(Slot, Digest)> },
    Fact(Fact),
}

/// What the honest have said and done so far.
#[derive(Debug)]
pub struct Said<'a, M> {
    items: &'a [Item<M>],
    numbers: &'a [u32],
}

impl<'a, M> Said<'a, M> {
    fn items(&self) -> impl Iterator<Item = &'a Item<M>> + use<'a, M> {
        let items = self.items;
        self.numbers.iter().map(move |number| &items[*number as usize])
    }

    pub fn letters(&self) -> impl Iterator<Item = &'a Letter<M>> + use<'a, M> {
        self.items().filter_map(|item| match item {
            Item::Letter { letter, .. } => Some(letter),
            Item::Fact(_) => None,
        })
    }

    pub fn facts(&self) -> impl Iterator<Item = Fact> + use<'a, M> {
        self.items().filter_map(|item| match item {
            Item::Letter { .. } => None,
            Item::Fact(fact) => Some(*fact),
        })
    }
}

/// One soup: what the honest said and did in some run, with all lies that this allows.
#[derive(Debug)]
struct Soup {
    /// Ascending.
    items: Rc<[u32]>,
    /// Letters for each validator.
    mail: Vec<Vec<u32>>,
}

/// Every item and every soup of a search, once.
pub(super) struct Kitchen<M> {
    chain_id: Digest,
    validators: usize,
    items: Vec<Item<M>>,
    item_numbers: HashMap<Digest, u32>,
    soups: Vec<Soup>,
    soup_numbers: HashMap<Rc<[u32]>, u32>,
    grown: HashMap<(u32, Rc<[u32]>), u32>,
}

impl<M: EngineMessage> Kitchen<M> {
    pub(super) fn new(chain_id: Digest, validators: usize) -> Self {
        Self {
            chain_id,
            validators,
            items: Vec::new(),
            item_numbers: HashMap::new(),
            soups: Vec::new(),
            soup_numbers: HashMap::new(),
            grown: HashMap::new(),
        }
    }

    pub(super) fn letter(&self, number: u32) -> &Letter<M> {
        match &self.items[number as usize] {
            Item::Letter { letter, .. } => letter,
            Item::Fact(_) => unreachable!("only letters are delivered"),
        }
    }

    /// Whether all these items are in the soup.
    pub(super) fn has(&self, soup: u32, items: &[u32]) -> bool {
        let known = &self.soups[soup as usize].items;
        items.iter().all(|item| known.binary_search(item).is_ok())
    }

    /// Whether everything said in the lesser soup was said in the greater.
    pub(super) fn covers(&self, greater: u32, lesser: u32) -> bool {
        self.has(greater, &self.soups[lesser as usize].items)
    }

    pub(super) fn mail(&self, soup: u32, to: usize) -> &[u32] {
        &self.soups[soup as usize].mail[to]
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        (self.items.len(), self.soups.len())
    }

    pub(super) fn add_letter(&mut self, letter: Letter<M>) -> u32 {
        let to = letter.to.map(ValidatorIndex::get);
        let name = (letter.from, to, codec::encode(&letter.message));
        let digest = Hasher::new(Domain::Genesis).value(&name).finish();
        if let Some(number) = self.item_numbers.get(&digest) {
            return *number;
        }
        let mut statements = Vec::new();
        letter.message.statements(letter.from, &self.chain_id, &mut |slot, what| {
            statements.push((slot, what));
        });
        self.add(digest, Item::Letter { letter, statements })
    }

    pub(super) fn add_fact(&mut self, fact: Fact) -> u32 {
        let digest = Hasher::new(Domain::Genesis).value(&format!("{fact:?}")).finish();
        match self.item_numbers.get(&digest) {
            Some(number) => *number,
            None => self.add(digest, Item::Fact(fact)),
        }
    }

    fn add(&mut self, digest: Digest, item: Item<M>) -> u32 {
        let number = u32::try_from(self.items.len()).expect("a search has fewer items");
        self.items.push(item);
        self.item_numbers.insert(digest, number);
        number
    }

    /// The soup with these items as well.
    pub(super) fn grow<C>(&mut self, case: &C, soup: u32, more: &Rc<[u32]>) -> Result<u32, String>
    where
        C: Case,
        C::Engine: Engine<Message = M>,
    {
        let key = (soup, Rc::clone(more));
        if let Some(known) = self.grown.get(&key) {
            return Ok(*known);
        }
        let mut items = self.soups[soup as usize].items.to_vec();
        items.extend(more.iter());
        let grown = self.cook(case, items)?;
        self.grown.insert(key, grown);
        Ok(grown)
    }

    /// The soup of these items.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn cook<C>(&mut self, case: &C, mut items: Vec<u32>) -> Result<u32, String>
    where
        C: Case,
        C::Engine: Engine<Message = M>,
    {
        items.sort_unstable();
        items.dedup();
        let items: Rc<[u32]> = items.into();
        if let Some(known) = self.soup_numbers.get(&items) {
            return Ok(*known);
        }
        let said = Said { items: &self.items, numbers: &items };
        check_words(&said)?;
        check_facts::<C::Engine>(&said)?;
        case.judge(&said)?;
        let lies = case.lies(&said);
        let lies: Vec<u32> = lies.into_iter().map(|lie| self.add_letter(lie)).collect();
        let mut mail = vec![Vec::new(); self.validators];
        for number in items.iter().chain(&lies) {
            let Item::Letter { letter, .. } = &self.items[*number as usize] else { continue };
            for (place, box_of) in mail.iter_mut().enumerate() {
                let for_all = letter.to.is_none() && letter.from.as_usize() != place;
                if for_all || letter.to.is_some_and(|to| to.as_usize() == place) {
                    box_of.push(*number);
                }
            }
        }
        let number = u32::try_from(self.soups.len()).expect("a search has fewer soups");
        self.soups.push(Soup { items: Rc::clone(&items), mail });
        self.soup_numbers.insert(items, number);
        Ok(number)
    }
}

/// An honest key never says two things in one slot.
fn check_words<M>(said: &Said<'_, M>) -> Result<(), String> {
    let mut words = BTreeMap::new();
    for item in said.items() {
        let Item::Letter { letter, statements } = item else { continue };
        for (slot, what) in statements {
            let first = words.entry((letter.from, *slot)).or_insert(*what);
            if first != what {
                let who = letter.from;
                return Err(format!("{who} says {first:?} and {what:?} in {slot:?}"));
            }
        }
    }
    Ok(())
}

/// One final block per height, and one leader per view where nobody lies.
fn check_facts<E: Engine>(said: &Said<'_, E::Message>) -> Result<(), String> {
    let (mut finals, mut leaders) = (BTreeMap::new(), BTreeMap::new());
    for fact in said.facts() {
        match fact {
            Fact::Final { height, block } => {
                let first = *finals.entry(height).or_insert(block);
                if first != block {
                    return Err(format!("{first:?} and {block:?} are final at {height}"));
                }
            }
            Fact::Leads { epoch, view, validator } => {
                let first = *leaders.entry((epoch, view)).or_insert(validator);
                if first != validator && E::FAULT_MODEL == FaultModel::Crash {
                    return Err(format!("{first} and {validator} both lead view {view}"));
                }
            }
        }
    }
    Ok(())
}
