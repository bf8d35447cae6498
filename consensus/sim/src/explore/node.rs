//! One searched node: a production driver as a value, and what may happen to it.

use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hasher as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use chain::block::{BlockKind, SealedBlock};
use chain::codec;
use chain::crypto::{Domain, Hasher};
use chain::types::{Digest, Height, ValidatorIndex};
use chain::validator::ValidatorSet;
use consensus::driver::{Driver, Incoming, Outbox};
use consensus::engine::{Config, Engine, Recipients, Recovered, Role, Time};
use consensus::footprint::Footprint;

use super::ledger::{Entry, Ledger, Memory, Pulse};
use super::scope::Scope;
use super::soup::{Fact, Letter};
use crate::application::{HashChain, HashChainState, Snapshot, transaction};
use crate::checked::Checked;
use crate::genesis::Genesis;
use crate::signatures::SignatureRule;

/// A timer that fires finds the clock so much later: longer than any timeout of the scope, so
/// whatever was due since the last one fires. Time stands still otherwise, and is a function of how
/// many timers fired: states that differ in nothing but time do not arise.
const STEP: Duration = Duration::from_secs(10);
/// Any seed: it gives the keys.
const SEED: u64 = 1;

type SearchDriver<E> = Driver<Checked<E>, Ledger, Memory<<E as Engine>::Record>>;

/// Where every searched node starts.
#[derive(Debug)]
pub(super) struct Birth {
    pub(super) genesis: Genesis,
    scope: Scope,
    pulse: Pulse,
}

impl Birth {
    pub(super) fn new<E: Engine>(scope: Scope) -> Self {
        Self { genesis: genesis::<E>(&scope), scope, pulse: Pulse::default() }
    }

    fn config(&self, place: ValidatorIndex) -> Config {
        let (me, verifier) = (signer(place).public(), SignatureRule::Cheap.verifier());
        self.scope.options.config(self.genesis.chain_id, me, verifier)
    }

    fn execution(&self, finals: &[Entry]) -> HashChain {
        let at_start = hash_chain_state(&self.genesis);
        let chain_id = self.genesis.chain_id;
        let (state, hash) = match finals.last() {
            Some(last) => (last.state.clone(), last.commit.block.hash()),
            None => (at_start, self.genesis.hash),
        };
        let mut chain = HashChain::new(chain_id, SignatureRule::Cheap, state, hash);
        let client = SignatureRule::Cheap.signer([0xcc; 32]);
        for nonce in 0..self.scope.transactions {
            chain.submit(&transaction(chain_id, client.as_ref(), nonce));
        }
        chain
    }
}

/// The key of a validator in every search.
pub(super) fn signer(place: ValidatorIndex) -> Box<dyn chain::crypto::Signer + Send> {
    Genesis::signer(SignatureRule::Cheap, SEED, place.as_usize())
}

/// The chain that a scope is searched on.
pub(super) fn genesis<E: Engine>(scope: &Scope) -> Genesis {
    let rule = SignatureRule::Cheap;
    let validators = Genesis::validators(rule, SEED, scope.validators, scope.max_faulty);
    let chain_id = Hasher::new(Domain::Genesis).value(&(SEED, &validators)).finish();
    let snapshot = Snapshot::hash_chain(validators.clone(), &chain_id);
    let (mode, fault_model) = (scope.mode, E::FAULT_MODEL);
    Genesis { chain_id, hash: chain_id, mode, fault_model, rule, validators, snapshot }
}

/// The state before the first block.
pub(super) fn hash_chain_state(genesis: &Genesis) -> HashChainState {
    match &genesis.snapshot {
        Snapshot::HashChain(state) => state.clone(),
        Snapshot::Ledger(_) => unreachable!("every search runs on the hash chain"),
    }
}

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// It gets a letter.
    Deliver(u32),
    /// Its next timer fires.
    Timeout,
    /// It crashes between two turns and restarts. Final blocks that no sync covered stay, or go.
    Crash { loses_finals: bool },
    /// It crashes at the first write of the turn in which it gets the letter, and restarts.
    CrashAtWrite(u32),
}

/// A node between two turns.
#[derive(Clone)]
pub(super) struct Node<E: Engine> {
    driver: SearchDriver<E>,
    place: ValidatorIndex,
    pub(super) timeouts: u8,
    pub(super) crashes: u8,
}

/// What a step made of a node, and what it said and did.
pub(super) struct Stepped<E: Engine> {
    pub(super) node: Node<E>,
    pub(super) letters: Vec<Letter<E::Message>>,
    pub(super) facts: Vec<Fact>,
}

