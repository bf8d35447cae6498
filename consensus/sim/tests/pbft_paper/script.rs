//! One production replica on a simulated disk and clock; the script is everybody else.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chain::block::{Block, Header, Justification, Mode, SealedBlock, proposal_digest};
use chain::certificate::{Ballot, Certificate, Position, Signatures, Vote, VoteKind};
use chain::crypto::{Domain, Hasher, Signer};
use chain::types::{Digest, Epoch, Height, ValidatorIndex, View};
use chain::validator::ValidatorSet;
use consensus::application::{BuildKind, BuildRequest};
use consensus::engine::Status;
use consensus::message::EngineMessage;
use consensus::pbft::{
    Checkpoint, Message, NewView, Paper, Pbft, PrePrepare, Prepared, Report, Rules, ViewChange,
    ViewStart,
};
use consensus_sim::application::{HashChain, Snapshot};
use consensus_sim::byzantine::BehaviourKind;
use consensus_sim::genesis::Genesis;
use consensus_sim::network::Link;
use consensus_sim::plan::{EngineOptions, Load, Plan};
use consensus_sim::scenarios;
use consensus_sim::world::{Envelope, World};

pub(crate) const MS: Duration = Duration::from_millis(1);
/// The timeout of a replica in a script.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(2_000);

pub(crate) fn index(place: usize) -> ValidatorIndex {
    ValidatorIndex::new(u16::try_from(place).unwrap())
}

/// A replica among four, alone with a script that has everybody's keys.
pub(crate) struct Script<R: Rules = Paper> {
    pub(crate) world: World<Pbft<R>>,
    pub(crate) set: ValidatorSet,
    pub(crate) chain_id: Digest,
    pub(crate) genesis: Digest,
    me: usize,
    /// Whether any violation ends the script.
    strict: bool,
    signers: Vec<Box<dyn Signer + Send>>,
    execution: HashChain,
    clock_ms: u64,
    said: Rc<RefCell<Vec<Message>>>,
}

impl Script {
    pub(crate) fn new(me: usize) -> Self {
        Self::with(me, true)
    }
}