struct Capture<M> {
    from: ValidatorIndex,
    sent: Vec<Letter<M>>,
}

impl<M: Clone> Outbox<M> for Capture<M> {
    /// Whoever a search starts with stays where it is: barriers of evidence move nobody.
    fn seat(&mut self, _sets: &[ValidatorSet]) {}

    fn send(&mut self, to: Recipients, message: &M) {
        let to = match to {
            Recipients::Others => None,
            Recipients::One(to) => Some(to),
        };
        self.sent.push(Letter { from: self.from, to, message: message.clone() });
    }
}

fn now(timeouts: u8) -> Time {
    Time::default() + STEP * u32::from(timeouts)
}

impl<E: Engine + Clone + fmt::Debug> Node<E> {
    /// A node that never ran.
    pub(super) fn start(birth: &Birth, place: ValidatorIndex) -> Result<Stepped<E>, String> {
        let memory = Memory::new(birth.genesis.hash, birth.pulse.clone());
        let driver = start_driver(birth, place, Vec::new(), memory, now(0));
        let (driver, letters) = driver?;
        let facts = facts_of(&driver, place, 0);
        Ok(Stepped { node: Self { driver, place, timeouts: 0, crashes: 0 }, letters, facts })
    }

    /// What a step leads to; `None` where it cannot happen.
    ///
    /// # Errors
    /// An assertion of production code that does not hold.
    pub(super) fn step(
        &self,
        birth: &Birth,
        step: Step,
        letter: Option<&Letter<E::Message>>,
    ) -> Result<Option<Stepped<E>>, String> {
        let mut node = self.clone();
        node.timeouts += u8::from(step == Step::Timeout);
        let crashes = matches!(step, Step::CrashAtWrite(_));
        let incoming =
            letter.map(|letter| Incoming { from: letter.from, message: letter.message.clone() });
        if let Step::Crash { loses_finals } = step {
            let can_lose = self.unsynced_finals() > 0;
            let possible = can_lose || !loses_finals;
            return possible.then(|| node.restart(birth, loses_finals, Vec::new())).transpose();
        }
        let before = self.driver.application().finals.len();
        let mut capture = Capture { from: self.place, sent: Vec::new() };
        birth.pulse.arm(crashes);
        let (at, driver) = (now(node.timeouts), &mut node.driver);
        let turned = catch_unwind(AssertUnwindSafe(|| driver.turn(at, incoming, &mut capture)));
        birth.pulse.arm(false);
        let finished = turned.map_err(|panic| panic_text(panic.as_ref()))?.is_ok();
        if crashes {
            let died = (!finished).then(|| node.restart(birth, false, capture.sent));
            return died.transpose();
        }
        node.driver.take_events();
        let facts = facts_of(&node.driver, self.place, before);
        Ok(Some(Stepped { node, letters: capture.sent, facts }))
    }

    pub(super) fn place(&self) -> ValidatorIndex {
        self.place
    }

    pub(super) fn promises(&self) -> E::Record {
        self.driver.engine().record()
    }

    fn unsynced_finals(&self) -> usize {
        let ledger = self.driver.application();
        ledger.finals.len() - ledger.synced(self.driver.storage().synced)
    }

    /// Starts again from its disk.
    fn restart(
        self,
        birth: &Birth,
        loses_finals: bool,
        said: Vec<Letter<E::Message>>,
    ) -> Result<Stepped<E>, String> {
        let Self { driver, place, timeouts, crashes } = self;
        let (ledger, memory) = driver.into_parts();
        let kept = if loses_finals { ledger.synced(memory.synced) } else { ledger.finals.len() };
        let mut finals = ledger.finals;
        finals.truncate(kept);
        let (driver, heard) = start_driver(birth, place, finals, memory, now(timeouts))?;
        let facts = facts_of(&driver, place, kept);
        let letters = said.into_iter().chain(heard).collect();
        Ok(Stepped { node: Self { driver, place, timeouts, crashes: crashes + 1 }, letters, facts })
    }

    /// A hash of everything that decides what the node will do, without these fields of its engine.
    pub(super) fn fingerprint(&self, ignored: &[&str]) -> u128 {
        let mut text = Fingerprint::default();
        let (ledger, memory) = (self.driver.application(), self.driver.storage());
        let finals: Vec<Digest> =
            ledger.finals.iter().map(|entry| entry.commit.block.hash()).collect();
        let blocks: Vec<&Digest> = memory.blocks.keys().collect();
        let synced = ledger.synced(memory.synced);
        let counters = (self.place, self.timeouts, self.crashes, synced);
        let record = memory.record.as_ref().map(codec::encode);
        let engine = without(format!("{:?}", self.driver.engine().0), ignored);
        write!(text, "{engine} {:?} {finals:?} {blocks:?}", ledger.chain)
            .and_then(|()| write!(text, "{record:?} {counters:?}"))
            .expect("hashing does not fail");
        text.finish()
    }
}

/// A debug output without the values of some fields.
fn without(mut text: String, fields: &[&str]) -> String {
    for field in fields {
        let name = format!(" {field}: ");
        let mut kept = String::with_capacity(text.len());
        let mut parts = text.split(&name);
        kept.extend(parts.next());
        for part in parts {
            kept.push_str(&part[length_of_value(part)..]);
        }
        text = kept;
    }
    text
}

/// Where the value ends that a debug output starts with: at a comma or bracket that is not its own.
fn length_of_value(text: &str) -> usize {
    let mut open = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' | '[' | '(' => open += 1,
            '}' | ']' | ')' if open > 0 => open -= 1,
            ',' | '}' | ']' | ')' if open == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

/// Two hashes of a text at once: 128 bits, so that no two states of a search share one.
struct Fingerprint([DefaultHasher; 2]);

impl Default for Fingerprint {
    fn default() -> Self {
        let mut hashers = [DefaultHasher::new(), DefaultHasher::new()];
        hashers[1].write_u8(1);
        Self(hashers)
    }
}

impl Fingerprint {
    fn finish(&self) -> u128 {
        u128::from(self.0[0].finish()) << 64 | u128::from(self.0[1].finish())
    }
}

impl fmt::Write for Fingerprint {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for hasher in &mut self.0 {
            hasher.write(text.as_bytes());
        }
        Ok(())
    }
}

type Started<E> = (SearchDriver<E>, Vec<Letter<<E as Engine>::Message>>);

fn start_driver<E: Engine + Clone + fmt::Debug>(
    birth: &Birth,
    place: ValidatorIndex,
    finals: Vec<Entry>,
    memory: Memory<E::Record>,
    now: Time,
) -> Result<Started<E>, String> {
    let recovered = recovered(birth, &finals, &memory);
    let ledger = Ledger::new(birth.execution(&finals), finals, birth.pulse.clone());
    let mut capture = Capture { from: place, sent: Vec::new() };
    let started = catch_unwind(AssertUnwindSafe(|| {
        let (config, signer) = (birth.config(place), signer(place));
        Driver::start(config, recovered, signer, ledger, memory, now, &mut capture)
    }));
    let started = started.map_err(|panic| panic_text(panic.as_ref()))?;
    let mut driver = started.map_err(|error| error.to_string())?;
    driver.take_events();
    Ok((driver, capture.sent))
}

/// What the disk gives back.
fn recovered<R: Clone>(birth: &Birth, finals: &[Entry], memory: &Memory<R>) -> Recovered<R> {
    let Genesis { validators, hash, mode, .. } = &birth.genesis;
    let last = finals.last();
    let final_height = last.map_or(Height::default(), |entry| entry.commit.block.header.height);
    let barriers = finals.iter().rev().map(|entry| &entry.commit.block);
    let opening = barriers.into_iter().find(|block| block.header.kind == BlockKind::Barrier);
    let open = memory.blocks.values().filter(|block| block.header.height > final_height);
    Recovered {
        validators: last.map_or(validators, |entry| entry.state.validators()).clone(),
        final_height,
        final_hash: last.map_or(*hash, |entry| entry.commit.block.hash()),
        final_block: last.map(|entry| entry.commit.block.clone()),
        final_proof: last.and_then(|entry| entry.commit.proof.clone()),
        opening_height: opening.map_or(Height::default(), |block| block.header.height),
        opening_hash: opening.map_or(*hash, SealedBlock::hash),
        opening_mode: opening.map_or(*mode, |block| block.header.mode),
        recent: finals.iter().map(|entry| Footprint::of(&entry.commit.block)).collect(),
        blocks: open.cloned().collect(),
        record: memory.record.clone(),
    }
}

/// What the node has just done that others must agree with.
fn facts_of<E: Engine>(
    driver: &SearchDriver<E>,
    validator: ValidatorIndex,
    known: usize,
) -> Vec<Fact> {
    let finals = driver.application().finals.iter().skip(known).map(|entry| Fact::Final {
        height: entry.commit.block.header.height,
        block: entry.commit.block.hash(),
    });
    let status = driver.status();
    let leads = (status.role == Role::Leader).then_some(Fact::Leads {
        epoch: status.epoch,
        view: status.view,
        validator,
    });
    finals.chain(leads).collect()
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "a panic without a message".to_owned())
}