impl<R: Rules> Script<R> {
    pub(crate) fn with(me: usize, strict: bool) -> Self {
        let n = 4;
        let options = EngineOptions {
            timeout_min: TIMEOUT,
            timeout_max: TIMEOUT * 4,
            heartbeat: MS * 100,
            ..EngineOptions::default()
        };
        let calm = scenarios::calm(1, n);
        let others = (0..n).filter(|other| *other != me);
        let plan = Plan {
            options,
            link: Link::exact(MS),
            byzantine: others.map(|other| (other, BehaviourKind::Silent)).collect(),
            load: Load { transactions: 0, ..calm.load },
            ..calm
        };
        let (rule, seed) = (plan.signatures, plan.seed);
        let mut world = World::<Pbft<R>>::new(plan, 0);
        (0..n).filter(|other| *other != me).for_each(|other| world.crash(other, None));
        let said = Rc::new(RefCell::new(Vec::new()));
        let book = Rc::clone(&said);
        world.set_tap(Box::new(move |envelope: &Envelope<'_, Message>| {
            book.borrow_mut().push(envelope.message.clone());
            false
        }));
        let genesis = world.genesis().clone();
        let Snapshot::HashChain(state) = genesis.snapshot.clone() else {
            panic!("the script runs on the hash chain");
        };
        Self {
            chain_id: genesis.chain_id,
            genesis: genesis.hash,
            signers: (0..n).map(|place| Genesis::signer(rule, seed, place)).collect(),
            execution: HashChain::new(genesis.chain_id, rule, state, genesis.hash),
            set: genesis.validators,
            clock_ms: 1,
            world,
            me,
            strict,
            said,
        }
    }

    /// Time goes by.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.world.run_for(time);
        let violations = self.world.violations();
        assert!(!self.strict || violations.is_empty(), "{violations:?}");
    }

    /// A message arrives and is dealt with.
    pub(crate) fn tell(&mut self, from: usize, message: Message) {
        self.world.inject(index(from), self.me, message);
        self.pass(MS / 10);
    }

    /// The power fails now; the replica starts again.
    pub(crate) fn restart(&mut self) {
        self.world.crash(self.me, Some(MS / 100));
        self.pass(MS / 10);
    }

    pub(crate) fn status(&self) -> Status {
        self.world.node(self.me).status().expect("the replica runs")
    }

    pub(crate) fn refused(&self, fault: &str) -> u64 {
        self.world.record().counters.refused.get(fault).copied().unwrap_or(0)
    }

    pub(crate) fn forget_said(&mut self) {
        self.said.borrow_mut().clear();
    }

    pub(crate) fn said(&self) -> Vec<Message> {
        self.said.borrow().clone()
    }

    /// Whether the replica voted so since [`forget_said`](Self::forget_said).
    pub(crate) fn voted(&self, kind: VoteKind, view: u64, block: &SealedBlock) -> bool {
        let ballot = self.ballot(kind, view, block);
        self.said
            .borrow()
            .iter()
            .any(|message| message.votes().iter().any(|vote| vote.ballot == ballot))
    }

    pub(crate) fn view_changes(&self) -> Vec<ViewChange> {
        let mut found: Vec<ViewChange> = Vec::new();
        for message in self.said() {
            if let Message::ViewChange(change) = message
                && !found.contains(&change)
            {
                found.push(change);
            }
        }
        found
    }

    /// The next block of the primary of `view` on `parent`: valid, and another one each time.
    pub(crate) fn block(&mut self, parent: Option<&SealedBlock>, view: u64) -> SealedBlock {
        self.clock_ms += 1;
        self.execution.set_time(self.clock_ms);
        let height = parent.map_or(Height::new(1), |block| block.header.height.next());
        let parent = parent.map_or(self.genesis, SealedBlock::hash);
        let view = View::new(view);
        let (epoch, kind) = (self.set.epoch, BuildKind::Null);
        let request = BuildRequest {
            parent,
            height,
            epoch,
            view,
            kind,
            bytes: Block::MAX_TRANSACTION_BYTES,
            evidence: Vec::new(),
        };
        let payload = self.execution.build(&request);
        let justification = Justification::default();
        let header = Header {
            chain_id: self.chain_id,
            epoch,
            view,
            height,
            mode: Mode::Pbft,
            kind: payload.kind,
            parent,
            proposer: self.set.leader(view),
            timestamp_ms: payload.timestamp_ms,
            transactions_root: payload.transactions_root,
            receipts_root: payload.receipts_root,
            state_root: payload.state_root,
            validators_hash: self.set.hash(&self.chain_id),
            next_validators_hash: payload.next_validators_hash,
            justification_hash: justification.hash(&self.chain_id),
        };
        let digest = proposal_digest(&self.chain_id, &header.hash(&self.chain_id));
        let signature = self.signers[header.proposer.as_usize()].sign(&digest);
        let transactions = payload.transactions;
        let block = SealedBlock::new(Block { header, signature, justification, transactions });
        self.execution.execute(&block).expect("a block made by the rules is valid");
        block
    }

    /// A chain of blocks of one view on genesis.
    pub(crate) fn chain(&mut self, view: u64, length: usize) -> Vec<SealedBlock> {
        let mut chain: Vec<SealedBlock> = Vec::new();
        for _ in 0..length {
            let next = self.block(chain.last(), view);
            chain.push(next);
        }
        chain
    }

    pub(crate) fn ballot(&self, kind: VoteKind, view: u64, block: &SealedBlock) -> Ballot {
        let position = Position {
            epoch: Epoch::default(),
            view: View::new(view),
            height: block.header.height,
        };
        Ballot { kind, position, block: block.hash() }
    }

    fn sign(&self, voter: usize, ballot: Ballot) -> Vote {
        let signature = self.signers[voter].sign(&ballot.digest(&self.chain_id));
        Vote { ballot, voter: index(voter), signature }
    }

    pub(crate) fn pre_prepare(&mut self, block: &SealedBlock) {
        let (view, primary) = (block.header.view.get(), block.header.proposer.as_usize());
        let prepare = Some(self.sign(primary, self.ballot(VoteKind::PbftPrepare, view, block)));
        let message = PrePrepare { block: block.clone(), prepare };
        self.tell(primary, Message::PrePrepare(message));
    }

    pub(crate) fn vote(&mut self, voter: usize, kind: VoteKind, view: u64, block: &SealedBlock) {
        let vote = self.sign(voter, self.ballot(kind, view, block));
        self.tell(voter, Message::Votes(vec![vote]));
    }

    pub(crate) fn certificate(
        &self,
        kind: VoteKind,
        view: u64,
        block: &SealedBlock,
        voters: &[usize],
    ) -> Certificate {
        let ballot = self.ballot(kind, view, block);
        let signatures: Vec<_> = voters
            .iter()
            .map(|voter| (index(*voter), self.sign(*voter, ballot).signature))
            .collect();
        Certificate { ballot, signatures: Signatures::new(self.set.seats(), &signatures) }
    }

    pub(crate) fn prepared(&self, view: u64, block: &SealedBlock) -> Prepared {
        let certificate = self.certificate(VoteKind::PbftPrepare, view, block, &[0, 1, 2]);
        Prepared { header: block.header.clone(), certificate }
    }

    pub(crate) fn change(&self, sender: usize, view: u64, prepared: Vec<Prepared>) -> ViewChange {
        let view = View::new(view);
        let epoch = self.set.epoch;
        let report = Report { epoch, view, final_certificate: None, prepared };
        let digest = Hasher::on_chain(Domain::ViewChange, &self.chain_id).value(&report).finish();
        ViewChange { signature: self.signers[sender].sign(&digest), sender: index(sender), report }
    }

    /// The new-view message of the primary of `view`, whatever it says follows from the reports.
    pub(crate) fn new_view(
        &mut self,
        view: u64,
        changes: Vec<ViewChange>,
        chosen: &[&SealedBlock],
        null: bool,
    ) {
        let start = ViewStart {
            epoch: self.set.epoch,
            view: View::new(view),
            changes,
            base: Height::new(0),
            chosen: chosen.iter().map(|block| block.hash()).collect(),
            null,
        };
        let primary = self.set.leader(start.view).as_usize();
        let digest = Hasher::on_chain(Domain::NewView, &self.chain_id).value(&start).finish();
        let signature = self.signers[primary].sign(&digest);
        self.tell(primary, Message::NewView(NewView { start, signature }));
    }

    pub(crate) fn checkpoints(&self) -> Vec<Checkpoint> {
        let said = self.said();
        said.into_iter()
            .filter_map(|message| match message {
                Message::Checkpoint(checkpoint) => Some(checkpoint),
                _ => None,
            })
            .collect()
    }
}
